"""How long it takes to verify 100,000 audit events, from a shell, and to write one."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sophon_hub import audit, request_ids
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import PREFIX
from sophon_hub.store import schema
from sophon_hub.store.engine import make_engine, transact, writing
from tests.bench.portal import postgres
from tests.bench.report import Report, Target
from tests.postgres import new_database

EVENTS = 100_000
IN_A_TRANSACTION = 1_000
RUNS = 5
SINGLE = 200
ACTOR = Actor(person_id=1, username="ada", via="api", request_id=request_ids.new())

VERIFY = Target("max", 10)


def measure(report: Report) -> None:
    """Fill a database of each kind, and verify it in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="sophon-bench-") as directory:
        _measure(report, "sqlite", f"sqlite:///{directory}/sophon.sqlite", Path(directory))
        if report.with_postgres:
            with postgres() as server, new_database(server) as url:
                _measure(report, "postgresql", url, Path(directory))


def _measure(report: Report, kind: str, url: str, directory: Path) -> None:
    engine = make_engine(url)
    schema.upgrade(engine)
    report.say(f"writing {EVENTS} events to {kind}")
    for _ in range(0, EVENTS, IN_A_TRANSACTION):
        with writing(engine) as session:
            for number in range(IN_A_TRANSACTION):
                _record(session, number)
    report.add(f"verify.{kind}", "s", [_verify(url, directory) for _ in range(RUNS)], VERIFY)
    report.add(f"append.{kind}", "ms", [_append(engine) for _ in range(SINGLE)])
    engine.dispose()


def _record(session: Session, number: int) -> None:
    before, after = {"role": "member"}, {"role": "viewer", "expires_at": "2027-01-31T12:00:00Z"}
    audit.record(
        session,
        ACTOR,
        "member:change",
        None,
        username=f"person{number}",
        before=before,
        after=after,
    )


def _append(engine: Engine) -> float:
    begin = time.perf_counter()
    transact(engine, lambda session: _record(session, 0))
    return (time.perf_counter() - begin) * 1000


def _verify(url: str, directory: Path) -> float:
    command = [str(Path(sys.executable).with_name("sophon-hub")), "audit", "verify"]
    environment = {PREFIX + "DATABASE_URL": url, PREFIX + "DATA_DIR": str(directory)}
    begin = time.perf_counter()
    subprocess.run(command, env=os.environ | environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin
