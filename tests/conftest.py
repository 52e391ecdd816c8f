"""Databases, and the time, for tests. SQLite always; PostgreSQL under the marker ``postgres``."""

import os
import shutil
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

pytest_plugins = ["tests.postgres"]


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows, to copy."""
    path = tmp_path_factory.mktemp("empty") / "sophon.sqlite"
    engine = make_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    """A migrated PostgreSQL database; whoever writes to it for good empties it again."""
    engine = make_engine(postgres_url)
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(empty_sqlite: Path, tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "sophon.sqlite"
    shutil.copy(empty_sqlite, path)
    engine = make_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An empty database of each kind: a test that takes it runs on both."""
    engine = request.getfixturevalue(f"{request.param}_engine")
    yield engine
    if request.param == "postgres":
        with engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())


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
