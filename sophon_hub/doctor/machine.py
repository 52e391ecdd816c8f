"""What has to be there before a hub starts: settings, files, databases, engine, disk, clock."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from jupyterhub.orm import DatabaseSchemaMismatch, check_db_revision
from sqlalchemy import Engine, create_engine, inspect, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError

from sophon_hub import clock
from sophon_hub.amounts import parse_bytes
from sophon_hub.doctor.findings import Finding, error, ok, trying, warning
from sophon_hub.models import AuditEvent
from sophon_hub.secret_files import require_private
from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.spawner.engine_state import EngineState
from sophon_hub.store import schema
from sophon_hub.store.engine import reading
from sophon_hub.volumes.helper import VolumeTrouble

SECRETS = (
    "cookie-secret",
    "portal-cookie-secret",
    "portal-token",
    "worker-token",
    "proxy-token",
    "lab-message-key",
)
SKEW = timedelta(seconds=5)
LITTLE = 2
"""So many times the floor of the disk is little room already."""


def files(settings: Sophon) -> Iterator[Finding]:
    """The data directory, and who reads the secrets in it."""
    data = settings.data_path
    if not data.is_dir():
        yield warning("data directory", f"{data} is not there yet.", "The first start makes it.")
        return
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield error(
            "data directory",
            f"This account cannot write to {data}.",
            "Run this as the account of the hub, or give it the directory: chown -R.",
        )
        return
    if data.stat().st_mode & 0o077:
        todo = f"Run: chmod 700 {data}"
        yield error("data directory", f"Others on this machine can get into {data}.", todo)
    else:
        yield ok("data directory", f"{data} is the hub's own.")
    found = [data / name for name in SECRETS if (data / name).exists()]
    named = (settings.accounts_file, settings.proxy_secret_file, settings.environment_file)
    for path in (*found, *(Path(name) for name in named if name)):
        yield from _secret(path)
    if not found:
        yield warning("secrets", "There are none yet.", "The first start makes them.")


def _secret(path: Path) -> Iterator[Finding]:
    check = f"secret {path.name}"
    try:
        require_private(path)
        if not path.read_text(encoding="utf-8").strip():
            yield error(
                check, f"{path} is empty.", "Remove it, and the next start makes a new one."
            )
            return
    except BadSetting as problem:
        yield error(check, problem.detail)
    except OSError as problem:
        yield error(check, f"{path} cannot be read: {problem.strerror}.")
    else:
        yield ok(check, "It is there, and nobody else reads it.")


def databases(settings: Sophon) -> Iterator[Finding]:
    """Whether both databases can be opened, and are at the revisions that are needed."""
    check = "database of Sophon"
    if _is_missing(settings.database_url):
        yield warning(check, "It is not there yet.", "Run: sophon-hub migrate")
    else:
        yield from trying(
            check,
            lambda: _opened(settings.database_url, schema.check),
            f"It is at revision {schema.head()}.",
            "Look at SOPHON_DATABASE_URL, or go back to a copy.",
        )
    check = "database of the Hub"
    if _is_missing(settings.hub_database_url):
        yield warning(check, "It is not there yet.", "The first start makes it.")
        return
    try:
        engine = create_engine(settings.hub_database_url)
        try:
            if not inspect(engine).has_table("alembic_version"):
                # the check of JupyterHub would write into an empty one
                yield warning(check, "It is empty.", "The first start makes its tables.")
                return
            check_db_revision(engine)
        finally:
            engine.dispose()
    except DatabaseSchemaMismatch:
        yield warning(
            check, "It is of an older JupyterHub.", "The next start makes a copy and upgrades it."
        )
    except (SQLAlchemyError, ImportError) as problem:
        why = " ".join(str(problem).split("\n")[0].split())
        yield error(check, f"It cannot be opened: {why}", "Look at SOPHON_HUB_DATABASE_URL.")
    else:
        yield ok(check, "It is at the revision of this JupyterHub.")


def _is_missing(url: str) -> bool:
    """Whether it is a file of SQLite that nobody made yet; looking would make it."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        return False
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return False
    return parsed.database != ":memory:" and not Path(parsed.database).exists()


