"""Engine, sessions and transactions.

Two kinds of transaction: `reading` and `writing`. On SQLite a writing transaction takes the
write lock at once (``BEGIN IMMEDIATE``), so that what an action reads to decide is still true
when it writes. On PostgreSQL actions lock the research group's row instead
(`store.groups.lock`).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session

BUSY_SECONDS = 15
"""How long a writer waits for another process before it gives up."""

WRITE = "sophon_write"


def make_engine(url: str) -> Engine:
    """An engine for one process; SQLite in WAL mode with foreign keys on."""
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # the driver must not begin transactions by itself: it would begin them DEFERRED
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session whose changes are thrown away."""
    with Session(engine, autoflush=False) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session that commits at the end, or leaves nothing behind when something is raised."""
    with Session(engine.execution_options(**{WRITE: True})) as session, session.begin():
        yield session
