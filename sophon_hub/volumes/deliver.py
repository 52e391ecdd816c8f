"""What helper containers do to bring course material into a home, in Python.

Runs from source text with nothing but the standard library, `tree` and `delivered`. Each file of
the material is compared by its digest with what is in the home and with what was brought there
last: nothing that somebody wrote is ever overwritten or removed. New content is copied before
anything is changed, so that a full disk changes nothing.
"""

import contextlib
import errno
import json
import os
import sys
from collections import Counter
from collections.abc import Callable

from sophon_hub.volumes.delivered import Entry, Home
from sophon_hub.volumes.tree import (
    BLOCKED,
    DIRECTORY,
    Blocked,
    digest,
    look,
    move,
    parent,
    swap,
)

FULL = {errno.ENOSPC, errno.EDQUOT}
NO_ROOM = (
    "The disk is full. Nothing was changed: delete what you do not need, empty the trash, and get"
    " the material again."
)
LISTED = 200
"""How many files are named in each list; all are counted."""

CHANGING = {"added", "updated", "conflict"}
SILENT = {"same", "forgotten"}

Wanted = dict[str, tuple[str, bool]]
"""The files of the material: path, digest, and whether it is a program."""


def decide(base: str | None, here: str | None, new: str | None) -> str:
    """What becomes of one file.

    Args:
        base: digest of what was brought last under this name; None if nothing was.
        here: digest of what has the name in the home, None if nothing has, or OTHER, BLOCKED.
        new: digest of what the material has under it now; None if nothing.
    """
    if new is None:
        return "forgotten" if here is None else "withdrawn"
    if here == BLOCKED:
        return "blocked"
    if here is None:
        return "added" if base is None else "deleted"
    if here == new:
        return "same"
    if here == base:
        return "updated"
    return "kept" if new == base else "conflict"


def pull(home: str, folder: str, material: str, day: str) -> None:
    """Bring what is new in the material into a folder of the home, and print what was done."""
    with contextlib.ExitStack() as opened:
        at, (files, wanted) = Home(home, folder, day, opened), _material(material, opened)
        said: dict[str, list[list[str]]] = {}
        changes: list[Entry] = []
        counts: Counter[str] = Counter()
        for path in sorted({*wanted, *at.base}):
            old, (new, _) = at.base.get(path), wanted.get(path, (None, False))
            here = look(at.top, path)
            kind = decide(old, here, new)
            if kind in CHANGING:
                changes.append(_entry(path, kind, here, new, old))
            else:
                _note(said, counts, kind, path)
                _remember(at, path, kind, new)
        if changes:
            before = at.keep_name, at.keep, at.entries
            at.begin()
            _change(at, wanted, files, changes)
            for entry in changes:
                _note(said, counts, entry["kind"], entry["path"], entry["name"])
                _remember(at, entry["path"], entry["kind"], entry["new"])
            at.forget(*before)
        _settle(at)
        _say(counts, said, at)


def _material(place: str, opened: contextlib.ExitStack) -> tuple[int, Wanted]:
    """The files of the material, open, and what the list of them says."""
    with open(f"{place}/manifest.json", encoding="utf-8") as file:  # noqa: PTH123
        listed = json.load(file)
    files = os.open(f"{place}/files", DIRECTORY)
    opened.callback(os.close, files)
    return files, {path: (sha, bool(program)) for path, (sha, program) in listed.items()}


def _entry(path: str, kind: str, here: str | None, new: str | None, old: str | None) -> Entry:
    return {
        "path": path,
        "kind": kind,
        "old": here,
        "new": new,
        "base": old,
        "held": "",
        "name": "",
    }


def _note(
    said: dict[str, list[list[str]]], counts: Counter[str], kind: str, path: str, name: str = ""
) -> None:
    counts[kind] += 1
    if kind not in SILENT and len(said.setdefault(kind, [])) < LISTED:
        said[kind].append([path, name])


def _remember(at: Home, path: str, kind: str, new: str | None) -> None:
    """What counts as brought from now on."""
    if kind == "forgotten":
        at.base.pop(path, None)
    elif kind in {"added", "updated", "conflict", "same", "fresh"} and new is not None:
        at.base[path] = new


