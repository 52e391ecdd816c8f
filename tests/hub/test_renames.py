"""Accounts that are renamed or removed at the Hub, down to what goes wrong meanwhile."""

from collections.abc import Iterator
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from tornado.web import HTTPError

from sophon_hub import names
from sophon_hub.authenticator import renames
from sophon_hub.authenticator.records import SignInRecords
from sophon_hub.authenticator.renames import follow_renames
from sophon_hub.clock import utcnow
from sophon_hub.models import IdempotencyKey, LocalAccount, Person
from sophon_hub.store import accounts
from sophon_hub.store.engine import make_engine, reading, writing
from tests import make
from tests.database import actions, jobs


@pytest.fixture(autouse=True)
def nobody_writes_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renames, "_writers", [])


@pytest.fixture
def records(sqlite_engine: Engine) -> SignInRecords:
    """Ada and Grace are people with local accounts; Ada is in a group and has made something."""
    with writing(sqlite_engine) as session:
        for name in ("ada", "grace"):
            person = make.person(session, name)
            accounts.system_add_account(session, name, f"hash of {name}", now=utcnow())
        make.membership(session, make.group(session), person)
        session.add(
            IdempotencyKey(
                username="grace",
                key="k",
                request_hash="",
                status=201,
                answer={},
                created_at=utcnow(),
            )
        )
    return SignInRecords(sqlite_engine, "test")


@pytest.fixture
def hub() -> Iterator[Session]:
    """The Hub's own session, with accounts of theirs and of a project."""
    session = orm.new_session_factory("sqlite:///:memory:")()
    session.add_all([orm.User(name=name) for name in ("ada", "grace", "project-lens")])
    session.commit()
    yield session
    session.close()


def rename(hub: Session, old: str, new: str) -> None:
    """As the Hub's REST API does it."""
    found: Any = orm.User.find(hub, old)
    found.name = new
    hub.commit()


def people(engine: Engine) -> set[str]:
    with reading(engine) as session:
        return set(session.scalars(select(Person.username)))


def test_a_renamed_account_is_the_same_person_with_the_same_password_and_keys(
    hub: Session, records: SignInRecords
) -> None:
    follow_renames(records)
    rename(hub, "grace", "hopper")
    with reading(records.engine) as session:
        person = session.scalars(select(Person).filter_by(username="hopper")).one()
        assert person.display_name == "Grace"
        assert session.get_one(LocalAccount, "hopper").password_hash == "hash of grace"
        assert session.scalars(select(IdempotencyKey.username)).all() == ["hopper"]
        assert actions(session) == ["person:rename"]
        assert [kind for kind, _ in jobs(session)] == ["sync_group"]


def test_a_new_account_and_the_same_name_again_are_no_renaming(
    hub: Session, records: SignInRecords
) -> None:
    follow_renames(records)
    hub.add(orm.User(name="new"))
    rename(hub, "ada", "ada")
    with reading(records.engine) as session:
        assert actions(session) == []


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("ada", "project-x", 400),
        ("ada", "TMP-x", 400),
        ("project-lens", "lens", 400),
        ("ada", "a" * (names.MAX_USERNAME + 1), 400),
        ("ada", "grace", 409),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_renamed(
    hub: Session, records: SignInRecords, old: str, new: str, status: int
) -> None:
    follow_renames(records)
    with pytest.raises(HTTPError) as refusal:
        rename(hub, old, new)
    assert refusal.value.status_code == status
    hub.rollback()
    assert orm.User.find(hub, old) is not None
    assert people(records.engine) == {"ada", "grace"}


def test_an_account_that_the_portal_does_not_know_is_renamed_all_the_same(
    hub: Session, records: SignInRecords
) -> None:
    hub.add(orm.User(name="new"))
    hub.commit()
    follow_renames(records)
    rename(hub, "new", "newer")
    assert people(records.engine) == {"ada", "grace"}


def test_a_person_whose_account_went_without_a_word_leaves_nothing_to_the_new_name(
    hub: Session, records: SignInRecords
) -> None:
    with writing(records.engine) as session:
        number = make.person(session, "old").id
    follow_renames(records)
    rename(hub, "ada", "old")
    assert people(records.engine) == {names.former_username("old", number), "old", "grace"}
    with reading(records.engine) as session:
        assert ("settle_person", f"person:{number}") in jobs(session)


@pytest.fixture
def broken(tmp_path: Any) -> SignInRecords:
    """Records whose database cannot be opened."""
    return SignInRecords(make_engine(f"sqlite:///{tmp_path}/missing/sophon.sqlite"), "test")


def test_nothing_is_renamed_while_the_records_cannot_be_written(
    hub: Session, broken: SignInRecords
) -> None:
    follow_renames(broken)
    with pytest.raises(HTTPError) as refusal:
        rename(hub, "ada", "lovelace")
    assert refusal.value.status_code == 503
    hub.rollback()
    assert orm.User.find(hub, "ada") is not None


def test_groups_that_cannot_be_compared_after_a_renaming_are_compared_later(
    hub: Session, records: SignInRecords, broken: SignInRecords, caplog: pytest.LogCaptureFixture
) -> None:
    follow_renames(records)
    found: Any = orm.User.find(hub, "grace")
    found.name = "hopper"
    follow_renames(broken)
    hub.commit()
    assert "groups of hopper are compared with the hub later" in caplog.text


def test_a_removed_account_takes_its_keys_along_and_frees_its_name(records: SignInRecords) -> None:
    records.gone("grace")
    records.gone("grace")
    records.gone("nobody")
    with reading(records.engine) as session:
        old = session.scalars(select(Person).where(Person.gone_at.is_not(None))).one()
        assert old.username == names.former_username("grace", old.id)
        assert names.shown_username(old.username) == "grace"
        assert session.scalars(select(IdempotencyKey)).all() == []
        assert actions(session) == ["person:delete"]
        assert jobs(session) == [("settle_person", f"person:{old.id}")]
