"""The record of what was brought into a home, and what the last time replaced.

Both are below ``.sophon/material/<folder>`` of the home. Runs in helper containers with nothing
but the standard library, as part of `deliver`.
"""

import contextlib
import fcntl
import json
import os
from typing import Any

from sophon_hub.volumes.tree import (
    DIRECTORY,
    FILE,
    NEW_FILE,
    OTHER,
    Blocked,
    digest,
    is_plain,
    parent,
    put_aside,
    put_beside,
    swap,
)

PIECE = 1024 * 1024
NO_RECORD = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)

Entry = dict[str, Any]
"""One thing that was done: ``path``, ``kind``, the digests ``old``, ``new`` and ``base``, ``held``
in the place for what is kept, and the other ``name`` that something got."""


class Home:
    """A home with the folder that the material goes to, and the record of what was brought.

    ``base`` has the digest of what was brought last, by path. ``keep`` is the directory with what
    that replaced, ``entries`` say what was done, and ``made`` which folders were made.
    """

    def __init__(self, home: str, folder: str, day: str, opened: contextlib.ExitStack) -> None:
        self.day, self._opened = day, opened
        self.store = at = self._enter(None, home)
        for name in (".sophon", "material", folder):
            self.store = self._enter(self.store, name)
        fcntl.flock(self.store, fcntl.LOCK_EX)
        self.top = self._enter(at, folder)
        self.base: dict[str, str] = {}
        self.keep_name, self.keep = "", -1
        self.made: list[str] = []
        self.entries: list[Entry] = []
        # what is no record counts as none, for it is in the person's hands
        with contextlib.suppress(*NO_RECORD):
            self._read()

    def _enter(self, at: int | None, name: str) -> int:
        if at is not None:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=at)
        try:
            found = os.open(name, DIRECTORY, dir_fd=at)
        except (NotADirectoryError, PermissionError):
            raise SystemExit(
                f"{name} in the home is a link, no folder, or closed; rename it."
            ) from None
        self._opened.callback(os.close, found)
        return found

    def _read(self) -> None:
        with os.fdopen(os.open("record.json", FILE, dir_fd=self.store)) as file:
            read = json.load(file)
        self.base = {path: str(old) for path, old in read["base"].items() if is_plain(path)}
        keep, made, entries = read["keep"], read["made"], read["entries"]
        paths = [*made, *(one["path"] for one in entries)]
        names = [keep, *(one[key] or "-" for one in entries for key in ("held", "name"))]
        if all(map(is_plain, paths)) and all(is_plain(name) and "/" not in name for name in names):
            self.keep = os.open(keep, DIRECTORY, dir_fd=self.store)
            self._opened.callback(os.close, self.keep)
            self.keep_name, self.made, self.entries = keep, made, entries

    def write(self) -> None:
        """Put the record on the disk, whole or not at all."""
        record = {
            "base": self.base,
            "keep": self.keep_name,
            "made": self.made,
            "entries": self.entries,
        }
        with contextlib.suppress(FileNotFoundError):
            os.unlink("record.new", dir_fd=self.store)
        with os.fdopen(os.open("record.new", NEW_FILE, 0o644, dir_fd=self.store), "w") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename("record.new", "record.json", src_dir_fd=self.store, dst_dir_fd=self.store)

    def begin(self) -> None:
        """Have an empty place for what will be replaced."""
        taken, number = set(os.listdir(self.store)), 1  # noqa: PTH208 - of an open directory
        while f"keep-{number}" in taken:
            number += 1
        self.keep_name, self.made, self.entries = f"keep-{number}", [], []
        self.keep = self._enter(self.store, self.keep_name)

    def stage(self, entry: Entry, material: int, *, executable: bool) -> None:
        """Copy a file of the material to where it waits for its turn."""
        entry["held"] = f"{len(self.entries)}-{entry['kind']}"
        self.entries.append(entry)
        mode = 0o755 if executable else 0o644
        with parent(material, entry["path"]) as (at, name):
            source = os.open(name, FILE, dir_fd=at)
        with (
            os.fdopen(source, "rb") as old,
            os.fdopen(os.open(entry["held"], NEW_FILE, mode, dir_fd=self.keep), "wb") as new,
        ):
            while piece := old.read(PIECE):
                new.write(piece)
            new.flush()
            os.fsync(new.fileno())

    def place(self, entry: Entry) -> None:
        """Put what waits into the home; what somebody has written there meanwhile stays."""
        held, mark = entry["held"], f"new-{self.day}"
        try:
            with parent(self.top, entry["path"], self.made) as (at, name):
                if entry["kind"] == "updated":
                    swap(at, name, self.keep, held)
                    if digest(self.keep, held) == entry["old"]:
                        return
                    swap(at, name, self.keep, held)  # it was changed at the very moment
                if entry["kind"] == "fresh":
                    entry["name"] = put_aside(at, name, f"mine-{self.day}")
                if entry["kind"] in {"added", "fresh"}:
                    with contextlib.suppress(FileExistsError):
                        os.link(held, name, src_dir_fd=self.keep, dst_dir_fd=at)
                        os.unlink(held, dir_fd=self.keep)
                        return
                entry["kind"] = "conflict"
                entry["name"] = put_beside(self.keep, held, at, name, mark)
        except (Blocked, OSError):
            entry["kind"] = "blocked"

    def forget(self, keep_name: str, keep: int, entries: list[Entry]) -> None:
        """Remove what was kept for undo; what somebody has written into it is put back."""
        for entry in entries:
            found = digest(keep, entry["held"])
            if found != OTHER and found in (entry["old"], entry["new"]):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry["held"], dir_fd=keep)
            elif found is not None:
                with (
                    contextlib.suppress(OSError, Blocked),
                    parent(self.top, entry["path"]) as (at, name),
                ):
                    put_beside(keep, entry["held"], at, name, f"mine-{self.day}")
        with contextlib.suppress(OSError):
            os.rmdir(keep_name, dir_fd=self.store)
