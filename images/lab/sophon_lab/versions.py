"""Versions of notebooks that are kept in a home: what they are, and how few of them stay.

A version is a content, which all versions that are equal share, and a record of its own. Both are
files that get their names when they are whole, so there is no list that could be damaged. The
hub has this run in helper containers as well (`history_command`), for labs that are stopped: it
uses nothing but the standard library.
"""

import contextlib
import hashlib
import heapq
import json
import os
import re
import stat
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

PLACE = (".sophon", "history")
"""Where versions are, below a home; whoever deletes it loses them and nothing else."""

CONTENTS, RECORDS = "contents", "records"
LARGEST = 32 * 1024**2
"""Bytes of a notebook above which none of its versions are kept."""
LONGEST_RECORD = 8 * 1024
MOST_EDITORS = 50
MOST_RECORDS = 2000
"""Versions of one home that are kept at most, whatever the limits are."""

ID = re.compile(r"\d{13}-[0-9a-f]{16}")
DIGEST = re.compile(r"[0-9a-f]{64}")
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class NoVersion(Exception):
    """There is no such version, or what is kept of it is damaged; the text says so."""


class TooLarge(Exception):
    """Something cannot be kept; the text says what."""


@dataclass(frozen=True)
class Limits:
    """How much is kept: versions of each notebook, and bytes of all of them together."""

    versions: int = 100
    size: int = 200 * 1024**2


@dataclass(frozen=True)
class Version:
    """One version of a notebook.

    ``path`` is below the home, ``at`` in milliseconds since 1970, ``editors`` are the hub's names
    of those who changed it since the version before, ``reason`` says why it was kept, ``size``
    is in bytes, of the notebook, and ``stored`` as it is on the disk.
    """

    id: str
    path: str
    at: int
    editors: list[str]
    reason: str
    digest: str
    size: int
    stored: int


class Versions:
    """The versions that are kept in one home."""

    def __init__(self, home: str, limits: Limits | None = None) -> None:
        self._home, self._limits = home, limits or Limits()

    def keep(
        self,
        path: str,
        content: bytes,
        editors: Sequence[str],
        reason: str,
        *,
        always: bool = False,
    ) -> Version | None:
        """Keep a version; None when it is the newest one already, unless ``always`` is set.

        Raises:
            TooLarge: there is no room for it, whatever else went.
            OSError: it could not be written, or something else is where versions are kept.
        """
        digest = hashlib.sha256(content).hexdigest()
        packed = zlib.compress(content)
        if len(content) > LARGEST or len(packed) > self._limits.size:
            raise TooLarge(f"{path} is too large: none of its versions are kept.")
        with self._opened(make=True) as (contents, records):
            known = _read_all(records)
            newest = max((one for one in known if one.path == path), key=_when, default=None)
            if newest and newest.digest == digest and not always:
                return None
            at = max(int(time.time() * 1000), newest.at + 1 if newest else 0)
            mark = hashlib.sha256(f"{path}\0{digest}".encode(errors="replace")).hexdigest()[:16]
            named = sorted(editors)[:MOST_EDITORS]
            version = Version(
                f"{at:013}-{mark}", path, at, named, reason, digest, len(content), len(packed)
            )
            text = json.dumps(asdict(version)).encode()
            if len(text) > LONGEST_RECORD:
                raise TooLarge(f"The name of {path[:100]} is too long: no versions are kept.")
            _write(contents, digest, packed)
            _write(records, version.id, text)
            self._thin([*known, version], contents, records)
        return version

    def all(self) -> list[Version]:
        """All versions, the newest first."""
        try:
            with self._opened() as (_, records):
                return sorted(_read_all(records), key=_when, reverse=True)[:MOST_RECORDS]
        except OSError:
            return []  # nothing was ever kept, or something else is in its place

    def read(self, number: str) -> tuple[Version, bytes]:
        """A version and its content, as it was kept; raises `NoVersion`."""
        with contextlib.suppress(OSError), self._opened() as (contents, records):
            version = _read_record(records, number)
            if version is not None:
                return version, _unpacked(contents, version)
        raise NoVersion("This version is not kept any more.")

    def tidy(self) -> None:
        """Remove what an interruption has left, and what is beyond the limits."""
        with contextlib.suppress(FileNotFoundError), self._opened() as (contents, records):
            known = _read_all(records)
            self._thin(known, contents, records)
            wanted = {one.digest for one in _read_all(records)}
            for name in _names(contents):
                if name not in wanted:
                    _remove(contents, name)
            for name in _names(records):
                if not ID.fullmatch(name):
                    _remove(records, name)

    def _thin(self, known: list[Version], contents: int, records: int) -> None:
        by_path: dict[str, list[Version]] = {}
        for one in sorted(known, key=_when):
            by_path.setdefault(one.path, []).append(one)
        kept = [
            one
            for versions in by_path.values()
            for one in thinned(versions, lambda left: len(left) > self._limits.versions)
        ]
        kept = thinned(sorted(kept, key=_when), self._is_too_much)
        for number in {one.id for one in known} - {one.id for one in kept}:
            _remove(records, number)
        for digest in {one.digest for one in known} - {one.digest for one in kept}:
            _remove(contents, digest)

    def _is_too_much(self, versions: Sequence[Version]) -> bool:
        stored = {one.digest: one.stored for one in versions}
        return len(versions) > MOST_RECORDS or sum(stored.values()) > self._limits.size

    @contextlib.contextmanager
    def _opened(self, *, make: bool = False) -> Iterator[tuple[int, int]]:
        """The folders with contents and records; FileNotFoundError when nothing was ever kept."""
        with contextlib.ExitStack() as opened:
            at = os.open(self._home, DIRECTORY)
            opened.callback(os.close, at)
            for name in PLACE:
                at = _folder(name, at, make=make)
                opened.callback(os.close, at)
            contents, records = (_folder(name, at, make=make) for name in (CONTENTS, RECORDS))
            opened.callback(os.close, contents)
            opened.callback(os.close, records)
            yield contents, records


