"""What helper containers do with a home, in Python.

Runs from source text with nothing but the standard library: it must not import anything of
ours. A home belongs to somebody who may have put anything into it, so no link is ever followed:
every step goes from a directory that is open already, and whoever exchanges a directory for a
link meanwhile gains nothing.
"""

import contextlib
import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

TRASH = (".local", "share", "Trash")
"""Where JupyterLab and desktops move what people delete, below the home."""

DEEPEST = 5000
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
NO_TRASH = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


def empty_trash(home: str) -> None:
    """Remove what is in the home's trash; where a link is on the way, there is no trash."""
    with contextlib.ExitStack() as opened:
        at = os.open(home, DIRECTORY)
        opened.callback(os.close, at)
        for name in TRASH:
            try:
                at = _open(name, at) if name == TRASH[-1] else os.open(name, DIRECTORY, dir_fd=at)
            except OSError as error:
                if error.errno in NO_TRASH:
                    return
                raise
            opened.callback(os.close, at)
        _clear(at)


def _open(name: str, at: int) -> int:
    """Open a directory, after giving its owner back the right to look into it and change it."""
    plain = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
    try:
        Path(f"/proc/self/fd/{plain}").chmod(stat.S_IRWXU)
        return os.open(".", DIRECTORY, dir_fd=plain)
    finally:
        os.close(plain)


def _clear(at: int) -> None:
    for name in os.listdir(at):
        if not stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=at)
            continue
        directory = _open(name, at)
        try:
            _clear(directory)
        finally:
            os.close(directory)
        os.rmdir(name, dir_fd=at)


def seed(source: str, home: str) -> None:
    """Copy a folder of the image into the home, unless something has its name there.

    It gets its name when it is complete: whoever comes too early finds nothing, not half of it.
    """
    target = Path(home, Path(source).name)
    growing = target.with_name(f".{target.name}.being-copied")
    if os.path.lexists(target):
        return
    if os.path.lexists(growing):  # from a start that was interrupted
        shutil.rmtree(growing)
    shutil.copytree(source, growing, symlinks=True)
    for path in (growing, *growing.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
    growing.rename(target)


COMMANDS: dict[str, Callable[..., None]] = {"empty-trash": empty_trash, "seed": seed}


def main(command: str, *arguments: str) -> int:
    """Do one of `COMMANDS`."""
    sys.setrecursionlimit(DEEPEST)
    COMMANDS[command](*arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