def _say(counts: Counter[str], said: dict[str, list[list[str]]], at: Home) -> None:
    json.dump({"counts": counts, "files": said, "undo": bool(at.entries)}, sys.stdout)


def _change(at: Home, wanted: Wanted, material: int, changes: list[Entry]) -> None:
    """Copy everything first, then put each file into its place."""
    done = len(at.entries)
    try:
        for entry in changes:
            at.stage(entry, material, executable=wanted[entry["path"]][1])
        at.write()
    except OSError as error:
        for entry in at.entries[done:]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry["held"], dir_fd=at.keep)
        if not done:
            with contextlib.suppress(OSError):
                os.rmdir(at.keep_name, dir_fd=at.store)
        if error.errno in FULL:
            raise SystemExit(NO_ROOM) from error
        raise
    for entry in changes:
        at.place(entry)


def _settle(at: Home) -> None:
    """Write down what was done; without room for it, the next time finds it out by itself."""
    with contextlib.suppress(OSError):
        at.write()


def fresh(home: str, folder: str, material: str, day: str, path: str) -> None:
    """Give one file of the home another name, and bring what the material has in its place."""
    with contextlib.ExitStack() as opened:
        at, (files, wanted) = Home(home, folder, day, opened), _material(material, opened)
        if path not in wanted:
            raise SystemExit(f"The material has no file {path}.")
        here, new = look(at.top, path), wanted[path][0]
        entry = _entry(path, "added" if here is None else "fresh", here, new, at.base.get(path))
        if here == BLOCKED:
            entry["kind"] = "blocked"
        elif here == new:
            entry["kind"] = "same"
        else:
            if at.keep < 0:
                at.begin()
            _change(at, wanted, files, [entry])
        _remember(at, path, entry["kind"], new)
        _settle(at)
        said: dict[str, list[list[str]]] = {}
        counts: Counter[str] = Counter()
        _note(said, counts, entry["kind"], path, entry["name"])
        _say(counts, said, at)


def undo(home: str, folder: str, day: str) -> None:
    """Put back what the last time replaced, except where something was changed since."""
    with contextlib.ExitStack() as opened:
        at = Home(home, folder, day, opened)
        if not at.entries:
            raise SystemExit("There is nothing to undo.")
        said: dict[str, list[list[str]]] = {}
        counts: Counter[str] = Counter()
        for entry in reversed(at.entries):
            kind = _undo_one(at, entry)
            _note(said, counts, kind, entry["path"], entry["name"])
        for folder_made in reversed(at.made):
            with contextlib.suppress(OSError, Blocked), parent(at.top, folder_made) as (up, name):
                os.rmdir(name, dir_fd=up)
        at.forget(at.keep_name, at.keep, at.entries)
        at.keep_name, at.keep, at.made, at.entries = "", -1, [], []
        _settle(at)
        _say(counts, said, at)


def _undo_one(at: Home, entry: Entry) -> str:
    """Undo one entry: ``restored``, or ``left`` when the file is not what was brought."""
    if entry["kind"] == "blocked":
        return "restored"
    try:
        with parent(at.top, entry["path"]) as (up, name):
            done = _put_back(at, entry, up, name)
    except (OSError, Blocked):
        done = False
    if not done:
        return "left"
    if entry["base"] is None:
        at.base.pop(entry["path"], None)
    else:
        at.base[entry["path"]] = entry["base"]
    return "restored"


def _put_back(at: Home, entry: Entry, up: int, name: str) -> bool:
    brought = entry["name"] if entry["kind"] == "conflict" else name
    if digest(up, brought) != entry["new"]:
        return False
    if entry["kind"] == "updated":
        if digest(at.keep, entry["held"]) != entry["old"]:
            return False
        swap(up, name, at.keep, entry["held"])
        return True
    if entry["kind"] == "fresh" and digest(up, entry["name"]) is None:
        return False
    move(up, brought, at.keep, f"{entry['held']}.gone")
    entry["held"] += ".gone"
    if entry["kind"] == "fresh":
        move(up, entry["name"], up, name)
    return True


COMMANDS: dict[str, Callable[..., None]] = {"pull": pull, "fresh": fresh, "undo": undo}


def main(command: str, *arguments: str) -> int:
    """Do one of `COMMANDS`."""
    COMMANDS[command](*arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
