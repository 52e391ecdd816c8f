"""Files of a home: compared, placed and exchanged, without following a link or losing a byte.

Runs in helper containers with nothing but the standard library, as part of `deliver`.
"""

import contextlib
import ctypes
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Any

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
LONGEST_NAME, LONGEST_ENDING = 255, 20

NOREPLACE, EXCHANGE = 1, 2
UNKNOWN = {errno.ENOSYS, errno.EINVAL}
OTHER, BLOCKED = "other", "blocked"
"""What has a name and is no plain file; and when a link or a file is where a folder should be."""


class Blocked(Exception):
    """A folder on the way is a link, no folder, or may not be entered."""


@contextlib.contextmanager
def parent(top: int, path: str, made: list[str] | None = None) -> Iterator[tuple[int, str]]:
    """The directory that a path is in, open, and the last name; ``made`` collects new folders."""
    *folders, name = path.split("/")
    with contextlib.ExitStack() as opened:
        at = top
        for number, folder in enumerate(folders, 1):
            try:
                if made is not None:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=at)
                        made.append("/".join(folders[:number]))
                at = os.open(folder, DIRECTORY, dir_fd=at)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise Blocked(folder) from error
            opened.callback(os.close, at)
        yield at, name


def digest(at: int, name: str) -> str | None:
    """SHA-256 of a file, None when there is nothing, OTHER for what is no plain file."""
    try:
        file = os.open(name, FILE, dir_fd=at)
    except FileNotFoundError:
        return None
    except OSError:
        return OTHER
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return OTHER
        with os.fdopen(os.dup(file), "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    finally:
        os.close(file)


def look(top: int, path: str) -> str | None:
    """The digest of a path, as `digest`; BLOCKED when its folder cannot be entered."""
    try:
        with parent(top, path) as (at, name):
            return digest(at, name)
    except FileNotFoundError:
        return None
    except Blocked:
        return BLOCKED


def rename2(old_at: int, old: str, new_at: int, new: str, flags: int) -> bool:
    """renameat2(2); False where the C library or the disk does not have it."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(old_at, os.fsencode(old), new_at, os.fsencode(new), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in UNKNOWN:
        return False
    raise OSError(code, os.strerror(code), new)


def swap(at: int, name: str, keep: int, held: str) -> None:
    """Exchange a file of the home with one that is held, at once where the disk can do that."""
    if rename2(at, name, keep, held, EXCHANGE):
        return
    os.rename(name, f"{held}.old", src_dir_fd=at, dst_dir_fd=keep)
    os.link(held, name, src_dir_fd=keep, dst_dir_fd=at)
    os.rename(f"{held}.old", held, src_dir_fd=keep, dst_dir_fd=keep)


def other_names(name: str, mark: str) -> Iterator[str]:
    """``name.mark.ext``, ``name.mark-2.ext``, and so on; never longer than a name may be."""
    stem, dot, ending = name.rpartition(".")
    if not stem or len(os.fsencode(ending)) > LONGEST_ENDING:
        stem, dot, ending = name, "", ""
    number = 1
    while True:
        tail = f".{mark}{f'-{number}' if number > 1 else ''}{dot}{ending}"
        room = LONGEST_NAME - len(os.fsencode(tail))
        yield os.fsencode(stem)[:room].decode(errors="ignore") + tail
        number += 1


def put_beside(keep: int, held: str, at: int, name: str, mark: str) -> str:
    """Give what is held a free name beside another file; gives the name."""
    content = digest(keep, held)
    for other in other_names(name, mark):
        try:
            os.link(held, other, src_dir_fd=keep, dst_dir_fd=at)
        except FileExistsError:
            if digest(at, other) != content:
                continue
        os.unlink(held, dir_fd=keep)
        return other
    raise AssertionError("names do not end")


def is_plain(path: Any) -> bool:
    """Whether this path stays below where it starts; UnicodeError when it is no text."""
    if not isinstance(path, str) or b"\0" in path.encode():
        return False
    return not {"", ".", ".."} & {*path.split("/")}


def put_aside(at: int, name: str, mark: str) -> str:
    """Give a file of the home, whatever it is, another name that is free; gives that."""
    for other in other_names(name, mark):
        with contextlib.suppress(FileExistsError):
            move(at, name, at, other)
            return other
    raise AssertionError("names do not end")


def move(old_at: int, old: str, new_at: int, new: str) -> None:
    """Rename whatever it is; FileExistsError when the new name is taken."""
    if rename2(old_at, old, new_at, new, NOREPLACE):
        return
    if new in os.listdir(new_at):
        raise FileExistsError(new)
    os.rename(old, new, src_dir_fd=old_at, dst_dir_fd=new_at)