def thinned(
    versions: Sequence[Version], is_too_much: Callable[[Sequence[Version]], bool]
) -> list[Version]:
    """What stays of versions, given oldest first: every second of the older half goes first.

    So the past becomes coarser the farther away it is, and the newest version always stays.
    """
    kept = list(versions)
    while len(kept) > 1 and is_too_much(kept):
        older = kept[: len(kept) // 2]
        gone = {one.id for one in older[1::2] or older}
        kept = [one for one in kept if one.id not in gone]
    return kept


def _when(version: Version) -> tuple[int, str]:
    return version.at, version.id


def _folder(name: str, at: int, *, make: bool) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=at)
    return os.open(name, DIRECTORY, dir_fd=at)


def _write(at: int, name: str, content: bytes) -> None:
    """Write a file that is there whole, or not at all."""
    growing = f".{name}.{os.getpid()}-{threading.get_ident()}"
    try:
        with os.fdopen(os.open(growing, NEW_FILE, 0o600, dir_fd=at), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(growing, name, src_dir_fd=at, dst_dir_fd=at)
    except BaseException:
        _remove(at, growing)
        raise
    os.fsync(at)


def _names(at: int) -> list[str]:
    return os.listdir(at)


def _remove(at: int, name: str) -> None:
    with contextlib.suppress(OSError):  # somebody was faster, or has put a folder there
        os.unlink(name, dir_fd=at)


def _read(at: int, name: str, most: int) -> bytes | None:
    """A file that is plain and not too large; anybody may have put anything there."""
    try:
        with os.fdopen(os.open(name, FILE, dir_fd=at), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > most:
                return None
            return file.read(most)
    except OSError:
        return None


def _read_all(records: int) -> list[Version]:
    names = heapq.nlargest(2 * MOST_RECORDS, filter(ID.fullmatch, _names(records)))
    found = (_read_record(records, name) for name in names)
    return [one for one in found if one is not None]


def _read_record(records: int, number: str) -> Version | None:
    """The record with this id; None when it is damaged, or says what no record says."""
    if not ID.fullmatch(number):
        return None
    try:
        read = json.loads(_read(records, number, LONGEST_RECORD) or b"")
        one = Version(
            number,
            str(read["path"]),
            int(number.partition("-")[0]),
            [str(name) for name in read["editors"]][:MOST_EDITORS],
            str(read["reason"]),
            str(read["digest"]),
            int(read["size"]),
            int(read["stored"]),
        )
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None
    return one if DIGEST.fullmatch(one.digest) and min(one.size, one.stored) >= 0 else None


def _unpacked(contents: int, version: Version) -> bytes:
    packed = _read(contents, version.digest, LARGEST * 2)
    if packed is not None:
        with contextlib.suppress(zlib.error):
            content = zlib.decompressobj().decompress(packed, LARGEST)
            if hashlib.sha256(content).hexdigest() == version.digest:
                return content
    raise NoVersion("What was kept of this version is damaged.")
