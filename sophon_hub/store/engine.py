"""Engine, sessions and transactions.

Two kinds of transaction: `reading` and `writing`. On SQLite a writing transaction takes the
write lock at once (``BEGIN IMMEDIATE``), so that what an action reads to decide is still true
when it writes. On PostgreSQL actions lock the research group's row instead
(`store.groups.lock`).
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from sophon_hub.errors import Conflict, Unavailable

__all__ = ["Engine", "Session", "make_engine", "reading", "transact", "writing"]

T = TypeVar("T")

BUSY_SECONDS = 15
"""How long a writer waits for another process before it gives up."""

ATTEMPTS = 10
"""How often a transaction is run when another one gets in between."""

LOST_RACES = {"40001", "40P01"}
"""PostgreSQL's codes for a transaction given up for another: serialization, deadlock."""

UNIQUE_VIOLATION = "23505"
"""SQLSTATE of PostgreSQL for a duplicate."""

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
    # SQLite's own lower() knows the letters a to z only: nobody would find "Ärzte"
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session whose changes are thrown away, and which sees one moment whatever others write.

    Raises:
        Unavailable: the database does not answer.
    """
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    try:
        with Session(engine, autoflush=False) as session:
            yield session
    except OperationalError as error:
        raise Unavailable("The database does not answer; please try again.") from error


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session that commits at the end, or leaves nothing behind when something is raised."""
    with Session(engine.execution_options(**{WRITE: True})) as session, session.begin():
        yield session


def _is_duplicate(error: IntegrityError) -> bool:
    """Whether the database refused a row because there is one like it; else it is our fault."""
    state = getattr(error.orig, "sqlstate", None)
    return state == UNIQUE_VIOLATION or "UNIQUE constraint failed" in str(error.orig)


def transact(engine: Engine, work: Callable[[Session], T]) -> T:
    """Run ``work`` in one writing transaction and give its result.

    On PostgreSQL two transactions can both find a slug free; the database refuses the second,
    which is then run again and sees what the first one did.

    Raises:
        Conflict: others changed the same rows again and again.
        Unavailable: the database did not answer in time.
    """
    for _ in range(ATTEMPTS):
        try:
            with writing(engine) as session:
                return work(session)
        except IntegrityError as error:
            if not _is_duplicate(error):
                raise
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) in LOST_RACES:
                continue
            raise Unavailable("The database is busy; please try again.") from error
    raise Conflict("Somebody changed the same thing at the same moment; please try again.")
