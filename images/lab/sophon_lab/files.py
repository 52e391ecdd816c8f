"""Files are written beside their place and moved there when they are whole.

What Jupyter Server does itself (copy the old file, empty it, write) leaves half a file when the
lab is killed meanwhile, and lets who reads meanwhile put the notebook aside as ``.invalid``.
"""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from logging import Logger
from pathlib import Path
from shutil import copystat
from typing import Any

from jupyter_server.services.contents import fileio

STOCK = fileio.atomic_writing


class ChangedOnDisk(Exception):
    """Somebody else wrote the file since it was last looked at."""


@dataclass(frozen=True)
class Stamp:
    """Which file this is, and when it was written: another one means another content."""

    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, file: str | int) -> "Stamp | None":
        """The stamp of a path or an open file, None when there is none."""
        try:
            found = os.fstat(file) if isinstance(file, int) else Path(file).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass
class Expectation:
    """What a file has to be when it is replaced, and what it was replaced by."""

    path: str
    stamp: Stamp | None
    written: Stamp | None = None


_EXPECTED: ContextVar[Expectation | None] = ContextVar("expected", default=None)
_BUSY: set[Path] = set()


@contextmanager
def expecting(path: str, stamp: Stamp | None) -> Iterator[Expectation]:
    """Replace the file at ``path`` only while it still has this stamp; else `ChangedOnDisk`."""
    expectation = Expectation(os.path.realpath(path), stamp)
    token = _EXPECTED.set(expectation)
    try:
        yield expectation
    finally:
        _EXPECTED.reset(token)


@contextmanager
def whole_writing(
    path: str,
    text: bool = True,
    encoding: str | None = "utf-8",
    log: Logger | None = None,
    **kwargs: Any,
) -> Iterator[Any]:
    """Stands in for Jupyter Server's ``atomic_writing``: the same arguments, nothing half done.

    A file in a folder that cannot be written to is left to the original.
    """
    place = Path(os.path.realpath(path))
    is_new = not place.is_file()
    if not is_new and not os.access(place.parent, os.W_OK):
        with STOCK(str(place), text=text, encoding=encoding, log=log, **kwargs) as file:
            yield file
        return
    if not is_new and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, "The file may not be written to", str(place))
    if text:
        kwargs = {"mode": "w", "encoding": encoding, "newline": "\n", **kwargs}
    else:
        kwargs = {"mode": "wb", **kwargs}
    with _beside(place) as temporary:
        with temporary.open(**kwargs) as file:
            if not is_new:
                copystat(place, temporary)
            yield file
            file.flush()
            os.utime(file.fileno())  # what copystat took over is older than this
            os.fsync(file.fileno())
            written = Stamp.of(file.fileno())
        _move(temporary, place, written)


def sync_folder(path: str) -> None:
    """Make sure that the new file is found under its name after a loss of power, too."""
    handle = os.open(Path(os.path.realpath(path)).parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_name(path: Path, words: str) -> Path:
    """A name beside ``path`` that is not taken, with some words in front of its ending."""
    for number in count(1):
        suffix = f"-{number}" if number > 1 else ""
        candidate = path.with_name(f"{path.stem}-{words}{suffix}{path.suffix}")
        if not candidate.exists():
            return candidate
    raise AssertionError


def install() -> None:
    """Let every contents manager of this server write this way."""
    fileio.atomic_writing = whole_writing


def _move(temporary: Path, place: Path, written: Stamp | None) -> None:
    expected = _EXPECTED.get()
    if expected is not None and expected.path == str(place):
        if Stamp.of(str(place)) != expected.stamp:
            raise ChangedOnDisk(str(place))
        expected.written = written
    temporary.replace(place)


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """A name for the new content; one that a killed lab has left is used again.

    It does not contain the file's own name, which may be as long as names can be.
    """
    digest = hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]
    names = (place.with_name(f".saving-{digest}-{number}") for number in count())
    temporary = next(name for name in names if name not in _BUSY)
    _BUSY.add(temporary)
    try:
        temporary.unlink(missing_ok=True)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        _BUSY.discard(temporary)
