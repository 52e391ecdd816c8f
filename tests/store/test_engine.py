"""Transactions: all or nothing, one writer at a time, and refused duplicates are tried again."""

from datetime import datetime
from threading import Thread

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from sqlalchemy.orm import Session

from sophon_hub.errors import Conflict, Unavailable
from sophon_hub.models import Person
from sophon_hub.store.engine import ATTEMPTS, reading, transact, writing
from tests import make


def usernames(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.scalars(select(Person.username).order_by(Person.id)))


def test_a_transaction_is_kept_as_a_whole(engine: Engine) -> None:
    transact(engine, lambda session: make.person(session, "ada"))
    assert usernames(engine) == ["ada"]


def test_a_transaction_that_fails_leaves_nothing_behind(engine: Engine) -> None:
    def half(session: Session) -> None:
        make.person(session, "ada")
        raise Conflict("no")

    with pytest.raises(Conflict):
        transact(engine, half)
    assert usernames(engine) == []


def test_reading_keeps_nothing(engine: Engine) -> None:
    with reading(engine) as session:
        make.person(session, "ada")
    assert usernames(engine) == []


def test_a_duplicate_is_tried_again_and_then_a_conflict(engine: Engine) -> None:
    transact(engine, lambda session: make.person(session, "ada"))
    attempts = []

    def work(session: Session) -> None:
        attempts.append(1)
        make.person(session, "ada")

    with pytest.raises(Conflict, match="try again"):
        transact(engine, work)
    assert len(attempts) == ATTEMPTS


def test_a_duplicate_that_goes_away_succeeds(engine: Engine) -> None:
    transact(engine, lambda session: make.person(session, "ada"))
    tries = iter(["ada", "grace"])
    transact(engine, lambda session: make.person(session, next(tries)))
    assert usernames(engine) == ["ada", "grace"]


def test_a_database_that_does_not_answer_is_unavailable(engine: Engine) -> None:
    def work(session: Session) -> None:
        raise OperationalError("SELECT 1", {}, Exception("database is locked"))

    with pytest.raises(Unavailable):
        transact(engine, work)


def test_a_transaction_given_up_for_another_is_run_again(engine: Engine) -> None:
    class Deadlock(Exception):
        sqlstate = "40P01"

    attempts = []

    def work(session: Session) -> None:
        attempts.append(1)
        make.person(session, "ada")
        if len(attempts) == 1:
            raise OperationalError("UPDATE", {}, Deadlock())

    transact(engine, work)
    assert usernames(engine) == ["ada"]
    assert len(attempts) == 2


def test_foreign_keys_hold(engine: Engine) -> None:
    with pytest.raises(IntegrityError), writing(engine) as session:
        session.execute(
            text(
                "INSERT INTO join_requests (group_id, person_id, message, created_at)"
                " VALUES (1, 1, '', '2027-01-01')"
            )
        )


def test_on_sqlite_a_writer_waits_for_the_one_before_and_sees_what_it_did(
    sqlite_engine: Engine,
) -> None:
    seen: list[list[str]] = []

    def second() -> None:
        with writing(sqlite_engine) as session:
            seen.append(list(session.scalars(select(Person.username))))

    with writing(sqlite_engine) as session:
        session.execute(select(Person))  # a reading statement: the lock is taken all the same
        thread = Thread(target=second)
        thread.start()
        make.person(session, "ada")
    thread.join()
    assert seen == [["ada"]]


def test_on_sqlite_readers_do_not_wait_for_a_writer(sqlite_engine: Engine) -> None:
    with writing(sqlite_engine) as session:
        make.person(session, "ada")
        assert usernames(sqlite_engine) == []


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 15000)]
)
def test_sqlite_is_set_up_on_every_connection(
    sqlite_engine: Engine, pragma: str, value: object
) -> None:
    for _ in range(2):
        with sqlite_engine.connect() as connection:
            assert connection.scalar(text(f"PRAGMA {pragma}")) == value


def test_times_without_a_zone_have_no_place_in_the_database(session: Session) -> None:
    person = make.person(session, "ada")
    person.created_at = datetime(2027, 1, 1)
    with pytest.raises(StatementError, match="naive"):
        session.flush()
