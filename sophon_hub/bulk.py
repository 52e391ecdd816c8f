"""What commands share that take many lines, from a CSV file or not: all of them are done, or none.

Each line runs in a part of the transaction of its own, so that one that is refused says why and
the others are tried as well; what is kept is decided at the end. A `Task` may want otherwise.
"""

import argparse
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from sophon_hub.errors import Invalid, SophonError
from sophon_hub.settings import BadSetting
from sophon_hub.shell import NO, Lines, complete_files
from sophon_hub.store.engine import Session, transact

Row = dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """What becomes of one line of the file."""

    line: int
    name: str
    result: str
    problem: str | None = None


@dataclass(frozen=True)
class Task:
    """What is done with each line.

    ``key`` is the column that says what a line is about; ``begin`` gives, in the transaction,
    what does one line and says what became of it. With ``whole`` a refused line keeps all others
    from being done.
    """

    key: str
    begin: Callable[[Session], Callable[[Row], str]]
    whole: bool = True


class _Undo(Exception):
    """Nothing is to be kept; carries what would have become of each line."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


def add_file(parser: argparse.ArgumentParser, text: str) -> None:
    """The file with the lines, and how it is taken."""
    complete_files(parser.add_argument("file", metavar="FILE", type=Path, help=text))
    add_arguments(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How lines are taken, and told about."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(
    engine: Engine, chosen: argparse.Namespace, rows: Iterable[tuple[int, Row]], task: Task
) -> Lines:
    """Do all lines, or none when one is refused or nothing is to be done yet."""
    lines = list(rows)

    def work(session: Session) -> list[Outcome]:
        do = task.begin(session)
        outcomes = [_line(session, do, number, row[task.key], row) for number, row in lines]
        if chosen.dry_run or (task.whole and any(outcome.problem for outcome in outcomes)):
            raise _Undo(outcomes)
        return outcomes

    try:
        outcomes, done = transact(engine, work), True
    except _Undo as undo:
        outcomes, done = undo.outcomes, False
    refused = sum(outcome.problem is not None for outcome in outcomes)
    if chosen.json:
        told = [
            {
                "line": one.line,
                task.key: one.name,
                "result": one.result,
                "problem": one.problem,
            }
            for one in outcomes
        ]
        yield json.dumps({"done": done, "lines": told})
    else:
        for one in outcomes:
            yield f"line {one.line}: {one.name}: {one.problem or one.result}"
        yield _summary(len(outcomes), refused, whole=task.whole, done=done)
    return NO if refused else 0


def _summary(count: int, refused: int, *, whole: bool, done: bool) -> str:
    of_all = f"{refused} of {_lines(count)} {_are(refused)} refused"
    if refused and whole:
        return f"{of_all}, so nothing is changed."
    rest = count - refused
    said = f"{_lines(rest)} {_are(rest) if done else 'would be'} done."
    return f"{of_all}. {said}" if refused else said


def _lines(number: int) -> str:
    return "1 line" if number == 1 else f"{number} lines"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _line(session: Session, do: Callable[[Row], str], number: int, name: str, row: Row) -> Outcome:
    """One line, in a part of the transaction of its own."""
    try:
        with session.begin_nested():
            return Outcome(number, name, do(row))
    except Invalid as error:
        problem = " ".join(one.message for one in error.errors)
    except SophonError as error:
        problem = error.detail
    return Outcome(number, name, "refused", problem)


def read_table(
    path: Path, columns: tuple[str, ...], needed: frozenset[str]
) -> Iterator[tuple[int, Row]]:
    """The lines with their numbers; commas, semicolons or tabs, as spreadsheets write them.

    Raises:
        BadSetting: it is no such table.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path} cannot be read as UTF-8 text: {error}") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    named = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = named
    if not set(named) >= needed or set(named) - set(columns) or len(set(named)) < len(named):
        raise BadSetting(f"The first line of {path} has to name the columns: {', '.join(columns)}.")
    try:
        for row in reader:
            if None in row:
                raise BadSetting(f"Line {reader.line_num} of {path} has too many columns.")
            yield reader.line_num, {name: (row[name] or "").strip() for name in named}
    except csv.Error as error:
        raise BadSetting(f"Line {reader.line_num} of {path} cannot be read: {error}.") from None
