"""Databases, and the time, for tests. SQLite always; PostgreSQL under the marker ``postgres``."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sophon_hub import clock
from sophon_hub.models import Base
from sophon_hub.settings import PREFIX, Sophon
from sophon_hub.store import schema
from sophon_hub.store.engine import WRITE, make_engine
from tests.cast import Cast

pytest_plugins = ["tests.postgres"]

# the proxy that `npm ci` put into the checkout, for everything that starts a Hub
PROXY = Path(__file__).resolve().parents[1] / "node_modules" / ".bin"
os.environ["PATH"] = os.pathsep.join([str(PROXY), os.environ["PATH"]])


# Each kind of database is made once a session: an engine that has seen a statement before is
# three times as fast. Whoever has used it leaves it empty.


def _made(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    schema.upgrade(engine)
    yield engine
    engine.dispose()


def _emptied(engine: Engine) -> Iterator[Engine]:
    yield engine
    with engine.connect().execution_options(**{WRITE: True}) as connection, connection.begin():
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture(scope="session")
def shared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    yield from _made(f"sqlite:///{tmp_path_factory.mktemp('shared')}/sophon.sqlite")


@pytest.fixture(scope="session")
def shared_postgres(postgres_url: str) -> Iterator[Engine]:
    yield from _made(postgres_url)


@pytest.fixture
def sqlite_engine(shared_sqlite: Engine) -> Iterator[Engine]:
    """An empty SQLite database, for what only concerns it."""
    yield from _emptied(shared_sqlite)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An empty database of each kind: a test that takes it runs on both."""
    yield from _emptied(request.getfixturevalue(f"shared_{request.param}"))


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A writing session that is never committed."""
    with Session(engine.execution_options(**{WRITE: True})) as session:
        yield session


@pytest.fixture
def cast(session: Session) -> Cast:
    """Ada, Grace, Alan, Barbara and Root around one open, public group."""
    return Cast.enter(session)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sophon:
    """The default settings, whatever the environment says."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    return Sophon(data_dir=str(tmp_path))


class StoppedClock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2027, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    stopped = StoppedClock()
    monkeypatch.setattr(clock, "utcnow", stopped)
    return stopped
