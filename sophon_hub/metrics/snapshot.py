"""Numbers about everything in the database, whoever may see it: for Prometheus only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from sophon_hub.models import (
    Job,
    Lab,
    LabState,
    Person,
    ResearchGroup,
    ResearchProject,
    TemporaryState,
    Visibility,
    WorkerHeartbeat,
)
from sophon_hub.store.temporary import count_temporary

WITH_SERVER = [state for state in LabState if state.has_server]


@dataclass(frozen=True)
class Snapshot:
    """One moment. What is in the trash is left out, but for labs that have a server all the same.

    Attributes:
        jobs: how many jobs wait or are under way.
        failing_jobs: how many of them failed at the last attempt.
        oldest_job_seconds: age of the oldest one; 0 without any.
        worker_seen: seconds since the epoch at the worker's last sign of life; 0 for never.
        worker_repaired: the same for its last whole comparison with the Hub.
        jobs_done, jobs_failed: attempts of all workers so far.
        free_bytes: room on the disk of the homes; None when no worker has looked yet.
        temporary_labs: those for visitors, by state.
        visitors_waiting: browsers in the queue for one.
    """

    people: int
    groups: Mapping[str, int]
    projects: Mapping[str, int]
    labs: Mapping[str, int]
    jobs: int
    failing_jobs: int
    oldest_job_seconds: float
    worker_seen: float
    worker_repaired: float
    jobs_done: int
    jobs_failed: int
    free_bytes: int | None
    temporary_labs: Mapping[str, int]
    visitors_waiting: int


def take(session: Session, now: datetime) -> Snapshot:
    """Count everything, in eight statements however much there is."""
    jobs, failing, oldest = session.execute(
        select(
            func.count(),
            func.count().filter(Job.last_error != ""),
            func.min(Job.created_at),
        ).select_from(Job)
    ).one()
    worker = session.get(WorkerHeartbeat, 1)
    temporary = count_temporary(session)
    return Snapshot(
        people=session.scalar(select(func.count()).select_from(Person)) or 0,
        groups=_groups(session),
        projects=_projects(session),
        labs=_labs(session),
        jobs=jobs,
        failing_jobs=failing,
        oldest_job_seconds=max((now - oldest).total_seconds(), 0.0) if oldest else 0.0,
        worker_seen=worker.seen_at.timestamp() if worker else 0.0,
        worker_repaired=worker.repaired_at.timestamp() if worker and worker.repaired_at else 0.0,
        jobs_done=worker.jobs_done if worker else 0,
        jobs_failed=worker.jobs_failed if worker else 0,
        free_bytes=worker.free_bytes if worker else None,
        temporary_labs={str(state): getattr(temporary, state) for state in TemporaryState},
        visitors_waiting=temporary.waiting,
    )


def _groups(session: Session) -> dict[str, int]:
    counts = select(ResearchGroup.visibility, func.count()).where(
        ResearchGroup.deleted_at.is_(None)
    )
    rows = session.execute(counts.group_by(ResearchGroup.visibility)).all()
    return _each(Visibility, dict(rows))


def _projects(session: Session) -> dict[str, int]:
    counts = (
        select(ResearchProject.visibility, func.count())
        .join(ResearchGroup, ResearchProject.group_id == ResearchGroup.id)
        .where(_is_live_project())
    )
    rows = session.execute(counts.group_by(ResearchProject.visibility)).all()
    return _each(Visibility, dict(rows))


def _labs(session: Session) -> dict[str, int]:
    counts = (
        select(Lab.state, func.count())
        .join(ResearchProject, Lab.project_id == ResearchProject.id)
        .join(ResearchGroup, ResearchProject.group_id == ResearchGroup.id)
        .where(or_(Lab.state.in_(WITH_SERVER), and_(Lab.deleted_at.is_(None), _is_live_project())))
    )
    rows = session.execute(counts.group_by(Lab.state)).all()
    return _each(LabState, dict(rows))


def _is_live_project() -> ColumnElement[bool]:
    return and_(ResearchProject.deleted_at.is_(None), ResearchGroup.deleted_at.is_(None))


def _each(kinds: type[StrEnum], found: Mapping[Any, int]) -> dict[str, int]:
    """Zero is a number, too: a series that comes and goes cannot be drawn."""
    return {str(kind): found.get(kind, 0) for kind in kinds}
