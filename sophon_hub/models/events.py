"""Audit events: who did what, when, to what. Rows are only added, and each is bound to the last."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from sophon_hub.models.base import NEVER_AGAIN, Base
from sophon_hub.names import MAX_USERNAME
from sophon_hub.request_ids import LONGEST


class AuditEvent(Base):
    """One action by one actor.

    Subjects are kept as text and numbers without foreign keys: an event outlives what it is
    about. ``via`` says how it came: page, api, cli, system, or lab, where a lab says it;
    ``request_id`` by which request, run or job, if any. ``seq`` and ``digest`` are its place in
    the chain (`store.chain`), given when the transaction is committed.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_group_id", "group_id", "id"),
        Index("ix_audit_events_project_id", "project_id", "id"),
        Index("ix_audit_events_actor", "actor", "id"),
        Index("ix_audit_events_action", "action", "id"),
        NEVER_AGAIN,
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
    request_id: Mapped[str | None] = mapped_column(String(LONGEST))
    seq: Mapped[int | None] = mapped_column(unique=True)
    digest: Mapped[str | None] = mapped_column(String(64))


class AuditChain(Base):
    """Where the chain of events ends, and where it was cut: one row, locked by every writer.

    ``cut_seq`` is the number of the last event that was removed, 0 when none was, and
    ``cut_digest`` its digest: there the chain begins.
    """

    __tablename__ = "audit_chain"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    seq: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    cut_seq: Mapped[int]
    cut_digest: Mapped[str] = mapped_column(String(64))
