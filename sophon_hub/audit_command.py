"""``sophon-hub audit``: whether the audit trail is whole, and copies of it."""

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from sophon_hub.actions.events import prune_events
from sophon_hub.settings import BadSetting
from sophon_hub.shell import NO, SHELL, Lines, complete_files
from sophon_hub.store import chain
from sophon_hub.store.chain import Line, Link, Verdict
from sophon_hub.store.engine import Session, reading, transact


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands and what they take."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verify = verbs.add_parser("verify", help="Name the first event that was changed, if any.")
    verify.add_argument("--json", action="store_true", help="print one JSON object")
    verify.add_argument(
        "--noted",
        metavar="NUMBER:DIGEST",
        type=_link,
        help="an end of the trail that was printed earlier and kept elsewhere",
    )
    written = verify.add_argument(
        "--file", metavar="FILE", type=Path, help="look at what export or prune wrote instead"
    )
    complete_files(written)
    export = verbs.add_parser("export", help="Write events as JSON Lines, oldest first.")
    export.add_argument("--after", metavar="NUMBER", type=int, default=0, help="only later events")
    prune = verbs.add_parser(
        "prune", help="Move the oldest events into a file; the rest can still be verified."
    )
    prune.add_argument(
        "--before", metavar="DATE", type=_day, required=True, help="such as 2027-01-31"
    )
    archive = prune.add_argument(
        "--archive", metavar="FILE", type=Path, required=True, help="a new file for them"
    )
    complete_files(archive)


def _link(text: str) -> Link:
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != len(chain.START):
        raise argparse.ArgumentTypeError("give it as verify printed it, NUMBER:DIGEST")
    return Link(int(number), digest)


def _day(text: str) -> datetime:
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("give a day such as 2027-01-31") from None
    return day if day.tzinfo else day.replace(tzinfo=UTC)


def run(engine: Engine, chosen: argparse.Namespace) -> Lines:
    """Do it; lines for the person who asked, and the exit status.

    Raises:
        BadSetting: a file cannot be read or written.
    """
    if chosen.verb == "verify":
        return (yield from _verify(engine, chosen))
    if chosen.verb == "export":
        with reading(engine) as session:
            yield from _texts(chain.system_lines(session, after=chosen.after))
    else:
        yield from _prune(engine, chosen.before, chosen.archive)
    return 0


def _texts(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        yield json.dumps(line, ensure_ascii=False, sort_keys=True)


def _verify(engine: Engine, chosen: argparse.Namespace) -> Lines:
    if chosen.file is not None:
        verdict = _verify_file(chosen.file, chosen.noted)
    else:
        with reading(engine) as session:
            verdict = chain.system_verify(session, chosen.noted)
    last = f"{verdict.last.seq}:{verdict.last.digest}"
    if chosen.json:
        yield json.dumps(
            {
                "whole": verdict.problem is None,
                "count": verdict.count,
                "last": last,
                "problem": verdict.problem,
            }
        )
    elif verdict.problem is None:
        yield f"{verdict.count} events, and none was changed. To notice a rewritten trail, keep:"
        yield last
    else:
        yield f"{verdict.problem} The {verdict.count} events before it are as they were written."
    return 0 if verdict.problem is None else NO


def _verify_file(path: Path, noted: Link | None) -> Verdict:
    """A part of the trail: of its first event only the number tells where it belongs."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = (json.loads(line) for line in file)
            first = next(lines, None)
            if first is None:
                return Verdict(0, Link())
            if first["seq"] == 1:
                return chain.check_lines(_chained(first, lines), Link(), noted)
            return chain.check_lines(lines, Link(first["seq"], first["digest"]), noted)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadSetting(f"{path} cannot be read as exported events: {error}") from None


def _chained(first: Line, rest: Iterable[Line]) -> Iterator[Line]:
    yield first
    yield from rest


def _prune(engine: Engine, before: datetime, archive: Path) -> Iterator[str]:
    with reading(engine) as session:
        verdict = chain.system_verify(session)
        if verdict.problem is not None:
            raise BadSetting(f"The trail is not whole, so nothing is removed. {verdict.problem}")
        last = chain.system_last_before(session, before)
        if last is None:
            yield f"There are no events from before {before:%Y-%m-%d}."
            return
        _write_archive(archive, _texts(chain.system_lines(session, until=last.seq)))

    def cut(session: Session) -> int:
        return prune_events(session, SHELL, last)

    yield f"{transact(engine, cut)} events are in {archive} and no longer in the database."


def _write_archive(path: Path, texts: Iterable[str]) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.writelines(f"{text}\n" for text in texts)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BadSetting(f"The archive {path} cannot be written: {error.strerror}.") from None