def _opened(url: str, work: Callable[[Engine], None]) -> None:
    engine = schema.open_database(url)
    try:
        work(engine)
    finally:
        engine.dispose()


def engine(settings: Sophon, look: Callable[[Sophon], EngineState]) -> Iterator[Finding]:
    """Whether the Docker engine answers, has the images, and goes by the same clock."""
    if settings.spawner == "process":
        yield ok("Docker engine", "None is needed: labs are plain processes.")
        return
    try:
        state = look(settings)
    except VolumeTrouble as problem:
        yield error(
            "Docker engine",
            f"No Docker engine answers: {problem}",
            "Start it (systemctl start docker), give the hub's account the group docker, or let"
            " DOCKER_HOST name another one.",
        )
        return
    yield ok("Docker engine", f"Version {state.version} answers.")
    for reference in state.missing:
        todo = f"Build it with: make images, or get it with: docker pull {reference}"
        yield error(f"image {reference}", "The engine does not have it.", todo)
    if not state.missing:
        yield ok("images", f"The engine has all: {', '.join(state.there)}.")
    yield from _same_time("clock of the engine", state.at)


def disk(settings: Sophon, free_of_homes: Callable[[Sophon], int]) -> Iterator[Finding]:
    """How much room there is for databases, and for homes."""
    floor = parse_bytes(settings.disk_floor)
    data = settings.data_path
    if data.is_dir():
        yield _room("disk of the databases", shutil.disk_usage(data).free, floor)
    if settings.spawner == "process":
        return  # homes are in the same directory
    try:
        yield _room("disk of the homes", free_of_homes(settings), floor)
    except VolumeTrouble as problem:
        yield warning("disk of the homes", f"It cannot be looked at: {problem}")


def _room(check: str, free: int, floor: int) -> Finding:
    said = f"{free / 1024**3:.1f} GiB are free."
    if free < floor:
        todo = "Make room: running labs are being stopped below SOPHON_DISK_FLOOR."
        return error(check, said, todo)
    if free < LITTLE * floor:
        return warning(check, said, "Make room before SOPHON_DISK_FLOOR is reached.")
    return ok(check, said)


def clocks(settings: Sophon) -> Iterator[Finding]:
    """Whether the clock was set back, and whether the database's server goes by another one."""
    if _is_missing(settings.database_url):
        return
    try:
        engine = schema.open_database(settings.database_url)
        schema.check(engine)
    except BadSetting:
        return  # said already
    with reading(engine) as session:
        last = session.scalar(select(AuditEvent.at).order_by(AuditEvent.id.desc()).limit(1))
        if engine.dialect.name == "postgresql":
            now = session.scalar(select(text("now()")))
            yield from _same_time("clock of the database", now)
    engine.dispose()
    if last is not None and last > clock.utcnow() + SKEW:
        yield error(
            "clock",
            f"It was set back: the last event is of {clock.rfc3339(last)}.",
            "Set the clock of this machine right, and let it follow the network's.",
        )
    else:
        yield ok("clock", f"It is {clock.rfc3339(clock.utcnow())}.")


def _same_time(check: str, other: datetime) -> Iterator[Finding]:
    away = abs(clock.utcnow() - other)
    if away > SKEW:
        said = f"It is {away.total_seconds():.0f} seconds away from the clock of this machine."
        yield error(check, said, "Let both machines follow the network's time (chrony, ntpd).")
    else:
        yield ok(check, "It goes with the clock of this machine.")


def settings_hold(work: Callable[[], None]) -> Iterator[Finding]:
    """Whether a hub would start with these settings."""
    yield from trying("settings", work, "A hub starts with them.")
