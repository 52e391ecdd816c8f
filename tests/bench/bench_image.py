"""How large the lab image is and how long a lab takes from ``docker run`` to its first answer.

``python -m tests.bench.bench_image`` from the top folder prints it as JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

from tests.bench.report import Report, Target
from tests.images.lab_container import Lab, bridge_gateway, docker
from tests.images.stub_hub import StubHub


def measure(image: str = "sophon-hub/lab:latest", runs: int = 5) -> dict[str, Any]:
    """Start ``runs`` hardened labs on fresh volumes, one after the other."""
    seconds = []
    with StubHub(bridge_gateway()) as hub:
        for _ in range(runs):
            begin = time.monotonic()
            with Lab(image, hub) as lab:
                seconds.append(round(lab.wait_until_it_answers() - begin, 2))
    size = int(docker("image", "inspect", image, "--format", "{{.Size}}"))
    return {
        "cold_start_seconds": {"median": statistics.median(seconds), "runs": seconds},
        "image_mb": round(size / 1e6),
    }


def add_to(report: Report) -> None:
    """Measure the default image as one of all measurements."""
    found = measure()
    report.add("first_answer", "s", found["cold_start_seconds"]["runs"], Target("median", 2))
    report.add("size", "MB", [found["image_mb"]], Target("max", 700))


def main() -> None:
    """Print the measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default="sophon-hub/lab:latest")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    sys.stdout.write(json.dumps(measure(options.image, options.runs)) + "\n")


if __name__ == "__main__":
    main()
