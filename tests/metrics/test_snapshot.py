"""Numbers for Prometheus: right, zeros included, and cheap however much there is."""

from datetime import datetime

import pytest
from sqlalchemy import Engine

from sophon_hub import jobs
from sophon_hub.metrics import heartbeat, snapshot
from sophon_hub.models import (
    LabState,
    TemporaryLab,
    TemporaryState,
    TemporaryVisit,
    Visibility,
)
from sophon_hub.store.engine import reading, writing
from tests import make
from tests.conftest import StoppedClock
from tests.database import statements

MOST_STATEMENTS = 8


@pytest.fixture(autouse=True)
def now(stopped_clock: StoppedClock) -> StoppedClock:
    return stopped_clock


def taken(engine: Engine, now: datetime) -> snapshot.Snapshot:
    with reading(engine) as session:
        return snapshot.take(session, now)


def test_an_empty_hub_has_zeros_for_everything(engine: Engine, now: StoppedClock) -> None:
    visibilities = {"public": 0, "internal": 0, "private": 0}
    assert taken(engine, now()) == snapshot.Snapshot(
        people=0,
        groups=visibilities,
        projects=visibilities,
        labs={"stopped": 0, "starting": 0, "running": 0, "stopping": 0, "failed": 0},
        jobs=0,
        failing_jobs=0,
        oldest_job_seconds=0,
        worker_seen=0,
        worker_repaired=0,
        jobs_done=0,
        jobs_failed=0,
        free_bytes=None,
        temporary_labs={"starting": 0, "ready": 0, "claimed": 0, "ending": 0},
        visitors_waiting=0,
    )


def test_everything_is_counted_by_kind_and_what_is_in_the_trash_is_not(
    engine: Engine, now: StoppedClock
) -> None:
    with writing(engine) as session:
        make.person(session, "ada")
        public = make.group(session, "open")
        gone = make.group(session, "gone", deleted_at=now())
        make.group(session, "closed", visibility=Visibility.PRIVATE)
        project = make.project(session, public, "lens", visibility=Visibility.PUBLIC)
        hidden = make.project(session, public, "hidden", deleted_at=now())
        forgotten = make.project(session, gone, "forgotten")
        make.lab(session, project, "one", state=LabState.RUNNING)
        make.lab(session, project, "two", state=LabState.FAILED)
        make.lab(session, project, "old", deleted_at=now())
        make.lab(session, hidden, "still", state=LabState.STOPPING)
        make.lab(session, hidden, "not")
        make.lab(session, forgotten, "nor")
    seen = taken(engine, now())
    assert seen.people == 1
    assert seen.groups == {"public": 1, "internal": 0, "private": 1}
    assert seen.projects == {"public": 1, "internal": 0, "private": 0}
    assert seen.labs == {"stopped": 0, "starting": 0, "running": 1, "stopping": 1, "failed": 1}


def test_temporary_labs_are_counted_by_state_and_so_is_the_queue_for_them(
    engine: Engine, now: StoppedClock
) -> None:
    states = [TemporaryState.READY, TemporaryState.READY, TemporaryState.CLAIMED]
    with writing(engine) as session:
        for number, state in enumerate(states):
            session.add(TemporaryLab(name=f"tmp-{number}", state=state, image="i", made_at=now()))
        session.add(TemporaryVisit(visit="v", seen_at=now()))
    seen = taken(engine, now())
    assert seen.temporary_labs == {"starting": 0, "ready": 2, "claimed": 1, "ending": 0}
    assert seen.visitors_waiting == 1


def test_jobs_tell_how_many_how_old_and_how_many_fail(engine: Engine, now: StoppedClock) -> None:
    with writing(engine) as session:
        jobs.enqueue(session, "start_lab", "lab:1", lab_id=1)
    now.forward(seconds=40)
    with writing(engine) as session:
        jobs.enqueue(session, "stop_lab", "lab:2", lab_id=2)
        (first, _) = jobs.lease(session, limit=9, now=now())
        jobs.fail(session, first.id, "the hub is down", attempt=1, now=now())
    now.forward(seconds=2)
    seen = taken(engine, now())
    assert (seen.jobs, seen.failing_jobs, seen.oldest_job_seconds) == (2, 1, 42)


def test_the_worker_adds_up_what_it_did_and_when(engine: Engine, now: StoppedClock) -> None:
    def beat(repaired_at: datetime | None, done: int, failed: int, free: int | None = None) -> None:
        with writing(engine) as session:
            heartbeat.beat(
                session,
                now=now(),
                repaired_at=repaired_at,
                done=done,
                failed=failed,
                free_bytes=free,
            )

    beat(None, 1, 0)
    seen = taken(engine, now())
    assert (seen.worker_seen, seen.worker_repaired) == (now().timestamp(), 0)
    repaired = now()
    now.forward(seconds=5)
    beat(repaired, 2, 3, 7)
    now.forward(seconds=5)
    beat(None, 0, 0)  # one that has just started
    seen = taken(engine, now())
    assert seen.worker_seen == now().timestamp()
    assert seen.worker_repaired == repaired.timestamp()
    assert seen.free_bytes == 7
    assert (seen.jobs_done, seen.jobs_failed) == (3, 3)


def test_a_snapshot_takes_few_statements_and_never_more_for_more_rows(
    engine: Engine, now: StoppedClock
) -> None:
    def count() -> int:
        with reading(engine) as session, statements(engine) as seen:
            snapshot.take(session, now())
            return len(seen)

    few = count()
    with writing(engine) as session:
        for number in range(20):
            project = make.project(session, make.group(session, f"g{number}"), f"p{number}")
            make.lab(session, project, "one", state=LabState.RUNNING)
            jobs.enqueue(session, "start_lab", f"lab:{number}", lab_id=number)
        heartbeat.beat(session, now=now(), repaired_at=None, done=1, failed=0)
    assert taken(engine, now()).jobs == 20
    assert count() == few == MOST_STATEMENTS
