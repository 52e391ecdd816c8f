"""The audit trail: one event an action, written in the action's own transaction."""

from typing import Any

from sqlalchemy.orm import Session

from sophon_hub import clock
from sophon_hub.models import AuditEvent, Lab, Person, ResearchGroup, ResearchProject
from sophon_hub.policy.actor import Actor

Subject = ResearchGroup | ResearchProject | Lab | Person | None


def record(
    session: Session, actor: Actor, action: str, subject: Subject, **detail: Any
) -> AuditEvent:
    """Write down that the actor did this.

    Args:
        session: the transaction of the action itself.
        actor: who.
        action: ``noun:verb``, past the permission it took.
        subject: on what; None for the hub itself.
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
    elif isinstance(subject, Person):
        name = subject.username
    event = AuditEvent(
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
    session.add(event)
    return event
