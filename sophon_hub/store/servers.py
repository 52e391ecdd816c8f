"""What the worker writes down about servers and homes, of labs and personal labs alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from sophon_hub.models import Lab, LabState, PersonalLab

Kind = type[Lab] | type[PersonalLab]

_HOMES: tuple[tuple[Kind, Any], ...] = ((Lab, Lab.uid), (PersonalLab, PersonalLab.home_uid))
"""The column that names the home of each kind."""


def system_set_state(
    session: Session,
    kind: Kind,
    number: int,
    expected: LabState,
    state: LabState,
    *,
    progress: int = 0,
    message: str = "",
) -> bool:
    """Set a lab's state if it is still the expected one; says whether it was."""
    values: dict[str, object] = {"state": state, "progress": progress, "message": message}
    if not state.has_server:
        values |= {"started_with": None, "clean_up": False, "people": []}
        values |= {"busy": False, "stops_at": None}
    changed = session.scalar(
        update(kind)
        .where(kind.id == number, kind.state == expected)
        .values(values)
        .returning(kind.id)
    )
    return changed is not None


def system_set_usage(
    session: Session, kind: Kind, number: int, usage: tuple[int, int] | None, now: datetime
) -> None:
    """Write down what a home takes and what is in its trash, in bytes.

    None when it could not be found out: what was known is kept, and it is not tried again at
    once.
    """
    values: dict[str, object] = {"disk_measured_at": now}
    if usage is not None:
        values["disk_bytes"], values["trash_bytes"] = usage
    session.execute(update(kind).where(kind.id == number).values(values))


def system_unmeasured(session: Session, kind: Kind, before: datetime) -> Sequence[int]:
    """Numbers of the running labs whose homes were not measured since ``before``."""
    measured = kind.disk_measured_at
    query = select(kind.id).where(
        kind.state == LabState.RUNNING, or_(measured.is_(None), measured < before)
    )
    return session.scalars(query.order_by(kind.id)).all()


@dataclass(frozen=True)
class UsedHome:
    """The home of a lab that runs, and what it held when it was last measured, in bytes."""

    kind: Kind
    number: int
    uid: str
    disk_bytes: int


def system_used_homes(session: Session) -> Sequence[UsedHome]:
    """The homes of all labs that run, of projects and personal ones."""
    found: list[UsedHome] = []
    for kind, uid in _HOMES:
        query = select(kind.id, uid, kind.disk_bytes).where(kind.state == LabState.RUNNING)
        rows = session.execute(query.order_by(kind.id))
        found += [UsedHome(kind, number, home, size or 0) for number, home, size in rows if home]
    return found


def system_is_stopping(session: Session, home: str) -> bool:
    """Whether the lab with this home is being stopped."""
    queries = (
        select(kind.id).where(uid == home, kind.state == LabState.STOPPING) for kind, uid in _HOMES
    )
    return any(session.scalar(query) is not None for query in queries)


def system_forget_filled(session: Session) -> None:
    """The disk has room again: let labs start that were stopped because they were filling it."""
    for kind, _ in _HOMES:
        session.execute(update(kind).where(kind.filled_disk).values(filled_disk=False))


@dataclass(frozen=True)
class Home:
    """Where the files of a lab are, and the name of the image it is used with."""

    uid: str
    image: str | None


def system_home(session: Session, kind: Kind, number: int) -> Home | None:
    """The home of a lab; None when the lab is gone or has never been started."""
    uid = dict(_HOMES)[kind]
    found = session.execute(select(uid, kind.image).where(kind.id == number)).first()
    return Home(found[0], found[1]) if found and found[0] else None
