"""A PostgreSQL server of our own for tests that run on both databases.

Debian's server programs, started once a session as a user that is not root, on a socket in a
temporary directory and nowhere else. `tests/conftest.py` makes the fixtures known everywhere:

- ``postgres_url``: one database for the session; whoever writes to it for good empties it.
- ``fresh_postgres_url``: an empty database of the test's own.
- ``any_database_url``: the same, but the test runs twice: on SQLite and on PostgreSQL.
"""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

NUMBERS = itertools.count(1)
ENCODING = ("-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
NOT_DURABLE = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


def programs() -> Path:
    """Directory of the newest installed server's programs."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    if not found:
        pytest.fail("PostgreSQL's server is not installed; run: deploy/setup/postgres.sh")
    return found[-1].parent


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Socket directory of a running server."""
    with ExitStack() as stack:
        # not below pytest's own directory: another user has to reach it
        directory = Path(tempfile.mkdtemp(prefix="sophon-pg-"))
        stack.callback(shutil.rmtree, directory)
        user = None
        if os.geteuid() == 0:  # which the server refuses to run as
            user = "nobody"
            os.chown(directory, pwd.getpwnam(user).pw_uid, -1)
        data = directory / "data"
        subprocess.run(
            [programs() / "initdb", "-D", data, "-U", "sophon", "-A", "trust", *ENCODING],
            check=True,
            user=user,
            cwd=directory,
            stdout=subprocess.DEVNULL,
        )
        control = [programs() / "pg_ctl", "-D", data, "-w", "-s"]
        options = f"-k {directory} -h '' {' '.join(NOT_DURABLE)}"
        subprocess.run(
            [*control, "-l", directory / "log", "-o", options, "start"],
            check=True,
            user=user,
            cwd=directory,
        )
        stack.callback(
            subprocess.run,
            [*control, "-m", "immediate", "stop"],
            check=True,
            user=user,
            cwd=directory,
        )
        yield str(directory)


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """URL of a fresh database, dropped at the end."""
    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(
        host=server, user="sophon", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"postgresql+psycopg://sophon@/{name}?host={server}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str) -> Iterator[str]:
    """SQLAlchemy URL of a database that all tests of the session share."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture
def fresh_postgres_url(postgres_server: str) -> Iterator[str]:
    """SQLAlchemy URL of an empty database of the test's own."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of the test's own, of either kind: the test runs twice."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.sqlite"
    return str(request.getfixturevalue("fresh_postgres_url"))
