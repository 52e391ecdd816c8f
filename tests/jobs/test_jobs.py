"""The outbox: in order for each key, by one worker at a time, and nothing is ever lost."""

from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sophon_hub import jobs
from sophon_hub.models import Job
from sophon_hub.store.engine import reading, writing
from tests.conftest import StoppedClock
from tests.database import wait_until_blocked


@pytest.fixture(autouse=True)
def now(stopped_clock: StoppedClock) -> StoppedClock:
    return stopped_clock


def want(engine: Engine, kind: str, key: str, **payload: int) -> None:
    with writing(engine) as session:
        jobs.enqueue(session, kind, key, **payload)


def take(engine: Engine, now: StoppedClock, *, limit: int = 100) -> list[tuple[int, str, str]]:
    with writing(engine) as session:
        return [(job.id, job.kind, job.key) for job in jobs.lease(session, limit=limit, now=now())]


def finish(engine: Engine, number: int) -> None:
    with writing(engine) as session:
        jobs.finish(session, number)


def fail(engine: Engine, number: int, now: StoppedClock, error: str = "boom") -> None:
    with writing(engine) as session:
        job = session.get(Job, number)
        attempt = job.attempts if job else 1
        jobs.fail(session, number, error, attempt=attempt, now=now())


def waiting(engine: Engine) -> list[Job]:
    with reading(engine) as session:
        return list(session.scalars(select(Job).order_by(Job.id)))


def test_jobs_of_one_key_are_taken_one_after_the_other_in_order(
    engine: Engine, now: StoppedClock
) -> None:
    want(engine, "start_lab", "lab:1")
    want(engine, "stop_lab", "lab:1")
    want(engine, "start_lab", "lab:2")
    [(first, kind, _), (_, _, other_key)] = take(engine, now)
    assert (kind, other_key) == ("start_lab", "lab:2")
    assert take(engine, now) == []
    finish(engine, first)
    assert [kind for _, kind, _ in take(engine, now)] == ["stop_lab"]


def test_a_job_is_taken_by_one_worker_until_its_lease_runs_out(
    engine: Engine, now: StoppedClock
) -> None:
    want(engine, "start_lab", "lab:1")
    [taken] = take(engine, now)
    now.forward(seconds=jobs.LEASE.total_seconds())
    assert take(engine, now) == []
    now.forward(seconds=1)
    assert take(engine, now) == [taken]
    assert [job.attempts for job in waiting(engine)] == [2]


def test_no_more_jobs_are_taken_than_asked_for(engine: Engine, now: StoppedClock) -> None:
    for number in range(5):
        want(engine, "start_lab", f"lab:{number}")
    assert [key for _, _, key in take(engine, now, limit=2)] == ["lab:0", "lab:1"]
    assert [key for _, _, key in take(engine, now, limit=2)] == ["lab:2", "lab:3"]


def test_the_same_job_waiting_already_is_enough(engine: Engine, now: StoppedClock) -> None:
    for _ in range(3):
        want(engine, "sync_group", "group:1", group_id=1)
    assert len(waiting(engine)) == 1


@pytest.mark.parametrize(
    ("kind", "payload"), [("stop_lab", {"lab_id": 1}), ("start_lab", {"lab_id": 2})]
)
def test_another_job_of_the_key_waits_behind_it(
    engine: Engine, kind: str, payload: dict[str, int]
) -> None:
    want(engine, "start_lab", "lab:1", lab_id=1)
    want(engine, kind, "lab:1", **payload)
    want(engine, "start_lab", "lab:1", lab_id=1)
    assert [job.kind for job in waiting(engine)] == ["start_lab", kind, "start_lab"]


def test_what_is_wanted_while_the_same_is_being_done_is_done_again(
    engine: Engine, now: StoppedClock
) -> None:
    want(engine, "sync_group", "group:1", group_id=1)
    [(first, _, _)] = take(engine, now)
    want(engine, "sync_group", "group:1", group_id=1)
    finish(engine, first)
    assert len(take(engine, now)) == 1


def test_retries_wait_longer_and_longer_up_to_a_minute(engine: Engine, now: StoppedClock) -> None:
    want(engine, "start_lab", "lab:1")
    for seconds in (1, 2, 5, 10, 30, 60, 60, 60):
        [(number, _, _)] = take(engine, now)
        fail(engine, number, now)
        now.forward(seconds=seconds - 0.001)
        assert take(engine, now) == []
        now.forward(seconds=0.001)


def test_a_failure_is_kept_to_be_read_and_the_next_of_its_key_waits_for_it(
    engine: Engine, now: StoppedClock
) -> None:
    want(engine, "start_lab", "lab:1")
    want(engine, "stop_lab", "lab:1")
    [(number, _, _)] = take(engine, now)
    fail(engine, number, now, "no engine")
    assert [(job.last_error, job.leased_until) for job in waiting(engine)] == [
        ("no engine", None),
        ("", None),
    ]
    assert take(engine, now) == []


