"""How the worker tells the Hub that a lab is locked, and repairs what differs."""

from collections.abc import Collection
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sophon_hub import names
from sophon_hub.hub import HubRefused
from sophon_hub.models import Lab
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from sophon_hub.store.people import find_person
from sophon_hub.worker import locks
from sophon_hub.worker.context import Context
from tests import make
from tests.cast import Cast
from tests.database import jobs
from tests.waiting import free_port

LOCK = names.lock_group("lens", "bench")
ACCOUNT = "project-lens"


class Hub:
    """Hub groups and users; who is no user cannot be put into a group."""

    def __init__(self) -> None:
        self.users = {"ada", "grace"}
        self.groups: dict[str, set[str]] = {}

    async def group_members(self, name: str) -> set[str] | None:
        found = self.groups.get(name)
        return None if found is None else set(found)

    async def make_group(self, name: str) -> None:
        self.groups.setdefault(name, set())

    async def delete_group(self, name: str) -> None:
        self.groups.pop(name, None)

    async def make_user(self, name: str) -> None:
        self.users.add(name)

    async def add_to_group(self, name: str, usernames: Collection[str]) -> None:
        if not set(usernames) <= self.users:
            raise HubRefused(400, "No such user")
        self.groups[name] |= set(usernames)

    async def remove_from_group(self, name: str, usernames: Collection[str]) -> None:
        self.groups[name] -= set(usernames)


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def context(sqlite_engine: Engine, tmp_path: Path, hub: Hub) -> Context:
    settings = Sophon(data_dir=str(tmp_path), proxy_api_port=free_port())
    return Context(sqlite_engine, hub, settings)  # type: ignore[arg-type]


@pytest.fixture
def bench(context: Context) -> int:
    """A lab that Grace has locked."""
    with writing(context.engine) as session:
        cast = Cast.enter(session)
        lab = make.lab(session, make.project(session, cast.group, "lens"), "bench")
        lab.locked_by = cast.people["grace"]
        session.flush()
        return lab.id


def locked_by(context: Context, lab_id: int, name: str | None) -> None:
    with writing(context.engine) as session:
        found = find_person(session, name) if name else None
        session.get_one(Lab, lab_id).locked_by_id = found.id if found else None


async def test_a_lock_that_comes_changes_hands_and_goes_is_a_hub_group(
    context: Context, hub: Hub, bench: int
) -> None:
    await locks.sync_lock(context, bench)
    assert hub.groups == {LOCK: {ACCOUNT, "grace"}}
    locked_by(context, bench, "ada")
    await locks.sync_lock(context, bench)
    assert hub.groups == {LOCK: {ACCOUNT, "ada"}}
    locked_by(context, bench, None)
    await locks.sync_lock(context, bench)
    assert hub.groups == {}


async def test_a_lock_of_somebody_without_account_holds_for_everybody(
    context: Context, hub: Hub, bench: int
) -> None:
    hub.users.remove("grace")
    await locks.sync_lock(context, bench)
    assert hub.groups == {LOCK: {ACCOUNT}}


async def test_a_lab_that_is_gone_has_no_lock(context: Context, hub: Hub) -> None:
    await locks.sync_lock(context, 4711)
    assert hub.groups == {}


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ({}, 1),
        ({LOCK: {ACCOUNT}}, 1),
        ({LOCK: {ACCOUNT, "grace", "ada"}}, 1),
        ({LOCK: {ACCOUNT, "grace"}}, 0),
    ],
)
async def test_a_lock_that_the_hub_does_not_know_is_told_again(
    context: Context, bench: int, there: dict[str, set[str]], wanted: int
) -> None:
    await locks.repair(context, there, {ACCOUNT, "ada", "grace"})
    with reading(context.engine) as session:
        assert jobs(session) == [("sync_lock", f"lock:{bench}")] * wanted


async def test_groups_of_locks_that_no_lab_stands_for_are_removed_and_no_others(
    context: Context, hub: Hub, bench: int
) -> None:
    other = names.lock_group("lens", "gone")
    hub.groups = {other: {ACCOUNT}, LOCK: {ACCOUNT, "grace"}, names.people_group("optics"): set()}
    await locks.repair(context, dict(hub.groups), {ACCOUNT, "grace"})
    assert set(hub.groups) == {LOCK, names.people_group("optics")}
