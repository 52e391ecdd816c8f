"""The audit trail: one event an action, written in the action's own transaction.

The last thing a transaction does is to append its events to the chain of all events: the lock
that this takes is held for no longer than the commit, and nobody waits for another lock with it.
"""

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

Subject = ResearchGroup | ResearchProject | Lab | PersonalLab | Dataset | Person | None


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
    group_id = project_id = None
    name = "instance"
    if isinstance(subject, ResearchGroup):
        group_id, name = subject.id, subject.slug
    elif isinstance(subject, ResearchProject):
        group_id, project_id, name = subject.group_id, subject.id, subject.slug
    elif isinstance(subject, Lab):
        group_id, project_id = subject.project.group_id, subject.project_id
        name = f"{subject.project.slug}/{subject.slug}"
    elif isinstance(subject, Dataset):
        group_id, name = subject.group_id, subject.slug
    elif isinstance(subject, PersonalLab):
        name = (actor.username or "")[:SUBJECT_LENGTH]
    elif isinstance(subject, Person):
        name = subject.username
    row = AuditEvent(
        at=clock.utcnow(),
        actor=actor.username,
        actor_id=actor.person_id,
        action=action,
        subject=name,
        group_id=group_id,
        project_id=project_id,
        detail=detail,
        via=actor.via,
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
