"""Reads of temporary labs, and the few writes that several processes share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from sophon_hub.models import Lab, PersonalLab, TemporaryLab, TemporaryState, TemporaryVisit

ABSENT = timedelta(seconds=45)
"""A browser that waits and was not seen for so long has gone away."""

TURNSTILE = 0x50_F0_4E
"""Number of PostgreSQL's lock: those who give or make labs pass one after the other."""


@dataclass(frozen=True)
class TemporaryCounts:
    """How many temporary labs there are in each state, and how many browsers wait for one."""

    starting: int
    ready: int
    claimed: int
    ending: int
    waiting: int

    @property
    def total(self) -> int:
        """All that count against the capacity."""
        return self.starting + self.ready + self.claimed + self.ending


def visit_digest(secret: str) -> str:
    """What is kept of the secret in a visitor's cookie."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def system_pass_turnstile(session: Session) -> None:
    """Be alone with the temporary labs until the transaction ends.

    On SQLite a writing transaction is that anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": TURNSTILE})


def find_lab_of_visit(session: Session, visit: str) -> TemporaryLab | None:
    """The lab that belongs to the browser with this digest, while the visit lasts."""
    claimed = TemporaryLab.state == TemporaryState.CLAIMED
    return session.scalar(select(TemporaryLab).where(TemporaryLab.visit == visit, claimed))


def system_visit(session: Session, visit: str) -> TemporaryVisit | None:
    """The place in the queue of the browser with this digest."""
    return session.scalar(select(TemporaryVisit).where(TemporaryVisit.visit == visit))


def find_place(session: Session, visit: str) -> int | None:
    """The place in the queue of the browser with this digest, from 1; None when it has none."""
    waiting = system_visit(session, visit)
    return None if waiting is None else system_waiting_before(session, waiting.id) + 1


def system_waiting_before(session: Session, number: int) -> int:
    """How many wait that came earlier than the place with this number."""
    return session.scalar(select(func.count()).where(TemporaryVisit.id < number)) or 0


def system_forget_absent(session: Session, now: datetime) -> None:
    """Take those out of the queue who have gone away."""
    session.execute(delete(TemporaryVisit).where(TemporaryVisit.seen_at < now - ABSENT))


def system_ready_labs(session: Session) -> Sequence[TemporaryLab]:
    """Labs that can be given away, the oldest first."""
    query = select(TemporaryLab).where(TemporaryLab.state == TemporaryState.READY)
    return session.scalars(query.order_by(TemporaryLab.made_at, TemporaryLab.name)).all()


def system_temporary_labs(session: Session) -> Sequence[TemporaryLab]:
    """All of them, the oldest first."""
    return session.scalars(
        select(TemporaryLab).order_by(TemporaryLab.made_at, TemporaryLab.name)
    ).all()


def system_keepers(
    session: Session,
) -> Sequence[tuple[TemporaryLab, Lab | PersonalLab | None]]:
    """Labs whose files somebody wants, with the lab that is to have them, if it is there."""
    own = PersonalLab.person_id == TemporaryLab.keeper_id
    query = (
        select(TemporaryLab, PersonalLab, Lab)
        .outerjoin(PersonalLab, own)
        .outerjoin(Lab, Lab.id == TemporaryLab.keep_lab_id)
        .where(TemporaryLab.keeper_id.is_not(None))
    )
    return [(row[0], row[2] or row[1]) for row in session.execute(query).all()]


def system_may_start(session: Session, username: str) -> bool:
    """Whether this hub user stands for a temporary lab whose server may be started."""
    lab = session.get(TemporaryLab, username)
    return lab is not None and lab.state is TemporaryState.STARTING


def count_temporary(session: Session) -> TemporaryCounts:
    """The numbers of this moment; they name nobody, so anybody may know them."""
    query = select(TemporaryLab.state, func.count()).group_by(TemporaryLab.state)
    found = {row[0]: row[1] for row in session.execute(query)}
    waiting = session.scalar(select(func.count()).select_from(TemporaryVisit)) or 0
    return TemporaryCounts(
        starting=found.get(TemporaryState.STARTING, 0),
        ready=found.get(TemporaryState.READY, 0),
        claimed=found.get(TemporaryState.CLAIMED, 0),
        ending=found.get(TemporaryState.ENDING, 0),
        waiting=waiting,
    )
