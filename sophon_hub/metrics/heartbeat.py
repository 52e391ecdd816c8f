"""How the worker says that it lives: one row, since it listens on no port that could be asked."""

from datetime import datetime

from sqlalchemy.orm import Session

from sophon_hub.models import WorkerHeartbeat


def beat(
    session: Session,
    *,
    now: datetime,
    repaired_at: datetime | None,
    done: int,
    failed: int,
    free_bytes: int | None = None,
) -> None:
    """Say that the worker lives.

    ``repaired_at`` is the end of its last whole comparison with the Hub, None when there was
    none yet; ``done`` and ``failed`` are the attempts at jobs since the last beat;
    ``free_bytes`` is the room on the disk of the homes, None when it did not look yet.
    """
    row = session.get(WorkerHeartbeat, 1, with_for_update=True)
    if row is None:
        row = WorkerHeartbeat(id=1, jobs_done=0, jobs_failed=0)
        session.add(row)
    row.seen_at = now
    row.repaired_at = repaired_at or row.repaired_at
    row.jobs_done += done
    row.jobs_failed += failed
    row.free_bytes = row.free_bytes if free_bytes is None else free_bytes
