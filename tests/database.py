"""Looking at a database from outside: what is in it, and how often it was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import Session

from sophon_hub.models import AuditEvent, Base, Job


def contents(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    session.flush()
    return {
        table.name: [
            tuple(row) for row in session.execute(table.select().order_by(*table.primary_key))
        ]
        for table in Base.metadata.sorted_tables
    }


def events(session: Session) -> list[AuditEvent]:
    session.flush()
    return list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def actions(session: Session) -> list[str]:
    """What the audit trail says was done, oldest first."""
    return [event.action for event in events(session)]


def jobs(session: Session) -> list[tuple[str, str]]:
    """Kind and key of the jobs that wait, oldest first."""
    session.flush()
    return [(job.kind, job.key) for job in session.scalars(select(Job).order_by(Job.id))]


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Collects the SQL statements that are run meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


BLOCKED = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def wait_until_blocked(engine: Engine, thread: Thread) -> None:
    """Returns when a session of PostgreSQL waits for a lock, or the thread has ended without."""
    while thread.is_alive():
        with engine.connect() as connection:
            if connection.scalar(BLOCKED):
                return
        thread.join(0.01)
