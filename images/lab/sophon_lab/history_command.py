"""What the hub does with versions of notebooks while no lab runs on a home, or only reads.

``python -I -m sophon_lab.history_command list|compare|restore <home> ...`` runs in a container of
the lab's image that sees the home and nothing else. What is in a home is anybody's: nothing that
is read here is believed, and what is printed has a bound.
"""

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat

from sophon_lab.homes import LOCK
from sophon_lab.versions import (
    DIRECTORY,
    FILE,
    LARGEST,
    NEW_FILE,
    Limits,
    NoVersion,
    TooLarge,
    Versions,
)

MOST_LISTED = 1000
LONGEST_STRING = 4000
"""Characters of an output above which only its digest is compared."""
MOST_COMPARED = 2 * 1024**2
LONGEST_TEXT = 200_000
"""Characters that are printed of a comparison."""

RUNNING = "The lab runs on this home now; try again."
NO_NOTEBOOK = "What was kept of this version is no notebook."
NO_COMPARISON = "These versions cannot be compared."
IN_THE_WAY = "Something that is no notebook has its name now; rename that first."


def listed(home: str) -> None:
    """Print all versions as JSON, the newest first."""
    found = Versions(home).all()
    print(json.dumps([asdict(one) for one in found[:MOST_LISTED]]))  # noqa: T201 - it is read


def compare(home: str, old: str, new: str) -> None:
    """Print as JSON what changed from one version to the other, and whether that is all of it."""
    before, after = (_reduced(Versions(home).read(number)[1]) for number in (old, new))
    try:
        text = _difference(before, after)
    except Exception as error:
        raise SystemExit(NO_COMPARISON) from error
    print(json.dumps({"text": text[:LONGEST_TEXT], "whole": len(text) <= LONGEST_TEXT}))  # noqa: T201


def _difference(before: Any, after: Any) -> str:
    from nbdime.diffing.notebooks import diff_notebooks  # noqa: PLC0415 - only this needs it
    from nbdime.prettyprint import (  # noqa: PLC0415
        PrettyPrintConfig,
        pretty_print_notebook_diff,
    )

    written = io.StringIO()
    config = PrettyPrintConfig(out=written, use_color=False, use_git=False, use_diff=False)
    found = diff_notebooks(before, after)
    if found:
        pretty_print_notebook_diff("", "", before, found, config)
    return "\n".join(written.getvalue().splitlines()[3:])  # after the names, which are empty


def _reduced(content: bytes) -> Any:
    notebook = _notebook(content)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell["outputs"] = _short(cell["outputs"])
        if "attachments" in cell:
            cell["attachments"] = _short(cell["attachments"])
    if len(json.dumps(notebook)) > MOST_COMPARED:
        raise SystemExit("These versions are too large to be compared.")
    return notebook


def _short(value: Any) -> Any:
    """The same without long texts, such as pictures."""
    if isinstance(value, dict):
        return type(value)((key, _short(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return [_short(inner) for inner in value]
    if isinstance(value, str) and len(value) > LONGEST_STRING:
        digest = hashlib.sha256(value.encode(errors="replace")).hexdigest()[:12]
        return f"({len(value):,} characters, {digest})"
    return value


def _notebook(content: bytes) -> Any:
    try:
        return nbformat.reads(content.decode(), as_version=4)
    except Exception as error:
        raise SystemExit(NO_NOTEBOOK) from error


def restore(home: str, number: str, by: str, versions: str, size: str) -> None:
    """Make a version what the notebook is; what it was before is kept."""
    with _holding(home):
        kept = Versions(home, Limits(int(versions), int(size)))
        version, content = kept.read(number)
        _notebook(content)
        *folders, name = version.path.split("/")
        if not name.endswith(".ipynb") or {"", ".", ".."} & {*folders}:
            raise SystemExit(NO_NOTEBOOK)
        with _folder(home, folders) as at:
            before = _read(at, name)
            if before is not None:
                kept.keep(version.path, before, [], "before")
            _replace(at, name, content)
        kept.keep(version.path, content, [by], "restored", always=True)


@contextlib.contextmanager
def _holding(home: str) -> Iterator[None]:
    """Keep a lab from starting on this home meanwhile, for it waits for a few seconds."""
    file = Path(home) / LOCK
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SystemExit(RUNNING) from None
    finally:
        os.close(handle)


@contextlib.contextmanager
def _folder(home: str, names: list[str]) -> Iterator[int]:
    """The folder of a notebook, made when it is missing; no link is followed."""
    with contextlib.ExitStack() as opened:
        at = os.open(home, DIRECTORY)
        opened.callback(os.close, at)
        for name in names:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=at)
            try:
                at = os.open(name, DIRECTORY, dir_fd=at)
            except OSError as error:
                raise SystemExit(f"{name} is no folder any more; rename it first.") from error
            opened.callback(os.close, at)
        yield at


def _read(at: int, name: str) -> bytes | None:
    try:
        handle = os.open(name, FILE, dir_fd=at)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SystemExit(IN_THE_WAY) from error
    try:
        with os.fdopen(handle, "rb") as file:
            return file.read(LARGEST + 1)
    except (IsADirectoryError, BlockingIOError) as error:
        raise SystemExit(IN_THE_WAY) from error


def _replace(at: int, name: str, content: bytes) -> None:
    growing = f".saving-{os.getpid()}"
    try:
        with os.fdopen(os.open(growing, NEW_FILE, 0o644, dir_fd=at), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(growing, name, src_dir_fd=at, dst_dir_fd=at)
        os.fsync(at)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(growing, dir_fd=at)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SystemExit("There is no space left; delete files first.") from error
        raise


COMMANDS: dict[str, Callable[..., None]] = {
    "list": listed,
    "compare": compare,
    "restore": restore,
}


def main(command: str, *arguments: str) -> int:
    """Do one of `COMMANDS`."""
    try:
        COMMANDS[command](*arguments)
    except (NoVersion, TooLarge) as error:
        raise SystemExit(str(error)) from error
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
