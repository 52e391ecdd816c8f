"""Reads of audit events. The caller has been found to hold ``events:see``."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from sophon_hub.models import AuditEvent, ResearchGroup, ResearchProject
from sophon_hub.store.paging import Page, Paging, fetch_page


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
