"""What helper containers do with homes and datasets, in Python.

Runs from source text with nothing but the standard library: it must not import anything of
ours. A home belongs to somebody who may have put anything into it, so no link is ever followed:
every step goes from a directory that is open already, and whoever exchanges a directory for a
link meanwhile gains nothing.
"""

import contextlib
import errno
import hashlib
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
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
MOST_FILES = 50_000
PIECE = 1024 * 1024
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


def copy_files(source: str, home: str, *wanted: str) -> None:
    """Copy files of a folder of the image into the folder of that name in the home.

    Its inner folders, such as data, come along. Nothing that is there is touched.
    """
    root = os.open(home, DIRECTORY)
    missing = [name for name in wanted if not Path(source, name).is_file()]
    if missing:
        raise SystemExit(f"The image has no {missing[0]}.")
    into = _folder(Path(source).name, root)
    for path in sorted(Path(source).iterdir()):
        if path.is_dir():
            _copy_missing(path, _folder(path.name, into))
        elif path.name in wanted:
            _copy_new(path, into)


def _folder(name: str, at: int) -> int:
    """Open a folder, made when it is missing; a link or file of that name is refused."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=at)
    try:
        return os.open(name, DIRECTORY, dir_fd=at)
    except OSError as error:
        if error.errno not in NO_TRASH:
            raise
        raise SystemExit(f"{name} is in the home already, and is no folder.") from None


def _copy_missing(source: Path, into: int) -> None:
    for path in sorted(source.iterdir()):
        if path.is_dir():
            _copy_missing(path, _folder(path.name, into))
        else:
            _copy_new(path, into)


def _copy_new(source: Path, into: int) -> None:
    """Copy a file unless its name is taken; it gets its name when it is complete."""
    growing = f".{source.name}.being-copied"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(growing, dir_fd=into)  # from a copy that was interrupted
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(growing, flags, 0o644, dir_fd=into), "wb") as file:
        file.write(source.read_bytes())
    with contextlib.suppress(FileExistsError):
        os.link(growing, source.name, src_dir_fd=into, dst_dir_fd=into)
    os.unlink(growing, dir_fd=into)


def open_below(root: str, path: str) -> int:
    """Open a directory below another one; whatever is a link on the way is refused."""
    at = os.open(root, DIRECTORY)
    for name in path.split("/") if path else []:
        try:
            if name in {"", ".", ".."}:
                raise SystemExit(f"{path} is no plain path.")
            inner = os.open(name, DIRECTORY, dir_fd=at)
        except NotADirectoryError:
            raise SystemExit(f"{name} is a link or no folder.") from None
        except FileNotFoundError:
            raise SystemExit(f"There is no folder {name}.") from None
        finally:
            os.close(at)
        at = inner
    return at


def check(root: str, path: str) -> None:
    """Say nothing when the folder can be mounted as a dataset."""
    os.close(open_below(root, path))


def manifest(root: str, path: str) -> None:
    """Print a line ``<SHA-256>  ./<path>`` for every file below a folder, as sha256sum does.

    The first line has the number of files and their bytes. Links are left out: what they lead to
    is either in the folder or not part of it.
    """
    at = open_below(root, path)
    lines: list[tuple[str, str]] = []
    size = _digest(at, ".", os.fstat(at).st_dev, lines)
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(lines))
    sys.stdout.buffer.write(f"{len(lines)} {size}\n{text}".encode(errors="replace"))


def _digest(at: int, path: str, device: int, lines: list[tuple[str, str]]) -> int:
    size = 0
    for name in os.listdir(at):
        inner, found = f"{path}/{name}", os.stat(name, dir_fd=at, follow_symlinks=False)
        if found.st_dev != device:
            raise SystemExit(f"Another file system is mounted at {inner}.")
        if stat.S_ISDIR(found.st_mode):
            directory = os.open(name, DIRECTORY, dir_fd=at)
            try:
                size += _digest(directory, inner, device, lines)
            finally:
                os.close(directory)
        elif stat.S_ISREG(found.st_mode):
            if len(lines) >= MOST_FILES:
                raise SystemExit(f"There are more than {MOST_FILES:,} files; pack some together.")
            size += found.st_size
            lines.append(_line(at, name, inner))
        elif not stat.S_ISLNK(found.st_mode):
            raise SystemExit(f"{inner} is neither file nor folder.")
    return size


def _line(at: int, name: str, path: str) -> tuple[str, str]:
    """Path and digest of a file; sha256sum marks a path that had to be escaped at the digest."""
    with os.fdopen(os.open(name, FILE, dir_fd=at), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    plain = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return plain, digest if plain == path else f"\\{digest}"


def publish(root: str, path: str, target: str, most: str) -> None:
    """Copy a folder, readable for everybody; links are copied as links."""
    source, into = open_below(root, path), os.open(target, DIRECTORY)
    _clear(into)  # from a copy that was interrupted
    _copy(source, into, int(most))


def _copy(source: int, into: int, room: int) -> int:
    """Copy what is in one directory to another; gives the bytes there is room for after it."""
    for name in os.listdir(source):
        kind = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
        if stat.S_ISLNK(kind):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=into)
        elif stat.S_ISDIR(kind):
            os.mkdir(name, 0o755, dir_fd=into)
            inner = os.open(name, DIRECTORY, dir_fd=source)
            outer = os.open(name, DIRECTORY, dir_fd=into)
            try:
                room = _copy(inner, outer, room)
            finally:
                os.close(inner)
                os.close(outer)
        elif stat.S_ISREG(kind):
            room = _copy_file(name, source, into, room)
    return room


def _copy_file(name: str, source: int, into: int, room: int) -> int:
    with os.fdopen(os.open(name, FILE, dir_fd=source), "rb") as old:
        mode = 0o755 if os.fstat(old.fileno()).st_mode & stat.S_IXUSR else 0o644
        new_file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode, dir_fd=into)
        with os.fdopen(new_file, "wb") as new:
            while piece := old.read(PIECE):
                room -= len(piece)
                if room < 0:
                    raise SystemExit("It holds more than may be published as one dataset.")
                new.write(piece)
    return room


COMMANDS: dict[str, Callable[..., None]] = {
    "empty-trash": empty_trash,
    "seed": seed,
    "copy-files": copy_files,
    "check": check,
    "manifest": manifest,
    "publish": publish,
}


def main(command: str, *arguments: str) -> int:
    """Do one of `COMMANDS`."""
    sys.setrecursionlimit(DEEPEST)
    COMMANDS[command](*arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
