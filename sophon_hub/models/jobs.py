"""Jobs (the outbox of actions to the Hub), who does them, and answers kept for repetition."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from sophon_hub.models.base import NEVER_AGAIN, Base
from sophon_hub.names import MAX_USERNAME


class Job(Base):
    """Something the worker has to do at the Hub, written in the transaction that wants it.

    Jobs with the same ``key`` run one after the other in the order of their numbers. A job is
    leased, not taken: when the worker dies, the lease runs out and the job is done again, so
    every job must be safe to do twice.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_key", "key", "id"), NEVER_AGAIN)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(80))
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(Text, default="")


class WorkerHeartbeat(Base):
    """The worker's sign of life, what it has done, and what room it saw on the disk: one row."""

    __tablename__ = "worker_heartbeat"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    seen_at: Mapped[datetime]
    repaired_at: Mapped[datetime | None]
    jobs_done: Mapped[int] = mapped_column(BigInteger, default=0)
    jobs_failed: Mapped[int] = mapped_column(BigInteger, default=0)
    free_bytes: Mapped[int | None] = mapped_column(BigInteger)


class IdempotencyKey(Base):
    """The answer to a creation, so that the same request with the same key makes one object."""

    __tablename__ = "idempotency_keys"

    username: Mapped[str] = mapped_column(String(MAX_USERNAME), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    answer: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
