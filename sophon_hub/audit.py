"""The audit trail: one event an action, written in the action's own transaction.

The last thing a transaction does is to append its events to the chain of all events: the lock
that this takes is held for no longer than the commit, and nobody waits for another lock with it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from sophon_hub import clock
from sophon_hub.models import (
    AuditEvent,
    Dataset,
    Lab,
    Person,
    PersonalLab,
    ResearchGroup,
    ResearchProject,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.store import chain

SUBJECT_LENGTH = 200
UNSEALED = "sophon_unsealed_events"


@dataclass(frozen=True)
class Where:
    """What an event is about, by the name it had, with the numbers of its group and project."""

    name: str
    group_id: int | None = None
    project_id: int | None = None


Subject = ResearchGroup | ResearchProject | Lab | PersonalLab | Dataset | Person | Where | None


def where_of(subject: Subject, actor: Actor) -> Where:
    """What events about this subject, and by this actor, are filed under."""
    if isinstance(subject, Where):
        return subject
    if isinstance(subject, ResearchGroup):
        return Where(subject.slug, subject.id)
    if isinstance(subject, ResearchProject):
        return Where(subject.slug, subject.group_id, subject.id)
    if isinstance(subject, Lab):
        name = f"{subject.project.slug}/{subject.slug}"
        return Where(name, subject.project.group_id, subject.project_id)
    if isinstance(subject, Dataset):
        return Where(subject.slug, subject.group_id)
    name = "instance" if subject is None else (actor.username or "")[:SUBJECT_LENGTH]
    return Where(subject.username if isinstance(subject, Person) else name)


def record(
    session: Session, actor: Actor, action: str, subject: Subject, **detail: Any
) -> AuditEvent:
    """Write down that the actor did this.

    Args:
        session: the transaction of the action itself.
        actor: who.
        action: ``noun:verb``, past the permission it took.
        subject: on what; None for the hub itself. A personal lab has the name of its owner.
        detail: what changed, as JSON values.
    """
    where = where_of(subject, actor)
    row = AuditEvent(
        at=clock.utcnow(),
        actor=actor.username,
        actor_id=actor.person_id,
        action=action,
        subject=where.name,
        group_id=where.group_id,
        project_id=where.project_id,
        detail=detail,
        via=actor.via,
        request_id=actor.request_id,
    )
    session.add(row)
    if UNSEALED not in session.info:
        session.info[UNSEALED] = []
        event.listen(session, "before_commit", _seal)
    session.info[UNSEALED].append(row)
    return row


def _seal(session: Session) -> None:
    """Everything else is written first: who holds the end of the chain waits for no other lock."""
    session.flush()
    # those that are not in the session any more were rolled back
    kept = [row for row in session.info[UNSEALED] if row in session]
    session.info[UNSEALED].clear()
    if kept:
        chain.seal(session, kept)


WINDOW = timedelta(minutes=1)
EACH = 5
"""Refusals of one known person written down in a minute; so many, too, of all others."""
ALTOGETHER = 30
"""Refusals written down in a minute, whoever was refused."""


class EventBudget:
    """Keeps strangers from filling the table of events: more refusals are only counted.

    By name and not by address, which whoever sends the request can make up.
    """

    def __init__(self) -> None:
        self._since = datetime.min.replace(tzinfo=clock.utcnow().tzinfo)
        self._used: dict[str | None, int] = {}
        self._skipped = 0

    def take(self, name: str | None) -> int | None:
        """None when there is no room for another event now, else how many had none before it.

        Args:
            name: of a known person; None for all others together.
        """
        now = clock.utcnow()
        if now - self._since >= WINDOW:
            self._since, self._used = now, {}
        used = self._used.get(name, 0)
        if used >= EACH or sum(self._used.values()) >= ALTOGETHER:
            self._skipped += 1
            return None
        self._used[name] = used + 1
        skipped, self._skipped = self._skipped, 0
        return skipped
