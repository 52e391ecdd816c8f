"""How large the images are and how long a lab takes from ``docker run`` to its first answer.

``python -m tests.bench.bench_image`` from the top folder prints it as JSON; ``make image-table``
writes it as the table in docs/reference/images.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from datetime import UTC, datetime
from typing import Any

from tests.bench import machine
from tests.bench.report import Report, Target
from tests.images.building import IMAGES, run_build
from tests.images.lab_container import Lab, bridge_gateway, docker
from tests.images.stub_hub import StubHub

TABLE = IMAGES.parent / "docs" / "reference" / "images.md"
LARGEST = {"base": 250, "lab": 700, "course": 800, "geo": 950, "tmp": 800}
"""Megabytes that each image should not exceed."""

Json = dict[str, Any]


def size(image: str) -> float:
    """Return an image's size in megabytes."""
    return int(docker("image", "inspect", image, "--format", "{{.Size}}")) / 1e6


def first_answers(image: str, runs: int) -> list[float]:
    """Start ``runs`` hardened labs on fresh volumes, one after the other; return seconds."""
    seconds = []
    with StubHub(bridge_gateway()) as hub:
        for _ in range(runs):
            begin = time.monotonic()
            with Lab(image, hub) as lab:
                seconds.append(round(lab.wait_until_it_answers() - begin, 2))
    return seconds


def measure(image: str = "sophon-hub/lab:latest", runs: int = 5) -> Json:
    """Measure one image."""
    seconds = first_answers(image, runs)
    return {
        "cold_start_seconds": {"median": statistics.median(seconds), "runs": seconds},
        "image_mb": round(size(image)),
    }


def add_to(report: Report) -> None:
    """Measure all images as one of all measurements; figures of the lab have no name before."""
    for row in rows(runs=5):
        before = "" if row["name"] == "lab" else f"{row['name']}_"
        if row["seconds"]:
            report.add(f"{before}first_answer", "s", row["seconds"], Target("median", 2))
        report.add(f"{before}size", "MB", [row["mb"]], Target("max", LARGEST[row["name"]]))


def rows(runs: int) -> list[Json]:
    """Measure every image of the folder images; those that are no labs are not started."""
    listed = run_build("--list")
    if listed.returncode:
        raise RuntimeError(listed.stderr)
    found = []
    for image in json.loads(listed.stdout):
        settings = json.loads(docker("image", "inspect", image["tag"], "--format", "{{json .}}"))
        command = settings["Config"]["Cmd"] or [""]
        starts = command[0] == "jupyterhub-singleuser"
        found.append(
            {
                "name": image["name"],
                "title": image["title"] if starts else "",
                "mb": round(size(image["tag"])),
                "parent": image["parent"],
                "seconds": first_answers(image["tag"], runs) if starts else [],
            }
        )
    return found


def table(measured: list[Json], runs: int) -> str:
    """Return the page with the table, in Markdown."""
    facts = machine.describe()
    sizes = {row["name"]: row["mb"] for row in measured}
    lines = [
        "<!-- written by `make image-table`, which measures; do not edit -->",
        "# Sizes and start times of the images",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {facts['cpus']} processors,"
        f" {facts['memory_mb'] // 1024} GB, load {machine.load()[0]:.1f}, engine"
        f" {facts['versions']['docker engine']}. A start is from `docker run`, with the hardening"
        f" of the spawner and an empty home, to the first answer: median of {runs}, least, most.",
        "",
        "| image | title | made from | MB | of these its own | start (s) |",
        "|---|---|---|---:|---:|---:|",
    ]
    for row in measured:
        own = row["mb"] - sizes.get(row["parent"], 0)
        seconds = row["seconds"]
        start = (
            f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
            if seconds
            else "is not started"
        )
        parent = f"`{row['parent']}`" if row["parent"] else "Debian"
        cells = (f"`{row['name']}`", row["title"], parent, str(row["mb"]), str(own), start)
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "What several images have in common is stored once.", ""]
    return "\n".join(lines)


def main() -> None:
    """Print the measurement as JSON, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default="sophon-hub/lab:latest")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--table", action="store_true", help=f"all images, to {TABLE.name}")
    options = parser.parse_args()
    if options.table:
        TABLE.write_text(table(rows(options.runs), options.runs))
    else:
        sys.stdout.write(json.dumps(measure(options.image, options.runs)) + "\n")


if __name__ == "__main__":
    main()
