"""Bring the database to the revision this version needs, or say that it is not there.

Migrations are part of the package, so no alembic.ini is needed: `alembic_config` is the one
configuration, for the command line and for tests.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ArgumentError, DatabaseError

from sophon_hub.settings import BadSetting
from sophon_hub.store.engine import make_engine

MIGRATIONS = Path(__file__).parent / "migrations"
HOW_TO = "run: sophon-hub migrate"


def open_database(url: str) -> Engine:
    """The engine for a database URL; `BadSetting` when the URL or its driver is not there."""
    try:
        return make_engine(url)
    except ImportError as error:
        raise BadSetting(
            f"The driver for database_url is missing ({error})."
            " For PostgreSQL run: pip install 'sophon-hub[postgres]'"
        ) from None
    except ArgumentError as error:
        raise BadSetting(f"database_url cannot be read: {error}") from None


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for a connection that is open already."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The revision that this version of the package works with."""
    return str(ScriptDirectory.from_config(alembic_config()).get_current_head())


def current(connection: Connection) -> str | None:
    """The revision the database is at; None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine) -> None:
    """Bring the database to `head`, in one transaction; nothing happens when it is there."""
    with _connected(engine) as connection, connection.begin():
        _refuse_unknown(current(connection))
        command.upgrade(alembic_config(connection), "head")


def check(engine: Engine) -> None:
    """Refuse a database that is not at `head`."""
    with _connected(engine) as connection:
        revision = current(connection)
    _refuse_unknown(revision)
    if revision is None:
        raise BadSetting(f"Sophon's database is empty; {HOW_TO}")
    if revision != head():
        raise BadSetting(
            f"Sophon's database is at revision {revision}, this version needs {head()};"
            f" make a copy of it and {HOW_TO}"
        )


def _connected(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except DatabaseError as error:
        why = " ".join(str(error.orig).split())
        raise BadSetting(
            f"Cannot open Sophon's database {engine.url.render_as_string()}: {why}"
        ) from None


def _refuse_unknown(revision: str | None) -> None:
    known = {
        script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()
    }
    if revision is not None and revision not in known:
        raise BadSetting(
            f"Sophon's database is at revision {revision}, which this version does not know."
            " It was written by a newer one: install that, or go back to a copy of the database."
        )
