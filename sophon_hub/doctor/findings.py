"""What is found out: one line each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from sophon_hub.errors import SophonError


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``todo`` says what to do about it."""

    check: str
    state: State
    message: str
    todo: str = ""


def ok(check: str, message: str) -> Finding:
    """It is as it should be."""
    return Finding(check, State.OK, message)


def warning(check: str, message: str, todo: str = "") -> Finding:
    """A hub can run with it."""
    return Finding(check, State.WARNING, message, todo)


def error(check: str, message: str, todo: str = "") -> Finding:
    """A hub cannot run, or not as it should."""
    return Finding(check, State.ERROR, message, todo)


def trying(check: str, work: Callable[[], object], good: str, todo: str = "") -> Iterator[Finding]:
    """A check that raises a sentence when something is wrong."""
    try:
        work()
    except SophonError as problem:
        yield error(check, problem.detail, todo)
    else:
        yield ok(check, good)
