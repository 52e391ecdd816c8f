"""Reads of audit events. The caller has been found to hold ``events:see``."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from sophon_hub.models import AuditEvent, MemberRole, ResearchGroup, ResearchProject
from sophon_hub.policy.actor import Actor, Standing
from sophon_hub.store.paging import Page, Paging, fetch_page
from sophon_hub.store.trash import Kind

MOST_NOTICES = 5
LOOKS = ("group:look", "project:look", "lab:look", "dataset:look")


def list_events(
    session: Session, actor: Actor, subject: ResearchGroup | ResearchProject, paging: Paging
) -> Page[AuditEvent]:
    """What happened in a research group or project, newest first.

    That administrators looked at something is for owners to know.
    """
    if isinstance(subject, ResearchGroup):
        group_id, here = subject.id, AuditEvent.group_id == subject.id
    else:
        group_id, here = subject.group_id, AuditEvent.project_id == subject.id
    query = select(AuditEvent).where(here)
    if actor.standing_in(group_id) < Standing.OWNER:
        query = query.where(AuditEvent.action.not_in(LOOKS))
    return fetch_page(
        session,
        query,
        AuditEvent.id,
        paging,
        lambda row: row[0],
        lambda event: event.id,
        newest_first=True,
    )


PASSED = ("group:pass", "group:deserted")
"""What became of groups whose last owner's account is gone; administrators are told, too."""


def list_notices(
    session: Session, actor: Actor, since: datetime, group_id: int | None = None
) -> Sequence[AuditEvent]:
    """What the hub did unasked in the actor's own groups, or in one of them; newest first.

    Deletions that were cancelled, and groups that passed to others: of these administrators hear
    wherever it was.
    """
    owned = AuditEvent.group_id.in_(sorted(actor.group_ids(MemberRole.OWNER)))
    cancelled = AuditEvent.action.in_([f"{kind}:delete-cancelled" for kind in Kind])
    passed = AuditEvent.action.in_(PASSED)
    told = or_(and_(cancelled, owned), passed if actor.is_admin else and_(passed, owned))
    query = select(AuditEvent).where(told, AuditEvent.at > since)
    if group_id is not None:
        query = query.where(AuditEvent.group_id == group_id)
    return session.scalars(query.order_by(AuditEvent.id.desc()).limit(MOST_NOTICES)).all()