def test_the_failure_of_a_job_that_is_gone_is_no_failure(engine: Engine, now: StoppedClock) -> None:
    want(engine, "start_lab", "lab:1")
    [(number, _, _)] = take(engine, now)
    finish(engine, number)
    fail(engine, number, now)
    finish(engine, number)
    assert waiting(engine) == []


def test_a_worker_that_lives_keeps_its_jobs_longer_than_a_lease(
    engine: Engine, now: StoppedClock
) -> None:
    want(engine, "start_lab", "lab:1")
    want(engine, "start_lab", "lab:2")
    [(kept, _, _), (lost, _, _)] = take(engine, now)
    now.forward(seconds=jobs.LEASE.total_seconds())
    with writing(engine) as session:
        jobs.renew(session, [kept], now=now())
    now.forward(seconds=1)
    assert [number for number, _, _ in take(engine, now)] == [lost]


def test_a_worker_whose_lease_ran_out_has_no_say_about_who_does_the_job_now(
    engine: Engine, now: StoppedClock
) -> None:
    want(engine, "start_lab", "lab:1")
    [(number, _, _)] = take(engine, now)
    now.forward(seconds=jobs.LEASE.total_seconds() + 1)
    assert [again for again, _, _ in take(engine, now)] == [number]
    with writing(engine) as session:
        jobs.fail(session, number, "too late", attempt=1, now=now())
    now.forward(seconds=1)
    assert take(engine, now) == []
    [job] = waiting(engine)
    assert job.last_error == ""


def test_a_key_is_waited_for_while_its_job_waits_or_is_under_way(
    engine: Engine, now: StoppedClock
) -> None:
    def state() -> tuple[bool, bool]:
        with reading(engine) as session:
            return jobs.is_any_due(session, now()), jobs.is_waiting(session, "lab:1")

    assert state() == (False, False)
    want(engine, "start_lab", "lab:1")
    assert state() == (True, True)
    [(number, _, _)] = take(engine, now)
    assert state() == (False, True)
    fail(engine, number, now)
    assert state() == (False, True)
    now.forward(seconds=1)
    assert state() == (True, True)
    finish(engine, number)
    assert state() == (False, False)


@pytest.mark.parametrize("steps", range(7))
def test_nothing_is_lost_whenever_the_worker_is_killed(
    engine: Engine, now: StoppedClock, steps: int
) -> None:
    """A worker that dies after any number of steps leaves the rest to the next one."""
    keys = [f"lab:{number}" for number in range(3)]
    for key in keys:
        want(engine, "start_lab", key)
    done: list[str] = []

    def work(limit: int) -> None:
        """One step is taking or finishing one job; what is done twice is harmless."""
        for _ in range(limit // 2):
            for number, _, key in take(engine, now, limit=1):
                done.append(key)
                finish(engine, number)
        if limit % 2:
            take(engine, now, limit=1)

    work(steps)
    now.forward(seconds=jobs.LEASE.total_seconds() + 1)
    work(100)
    assert sorted(set(done)) == keys
    assert waiting(engine) == []


def test_a_wish_that_is_rolled_back_leaves_no_job(engine: Engine) -> None:
    def wish() -> None:
        with writing(engine) as session:
            jobs.enqueue(session, "start_lab", "lab:1")
            session.flush()
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        wish()
    assert waiting(engine) == []


def test_two_workers_at_once_never_take_the_same_job(engine: Engine, now: StoppedClock) -> None:
    for number in range(12):
        want(engine, "start_lab", f"lab:{number}")
        want(engine, "stop_lab", f"lab:{number}")
    taken: list[tuple[int, str, str]] = []
    start = Barrier(4)

    def worker() -> None:
        start.wait()
        for _ in range(6):
            taken.extend(take(engine, now, limit=3))

    threads = [Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key for _, _, key in taken) == sorted(f"lab:{number}" for number in range(12))
    assert {kind for _, kind, _ in taken} == {"start_lab"}


@pytest.mark.parametrize(
    "engine", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
def test_no_worker_begins_a_job_before_the_change_that_joined_it_can_be_seen(
    engine: Engine, now: StoppedClock
) -> None:
    """On SQLite there is only one writer; on PostgreSQL the job that waits is locked."""
    want(engine, "sync_group", "group:1")
    begun: list[tuple[int, str, str]] = []
    with Session(engine) as change:
        jobs.enqueue(change, "sync_group", "group:1")
        worker = Thread(target=lambda: begun.extend(take(engine, now)))
        worker.start()
        wait_until_blocked(engine, worker)
        assert begun == [], "the worker read the group before the change was there"
        change.commit()
    worker.join()
    assert len(begun) == 1
    assert len(waiting(engine)) == 1
