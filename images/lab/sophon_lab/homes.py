"""One home, one lab: two servers that save the same files would undo each other's edits."""

import errno
import fcntl
import os
import time
from logging import Logger
from pathlib import Path

LOCK = Path(".local", "share", "sophon", "lock")
"""The file in a home that is locked while a lab runs on it; the kernel unlocks it."""

WAIT_SECONDS = 5.0
"""How long a lab that is about to end may still hold it."""

LOOK_SECONDS = 0.1


class HomeInUse(Exception):
    """Another lab runs on this home."""


def take_home(home: Path, log: Logger) -> None:
    """Hold the home until this process ends; raises `HomeInUse` when another one keeps it.

    Where files cannot be locked, or none can be made on a full disk, the lab runs without.
    """
    file = home / LOCK
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        log.warning("Cannot make sure that no other lab runs on this home: %s", error)
        return
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                log.warning("Cannot make sure that no other lab runs on this home: %s", error)
                return
            if time.monotonic() > deadline:
                raise HomeInUse(f"Another lab runs on {home}. Stop it first.") from None
            time.sleep(LOOK_SECONDS)
        else:
            return
