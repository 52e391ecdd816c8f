"""What temporary labs and helper containers do with the files of a visit, in Python.

Runs from source text with nothing but the standard library, in a lab that belongs to a visitor:
no link is ever followed, and what an archive says is not believed.
"""

import io
import os
import shutil
import stat
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


def pack(home: str) -> None:
    """Write an archive of all files and folders to the output, without links and hidden ones."""
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        at = os.open(home, DIRECTORY)
        try:
            _pack(at, "", archive)
        finally:
            os.close(at)


def _pack(at: int, path: str, archive: tarfile.TarFile) -> None:
    for name in sorted(os.listdir(at)):
        if name.startswith("."):
            continue
        entry = tarfile.TarInfo(path + name)
        kind = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
        if stat.S_ISDIR(kind):
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
            inner = os.open(name, DIRECTORY, dir_fd=at)
            try:
                _pack(inner, f"{path}{name}/", archive)
            finally:
                os.close(inner)
        elif stat.S_ISREG(kind):
            with os.fdopen(os.open(name, FILE, dir_fd=at), "rb") as file:
                found = os.fstat(file.fileno())
                entry.size, entry.mtime = found.st_size, int(found.st_mtime)
                entry.mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
                archive.addfile(entry, file)


def unpack(home: str, packed: str, folder: str) -> None:
    """Make a new folder in the home of an archive that lies there, and print the folder's name.

    It gets its name when it is complete; what does not work leaves nothing. What is there already
    is left alone: the new folder gets a number then.
    """
    try:
        with tarfile.open(Path(home, packed), "r:") as archive:
            _grow(home, folder, archive)
    finally:
        Path(home, packed).unlink()


def receive(home: str, folder: str, size: str) -> None:
    """Make a new folder in the home of an archive that comes in, and print the folder's name.

    All in the archive is below one folder, whose name does not matter. It has ``size`` bytes,
    after which the line stays open; they are read in any case, so that nobody waits to send them.
    """
    source = Incoming(int(size))
    try:
        with tarfile.open(fileobj=source, mode="r|") as archive:
            _grow(home, folder, archive, above=1)
    finally:
        while source.read(tarfile.RECORDSIZE):
            pass


class Incoming(io.RawIOBase):
    """So many bytes of the input."""

    def __init__(self, left: int) -> None:
        self.left = left

    def read(self, most: int = -1) -> bytes:
        """The next ones, ``most`` at a time; none at the end."""
        piece = sys.stdin.buffer.read(min(most, self.left))
        self.left -= len(piece)
        return piece


def _grow(home: str, folder: str, archive: tarfile.TarFile, above: int = 0) -> None:
    growing = Path(home, f".{folder}.being-copied")
    if os.path.lexists(growing):  # from a copy that was interrupted
        shutil.rmtree(growing)
    try:
        growing.mkdir()
        for entry in archive:
            path = "/".join(entry.name.split("/")[above:])
            if path or not above:
                _unpack_one(archive, entry, path, growing)
        name, number = folder, 1
        while os.path.lexists(Path(home, name)):
            number += 1
            name = f"{folder} ({number})"
        growing.rename(Path(home, name))
    finally:
        shutil.rmtree(growing, ignore_errors=True)
    sys.stdout.write(name)


def _unpack_one(archive: tarfile.TarFile, entry: tarfile.TarInfo, path: str, into: Path) -> None:
    """Make what an entry says, if it is a file or a folder; an archive may say anything."""
    parts = path.split("/")
    if {"", ".", ".."} & set(parts):
        raise SystemExit(f"{entry.name!r} is no plain path.")
    target = into.joinpath(*parts)
    if entry.isdir():
        target.mkdir()
    elif file := archive.extractfile(entry) if entry.isreg() else None:
        with target.open("xb") as new:
            shutil.copyfileobj(file, new)
        target.chmod(0o755 if entry.mode & stat.S_IXUSR else 0o644)


COMMANDS: dict[str, Callable[..., None]] = {"pack": pack, "unpack": unpack, "receive": receive}


if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
