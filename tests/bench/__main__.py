"""Run measurements and print one JSON document; what goes on meanwhile is on standard error.

A target that is missed is a figure like any other. Only a measurement that cannot be made ends
with exit status 1.
"""

import argparse
import json
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn

from tests.bench import (
    access_check,
    apache,
    audit_trail,
    bench_image,
    keystrokes,
    lab_burst,
    lab_page,
    lab_start,
    machine,
    memory,
    package,
    personal_labs,
    portal,
    revocation,
    saving,
    temporary,
)
from tests.bench.report import Json, Report

MEASUREMENTS: dict[str, Callable[[Report], None]] = {
    "portal": portal.measure,
    "audit_trail": audit_trail.measure,
    "access_check": access_check.measure,
    "lab_image": bench_image.add_to,
    "lab_start": lab_start.measure,
    "lab_burst": lab_burst.measure,
    "lab_page": lab_page.measure,
    "personal_labs": personal_labs.measure,
    "saving": saving.measure,
    "revocation": revocation.measure,
    "temporary": temporary.measure,
    "memory": memory.measure,
    "keystrokes": keystrokes.measure,
    "package": package.measure,
    "apache": apache.measure,
}


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL, too")
    options = parser.parse_args()
    unknown = set(options.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, _end)
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    facts = machine.describe() | {"load_before": machine.load()}
    found = {
        name: run(Report(name, with_postgres=options.postgres))
        for name in options.names or MEASUREMENTS
    }
    facts["load_after"] = machine.load()
    document = {"measured_at": begun, "machine": facts, "measurements": found}
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return int(any("error" in one for one in found.values()))


def run(report: Report) -> Json:
    """One measurement, with the load before and after; what goes wrong in it is part of it."""
    begin = time.monotonic()
    found: Json = {"load_before": machine.load()}
    try:
        MEASUREMENTS[report.name](report)
    except Exception as error:
        if _was_interrupted(error):
            raise KeyboardInterrupt from error
        traceback.print_exc()
        found["error"] = f"{type(error).__name__}: {error}"
    found |= {
        "load_after": machine.load(),
        "seconds": round(time.monotonic() - begin, 1),
        "figures": report.figures,
        "notes": report.notes,
    }
    return found


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether this went wrong only while everything was being cleaned up after Ctrl-C."""
    while error is not None and not isinstance(error, (KeyboardInterrupt, SystemExit)):
        error = error.__context__
    return error is not None


def _end(number: int, _frame: object) -> NoReturn:
    """Unwind, so that everything is cleaned up."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
