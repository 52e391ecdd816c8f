"""Reads of audit events. The caller has been found to hold ``events:see``."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from sophon_hub.models import AuditEvent, MemberRole, ResearchGroup, ResearchProject
from sophon_hub.policy.actor import Actor
from sophon_hub.store.paging import Page, Paging, fetch_page
from sophon_hub.store.trash import Kind

MOST_NOTICES = 5


def list_events(
    session: Session, subject: ResearchGroup | ResearchProject, paging: Paging
) -> Page[AuditEvent]:
    """What happened in a research group or project, newest first."""
    column = AuditEvent.group_id if isinstance(subject, ResearchGroup) else AuditEvent.project_id
    return fetch_page(
        session,
        select(AuditEvent).where(column == subject.id),
        AuditEvent.id,
        paging,
        lambda row: row[0],
        lambda event: event.id,
        newest_first=True,
    )


def list_cancelled(
    session: Session, actor: Actor, since: datetime, group_id: int | None = None
) -> Sequence[AuditEvent]:
    """Deletions in the actor's own groups, or in one of them, that were cancelled; newest first."""
    owned = actor.group_ids(MemberRole.OWNER)
    if group_id is not None:
        owned &= {group_id}
    if not owned:
        return []
    query = select(AuditEvent).where(
        AuditEvent.group_id.in_(sorted(owned)),
        AuditEvent.action.in_([f"{kind}:delete-cancelled" for kind in Kind]),
        AuditEvent.at > since,
    )
    return session.scalars(query.order_by(AuditEvent.id.desc()).limit(MOST_NOTICES)).all()
