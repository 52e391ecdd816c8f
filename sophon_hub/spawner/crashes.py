"""The last words of labs that died: kept for administrators before the container goes."""

import os
from pathlib import Path

from sophon_hub.clock import utcnow
from sophon_hub.settings import Sophon
from sophon_hub.volumes.homes import CRASH_LOGS

KEPT_FILES = 50
KEPT_LINES = 500
KEPT_BYTES = 128 * 1024
"""With KEPT_FILES at most 6 MiB: a lab decides how long its lines are."""


def keep_log(settings: Sophon, uid: str, reason: str, log: bytes) -> Path:
    """Write the end of what a lab said, and drop the oldest files beyond KEPT_FILES."""
    directory = settings.prepare_data_dir() / CRASH_LOGS
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f"{uid}-{utcnow():%Y%m%dT%H%M%S.%fZ}.log"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(f"{reason}\n\n".encode() + log[-KEPT_BYTES:])
    for old in sorted(directory.glob("*.log"), key=_age)[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
    return path


def _age(path: Path) -> str:
    return path.stem.rpartition("-")[2]
