"""``sophon-hub members``: many people of a research group at once, from a CSV file."""

import argparse
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Engine

from sophon_hub.actions.forms import MemberSettings
from sophon_hub.actions.members import remove_member, set_member
from sophon_hub.clock import utcnow
from sophon_hub.errors import Invalid, NotFound, SophonError
from sophon_hub.models import MembershipSource, ResearchGroup
from sophon_hub.settings import BadSetting
from sophon_hub.shell import NO, SHELL, Lines, complete_files, thing_at
from sophon_hub.store.engine import Session, transact
from sophon_hub.store.groups import find_membership
from sophon_hub.store.people import find_person

COLUMNS = ("username", "role", "expires_at")
NEEDED = {"username", "role"}
REMOVE = "remove"


@dataclass(frozen=True)
class Outcome:
    """What becomes of one line of the file."""

    line: int
    username: str
    result: str
    problem: str | None = None


class _Undo(Exception):
    """Nothing is to be kept; carries what would have become of each line."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("group", metavar="GROUP", help="slug of a research group")
    file = parser.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help=f"CSV with the columns {', '.join(COLUMNS)}; the last one may be left out or empty,"
        f" and the role {REMOVE} takes somebody out",
    )
    complete_files(file)
    parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(engine: Engine, chosen: argparse.Namespace) -> Lines:
    """Do it: all lines, or none when one is refused."""
    rows = list(_read(chosen.file))

    def work(session: Session) -> list[Outcome]:
        group = thing_at(session, f"groups/{chosen.group}")
        if not isinstance(group, ResearchGroup):
            raise BadSetting(f"{chosen.group} is no research group.")
        outcomes = [_line(session, group, number, row) for number, row in rows]
        if chosen.dry_run or any(outcome.problem for outcome in outcomes):
            raise _Undo(outcomes)
        return outcomes

    try:
        outcomes, done = transact(engine, work), True
    except _Undo as undo:
        outcomes, done = undo.outcomes, False
    refused = sum(outcome.problem is not None for outcome in outcomes)
    if chosen.json:
        yield json.dumps({"done": done, "lines": [asdict(outcome) for outcome in outcomes]})
    else:
        for one in outcomes:
            yield f"line {one.line}: {one.username}: {one.problem or one.result}"
        yield _summary(len(outcomes), refused, done=done)
    return NO if refused else 0


def _summary(count: int, refused: int, *, done: bool) -> str:
    if refused:
        return f"{refused} of {count} lines are refused, so nothing is changed."
    return f"{count} lines are done." if done else f"{count} lines would be done."


def _read(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines with their numbers; commas, semicolons or tabs, as spreadsheets write them."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path} cannot be read as UTF-8 text: {error}") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    if (
        not set(columns) >= NEEDED
        or set(columns) - set(COLUMNS)
        or len(set(columns)) < len(columns)
    ):
        raise BadSetting(f"The first line of {path} has to name the columns: {', '.join(COLUMNS)}.")
    try:
        for row in reader:
            if None in row:
                raise BadSetting(f"Line {reader.line_num} of {path} has too many columns.")
            yield reader.line_num, {name: (row[name] or "").strip() for name in columns}
    except csv.Error as error:
        raise BadSetting(f"Line {reader.line_num} of {path} cannot be read: {error}.") from None


def _line(session: Session, group: ResearchGroup, number: int, row: dict[str, str]) -> Outcome:
    """One line, in a part of the transaction of its own."""
    username = row["username"]
    try:
        with session.begin_nested():
            return Outcome(number, username, _apply(session, group, username, row))
    except NotFound:
        problem = f"{username} does not belong to the group."
    except Invalid as error:
        problem = " ".join(one.message for one in error.errors)
    except SophonError as error:
        problem = error.detail
    return Outcome(number, username, "refused", problem)


def _apply(session: Session, group: ResearchGroup, username: str, row: dict[str, str]) -> str:
    if row["role"] == REMOVE:
        remove_member(session, SHELL, group, username)
        return "removed"
    form = MemberSettings.read({"role": row["role"], "expires_at": row.get("expires_at") or None})
    person = find_person(session, username)
    now = person and find_membership(session, group, person.id, utcnow())
    settled = now and (now.role, now.expires_at) == (form.role, form.expires_at)
    if now and settled and now.source is MembershipSource.PERSON:
        return "unchanged"
    _, is_new = set_member(session, SHELL, group, username, form)
    return f"{'added' if is_new else 'changed'}, {form.role}"
