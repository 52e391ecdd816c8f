"""The audit trail is a chain: what was changed in it afterwards is found and named."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from sophon_hub import audit
from sophon_hub.actions.events import prune_events
from sophon_hub.models import AuditEvent
from sophon_hub.policy.actor import Actor
from sophon_hub.store import chain
from sophon_hub.store.chain import START, Link, Verdict
from sophon_hub.store.engine import reading, transact, writing
from tests.conftest import StoppedClock

ADMIN = Actor(is_admin=True, via="cli")


def write(engine: Engine, count: int, **detail: Any) -> None:
    for _ in range(count):
        transact(engine, lambda session: audit.record(session, Actor(), "test:it", None, **detail))


def verify(engine: Engine, noted: Link | None = None) -> Verdict:
    with reading(engine) as session:
        return chain.system_verify(session, noted)


def change(engine: Engine, statement: str) -> None:
    """What somebody does who can write to the database."""
    with writing(engine) as session:
        session.execute(text(statement))


@pytest.fixture
def trail(engine: Engine) -> Engine:
    """Six events."""
    write(engine, 5, list=["ä", None, 0.1, 2.0, True], nested={"b": 1, "a": {"c": []}})
    write(engine, 1)
    return engine


def test_an_empty_trail_is_whole(engine: Engine) -> None:
    assert verify(engine) == Verdict(0, Link(0, START))


def test_what_was_written_is_whole_and_in_one_order(trail: Engine) -> None:
    verdict = verify(trail)
    assert (verdict.count, verdict.last.seq, verdict.problem) == (6, 6, None)
    with reading(trail) as session:
        assert [line["seq"] for line in chain.system_lines(session)] == [1, 2, 3, 4, 5, 6]


def test_several_events_of_one_transaction_stand_in_the_order_they_were_recorded(
    engine: Engine,
) -> None:
    def work(session: Session) -> None:
        for number in range(3):
            audit.record(session, Actor(), f"test:{number}", None)
            session.flush()

    transact(engine, work)
    with reading(engine) as session:
        lines = list(chain.system_lines(session))
    assert [line["action"] for line in lines] == ["test:0", "test:1", "test:2"]
    assert verify(engine).problem is None


def test_a_transaction_or_a_part_of_it_that_is_rolled_back_leaves_no_gap(engine: Engine) -> None:
    def work(session: Session) -> None:
        audit.record(session, Actor(), "test:kept", None)
        with session.begin_nested() as part:
            audit.record(session, Actor(), "test:undone", None)
            session.flush()
            part.rollback()
        with session.begin_nested():
            audit.record(session, Actor(), "test:kept", None)

    def fail(session: Session) -> None:
        work(session)
        session.flush()
        raise RuntimeError("the power goes out")

    write(engine, 1)
    with pytest.raises(RuntimeError):
        transact(engine, fail)
    transact(engine, work)
    write(engine, 1)
    verdict = verify(engine)
    assert (verdict.count, verdict.problem) == (4, None)


def test_one_session_can_commit_again_and_again(engine: Engine) -> None:
    with Session(engine) as session:
        for _ in range(3):
            audit.record(session, Actor(), "test:it", None)
            session.commit()
    assert verify(engine) == Verdict(3, verify(engine).last)


ALTERED = "Event 3 was altered, or stood elsewhere."
CHANGES = {
    "action": ("UPDATE audit_events SET action = 'test:else' WHERE seq = 3", ALTERED),
    "actor": ("UPDATE audit_events SET actor = 'ada' WHERE seq = 3", ALTERED),
    "actor_id": ("UPDATE audit_events SET actor_id = 1 WHERE seq = 3", ALTERED),
    "subject": ("UPDATE audit_events SET subject = 'x' WHERE seq = 3", ALTERED),
    "group_id": ("UPDATE audit_events SET group_id = 1 WHERE seq = 3", ALTERED),
    "project_id": ("UPDATE audit_events SET project_id = 1 WHERE seq = 3", ALTERED),
    "detail": ("UPDATE audit_events SET detail = '{}' WHERE seq = 3", ALTERED),
    "via": ("UPDATE audit_events SET via = 'cli' WHERE seq = 3", ALTERED),
    "request_id": ("UPDATE audit_events SET request_id = 'x' WHERE seq = 3", ALTERED),
    "at": ("UPDATE audit_events SET at = '2020-01-01 00:00:00+00:00' WHERE seq = 3", ALTERED),
    "digest": (f"UPDATE audit_events SET digest = '{START}' WHERE seq = 3", ALTERED),
    "missing": ("DELETE FROM audit_events WHERE seq = 3", "Event 3 is missing."),
    "the first missing": ("DELETE FROM audit_events WHERE seq = 1", "Event 1 is missing."),
    "the end missing": (
        "DELETE FROM audit_events WHERE seq > 4",
        "Event 5 is missing, and all after it.",
    ),
    "all missing": ("DELETE FROM audit_events", "Event 1 is missing, and all after it."),
    "reordered": (
        "UPDATE audit_events SET seq = -9 WHERE seq = 3;"
        "UPDATE audit_events SET seq = 3 WHERE seq = 4;"
        "UPDATE audit_events SET seq = 4 WHERE seq = -9",
        ALTERED,
    ),
    "forged beside the chain": (
        "UPDATE audit_events SET seq = NULL WHERE seq = 6;"
        "UPDATE audit_chain SET seq = 5, digest = (SELECT digest FROM audit_events WHERE seq = 5)",
        "was not written by the hub.",
    ),
    "before the beginning": (
        "UPDATE audit_events SET seq = 0 WHERE seq = 6",
        "Event 0 is out of order.",
    ),
    "the end rewritten": (
        f"UPDATE audit_chain SET digest = '{START}'",
        "The end of the chain is not event 6, as was written down.",
    ),
    "removed as if pruned": (
        "UPDATE audit_chain SET cut_seq = 2, cut_digest ="
        " (SELECT digest FROM audit_events WHERE seq = 2);"
        "DELETE FROM audit_events WHERE seq < 3",
        "Events up to 2 were removed, and no event says by whom.",
    ),
}


@pytest.mark.parametrize(("statements", "problem"), CHANGES.values(), ids=CHANGES)
def test_the_first_event_that_was_changed_is_named(
    trail: Engine, statements: str, problem: str
) -> None:
    for statement in statements.split(";"):
        change(trail, statement)
    found = verify(trail).problem
    assert found is not None
    assert problem in found


def test_a_trail_that_was_rewritten_as_a_whole_differs_from_what_was_noted(trail: Engine) -> None:
    noted = verify(trail).last
    assert verify(trail, noted).problem is None
    write(trail, 1)
    assert verify(trail, noted).problem is None
    change(trail, "DELETE FROM audit_events")
    change(trail, "DELETE FROM audit_chain")
    write(trail, 8)
    assert verify(trail).problem is None
    assert verify(trail, noted).problem == "Event 6 is not the one that was noted."
    assert verify(trail, Link(9, START)).problem == "There is no event 9 any more, or not yet."


def test_the_oldest_events_can_be_removed_and_the_rest_is_still_whole(
    engine: Engine, stopped_clock: StoppedClock
) -> None:
    for _ in range(5):
        write(engine, 2)
        stopped_clock.forward(days=1)
    moment = stopped_clock() - timedelta(days=3)

    def prune(session: Session) -> int:
        last = chain.system_last_before(session, moment)
        assert last is not None
        return prune_events(session, ADMIN, last)

    noted = verify(engine).last
    assert transact(engine, prune) == 4
    verdict = verify(engine, noted)
    assert (verdict.count, verdict.problem) == (7, None)
    with reading(engine) as session:
        assert chain.system_last_before(session, moment) is None
        *_, event = chain.system_lines(session)
    assert (event["action"], event["detail"]["until"], event["detail"]["count"]) == (
        "audit:prune",
        4,
        4,
    )
    write(engine, 1)
    assert verify(engine, Link(2, START)).problem == "There is no event 2 any more, or not yet."
    change(engine, "UPDATE audit_events SET action = 'x' WHERE seq = 5")
    assert verify(engine).problem == "Event 5 was altered, or stood elsewhere."


def test_nothing_is_old_in_an_empty_or_a_young_trail(engine: Engine) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with reading(engine) as session:
        assert chain.system_last_before(session, datetime.now(UTC)) is None
    write(engine, 2)
    with reading(engine) as session:
        assert chain.system_last_before(session, long_ago) is None
        found = chain.system_last_before(session, datetime.now(UTC) + timedelta(days=1))
        assert found == verify(engine).last


def test_writers_on_several_threads_make_one_chain(engine: Engine) -> None:
    start = Barrier(4)

    def writer() -> None:
        start.wait()
        write(engine, 10)

    threads = [Thread(target=writer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdict = verify(engine)
    assert (verdict.count, verdict.problem) == (40, None)


WRITER = """
import sys
from sophon_hub import audit
from sophon_hub.policy.actor import Actor
from sophon_hub.store.engine import make_engine, transact
engine = make_engine(sys.argv[1])
for number in range(int(sys.argv[2])):
    transact(engine, lambda session: audit.record(session, Actor(), "test:it", None, number=number))
"""


def test_writers_in_several_processes_make_one_chain(engine: Engine) -> None:
    address = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", WRITER, address, "15"]
    writers = [subprocess.Popen(command) for _ in range(3)]
    for writer in writers:
        assert writer.wait(60) == 0
    verdict = verify(engine)
    assert (verdict.count, verdict.problem) == (45, None)


def test_an_event_says_the_same_when_it_is_written_and_when_it_is_read(trail: Engine) -> None:
    with reading(trail) as session:
        for line in chain.system_lines(session):
            assert json.loads(json.dumps(line)) == line
        event = session.scalars(select(AuditEvent).order_by(AuditEvent.seq)).first()
        assert event is not None
        assert event.detail["nested"] == {"b": 1, "a": {"c": []}}
