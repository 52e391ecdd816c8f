"""Audit events: who did what, when, to what. Rows are only ever added."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from sophon_hub.models.base import Base
from sophon_hub.names import MAX_USERNAME


class AuditEvent(Base):
    """One action by one actor.

    Subjects are kept as text and numbers without foreign keys: an event outlives what it is
    about. ``via`` says how it came: page, api, cli or system.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_group_id", "group_id", "id"),
        Index("ix_audit_events_project_id", "project_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str | None] = mapped_column(String(MAX_USERNAME))
    actor_id: Mapped[int | None]
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(200))
    group_id: Mapped[int | None]
    project_id: Mapped[int | None]
    detail: Mapped[dict[str, Any]]
    via: Mapped[str] = mapped_column(String(10))
