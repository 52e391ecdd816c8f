"""The outbox: what actions want done at the Hub, and how the worker takes it.

`enqueue` writes a job in the transaction of the action. `lease` gives the oldest due job of
each key to one worker for a while; `finish` and `fail` end the lease. A worker that dies
leaves its lease to run out.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from sophon_hub import clock
from sophon_hub.models import Job

LEASE = timedelta(seconds=8)
"""How long a job of a worker that died stays taken; a living worker renews its leases."""

RETRY_SECONDS = (1, 2, 5, 10, 30, 60)
"""Waits after the first, second, ... failure; the last one is kept."""


def enqueue(session: Session, kind: str, key: str, **payload: Any) -> None:
    """Add a job; the same one waiting already, not yet begun, is enough.

    The one that waits is locked until this transaction ends, so that no worker begins it before
    the change that wants it can be seen; if it is locked, somebody is about to begin it.
    """
    now = clock.utcnow()
    last_id = select(func.max(Job.id)).where(Job.key == key).scalar_subquery()
    last = session.scalar(
        select(Job)
        .where(Job.id == last_id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if last and (last.kind, last.payload, last.leased_until) == (kind, payload, None):
        return
    session.add(Job(kind=kind, key=key, payload=payload, created_at=now, due_at=now))


def lease(session: Session, *, limit: int, now: datetime) -> Sequence[Job]:
    """Take due jobs, at most one a key and the oldest of it first.

    Safe with several workers: a row is taken by a conditional update.
    """
    free = or_(Job.leased_until.is_(None), Job.leased_until < now)
    earlier = aliased(Job)
    is_first = ~select(earlier.id).where(earlier.key == Job.key, earlier.id < Job.id).exists()
    candidates = session.scalars(
        select(Job).where(Job.due_at <= now, free, is_first).order_by(Job.id).limit(limit)
    ).all()
    taken = []
    for job in candidates:
        claim = (
            update(Job)
            .where(and_(Job.id == job.id, free))
            .values(leased_until=now + LEASE, attempts=Job.attempts + 1)
        )
        if session.execute(claim).rowcount:  # type: ignore[attr-defined]
            taken.append(job)
    return taken


def finish(session: Session, job_id: int) -> None:
    """The job is done: forget it."""
    session.execute(delete(Job).where(Job.id == job_id))


def fail(session: Session, job_id: int, error: str, *, attempt: int, now: datetime) -> None:
    """The job did not work: try again later, and say why meanwhile.

    ``attempt`` is the number the job was leased with: a worker whose lease ran out has no say
    about a job that another one does by now.
    """
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or job.attempts != attempt:
        return
    wait = RETRY_SECONDS[min(job.attempts, len(RETRY_SECONDS)) - 1]
    job.leased_until = None
    job.due_at = now + timedelta(seconds=wait)
    job.last_error = error


def renew(session: Session, job_ids: Collection[int], *, now: datetime) -> None:
    """Keep the leases of jobs that are still under way."""
    session.execute(update(Job).where(Job.id.in_(job_ids)).values(leased_until=now + LEASE))


def is_any_due(session: Session, now: datetime) -> bool:
    """Whether it is worth taking the write lock to lease a job."""
    free = or_(Job.leased_until.is_(None), Job.leased_until < now)
    return session.scalar(select(Job.id).where(Job.due_at <= now, free).limit(1)) is not None


def is_waiting(session: Session, key: str) -> bool:
    """Whether any job of this key waits or is under way."""
    return session.scalar(select(Job.id).where(Job.key == key).limit(1)) is not None
