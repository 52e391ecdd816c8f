"""What the worker does with the trash: step by step, and killed between any two of them."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from sophon_hub import audit
from sophon_hub.clock import utcnow
from sophon_hub.errors import Unavailable
from sophon_hub.hub import Server
from sophon_hub.models import (
    AuditEvent,
    Dataset,
    DatasetKind,
    DatasetState,
    Job,
    Lab,
    Membership,
    ResearchGroup,
    ResearchProject,
)
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from sophon_hub.store.trash import Kind
from sophon_hub.worker import trash
from sophon_hub.worker.context import Context
from sophon_hub.worker.runner import HANDLERS, Leased, Runner
from tests import make
from tests.cast import Cast

OLD = "b" * 32
CALLS = 13
"""How often the Hub is called to clear away the group of these tests."""


class Killed(BaseException):
    """The worker is killed: nothing of it catches this."""


class Hub:
    """A hub with the accounts, servers and groups of one research group.

    ``patience`` is the number of calls after which the worker is killed, before or after the
    call has had its effect.
    """

    def __init__(self) -> None:
        self.users: dict[str, list[str]] = {"project-lens": ["", "a", "b"], "project-mirror": []}
        self.groups = {"sophon-optics-people", "sophon-optics-labs"}
        self.patience, self.after = 10_000, False

    def _step(self, effect: Callable[[], Any]) -> Any:
        if self.patience == 0 and not self.after:
            raise Killed
        result = effect()
        if self.patience == 0:
            raise Killed
        self.patience -= 1
        return result

    async def server_names(self, username: str) -> list[str]:
        return list(self._step(lambda: sorted(self.users.get(username, []))))

    async def stop_server(self, username: str, name: str, *, remove: bool = False) -> None:
        def effect() -> None:
            if remove and name in self.users.get(username, []):
                assert name, "the Hub refuses to remove a default server"
                self.users[username].remove(name)

        self._step(effect)

    async def server(self, username: str, name: str) -> Server | None:
        if name not in self.users.get(username, []):
            return None
        return Server(username, name, ready=False, pending=None, stopped=True, last_activity=None)

    async def delete_user(self, username: str) -> None:
        def effect() -> None:
            assert self.users.get(username, [""]) in ([""], []), "servers are left"
            self.users.pop(username, None)

        self._step(effect)

    async def delete_group(self, name: str) -> None:
        self._step(lambda: self.groups.discard(name))

    # for the sync after a change

    async def group_members(self, name: str) -> set[str] | None:
        return set() if name in self.groups else None

    async def make_group(self, name: str) -> None:
        self.groups.add(name)

    async def make_user(self, name: str) -> None:
        self.users[name] = []

    async def remove_from_group(self, name: str, usernames: set[str]) -> None:
        assert not usernames

    async def add_to_group(self, name: str, usernames: set[str]) -> None:
        pass


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def context(sqlite_engine: Engine, tmp_path: Path, hub: Hub) -> Context:
    settings = Sophon(data_dir=str(tmp_path), spawner="process")
    return Context(sqlite_engine, hub, settings)  # type: ignore[arg-type]


@pytest.fixture
def optics(context: Context, tmp_path: Path) -> int:
    """A group that Ada deleted long ago, with two projects, homes and a crash log."""
    with writing(context.engine) as session:
        cast = Cast.enter(session)
        lens = make.project(session, cast.group, "lens")
        labs = [make.lab(session, lens, slug) for slug in ("a", "b")]
        things = [cast.group, lens, make.project(session, cast.group, "mirror"), *labs]
        things.append(make.dataset(session, group=cast.group, kind=DatasetKind.PUBLISHED))
        for thing in things:
            thing.deleted_at, thing.deleted_by_id = make.LONG_AGO, cast.people["ada"].id
        (tmp_path / "crash-logs").mkdir()
        for uid in (*(lab.uid for lab in labs), OLD):
            (tmp_path / "homes" / uid / "deep").mkdir(parents=True)
            (tmp_path / "homes" / uid / "deep" / "file").touch()
            (tmp_path / "crash-logs" / f"{uid}-20270101T000000.000000Z.log").touch()
        return cast.group.id


def kept(directory: Path) -> set[str]:
    return {path.name[:32] for path in directory.iterdir()}


def actions(context: Context) -> list[str]:
    with reading(context.engine) as session:
        return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


def waiting(context: Context) -> list[str]:
    with reading(context.engine) as session:
        return list(session.scalars(select(Job.kind)))


def test_everything_that_can_be_removed_has_somebody_who_does_it() -> None:
    assert {f"purge_{kind}" for kind in Kind} <= HANDLERS.keys()


async def test_a_group_whose_time_is_over_is_gone_everywhere(
    context: Context, hub: Hub, optics: int, tmp_path: Path
) -> None:
    await trash.end_due(context)
    assert waiting(context) == ["purge_group"]
    await trash.purge(Kind.GROUP)(context, optics)
    assert hub.users == {}
    assert hub.groups == set()
    assert kept(tmp_path / "homes") == kept(tmp_path / "crash-logs") == {OLD}
    with reading(context.engine) as session:
        for kind in (ResearchGroup, ResearchProject, Lab, Dataset, Membership):
            assert session.scalars(select(kind)).all() == []
    assert actions(context) == ["group:purged"]
    await trash.end_due(context)
    assert waiting(context) == ["purge_group"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(CALLS + 1))
async def test_a_worker_killed_at_any_step_leaves_work_that_the_next_one_finishes(
    context: Context, hub: Hub, optics: int, tmp_path: Path, calls: int, after: bool
) -> None:
    await trash.end_due(context)
    hub.patience, hub.after = calls, after
    try:
        await trash.purge(Kind.GROUP)(context, optics)
    except Killed:
        # the slug is taken until everything is gone
        with reading(context.engine) as session:
            assert session.get_one(ResearchGroup, optics).slug == "optics"
    else:
        assert calls == CALLS, "these are all the steps"
    hub.patience = 10_000
    await trash.purge(Kind.GROUP)(context, optics)
    assert (hub.users, hub.groups) == ({}, set())
    assert kept(tmp_path / "homes") == {OLD}
    assert actions(context) == ["group:purged"]


async def test_a_project_and_a_lab_leave_what_is_around_them(
    context: Context, hub: Hub, optics: int, tmp_path: Path
) -> None:
    now = utcnow()
    with writing(context.engine) as session:
        for thing in (session.get_one(ResearchGroup, optics), *session.scalars(select(Dataset))):
            thing.deleted_at = None
        mirror = session.scalars(select(ResearchProject).filter_by(slug="mirror")).one()
        lab = session.scalars(select(Lab).filter_by(slug="a")).one()
        lens = session.get_one(ResearchProject, lab.project_id)
        other = session.scalars(select(Lab).filter_by(slug="b")).one()
        lens.deleted_at = other.deleted_at = None
        lab.purge_started_at = mirror.purge_started_at = now
        numbers, uid = (lab.id, mirror.id), lab.uid
    await trash.purge(Kind.LAB)(context, numbers[0])
    await trash.purge(Kind.PROJECT)(context, numbers[1])
    assert hub.users == {"project-lens": ["", "b"]}
    assert len(hub.groups) == 2
    assert uid not in kept(tmp_path / "homes")
    assert len(kept(tmp_path / "homes")) == 2
    assert sorted(actions(context)) == ["lab:purged", "project:purged"]


async def test_what_came_back_meanwhile_is_left_alone(
    context: Context, hub: Hub, optics: int
) -> None:
    await trash.purge(Kind.GROUP)(context, optics)
    await trash.purge(Kind.LAB)(context, 4711)
    assert len(hub.users) == 2
    assert actions(context) == []


async def test_a_dataset_that_is_being_copied_is_waited_for(context: Context, optics: int) -> None:
    await trash.end_due(context)
    with writing(context.engine) as session:
        session.scalars(select(Dataset)).one().state = DatasetState.PREPARING
    with pytest.raises(Unavailable, match="being read"):
        await trash.purge(Kind.GROUP)(context, optics)


async def test_without_an_engine_it_is_tried_again(
    context: Context, optics: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    await trash.end_due(context)
    context.settings.spawner = "docker"
    with pytest.raises(Unavailable):
        await trash.purge(Kind.GROUP)(context, optics)
    with reading(context.engine) as session:
        assert session.get_one(ResearchGroup, optics)


async def test_a_home_that_cannot_be_removed_is_tried_again(
    context: Context, optics: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError("not yours")

    await trash.end_due(context)
    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(Unavailable, match="not yours"):
        await trash.purge(Kind.GROUP)(context, optics)


async def test_a_change_of_people_cancels_what_nobody_stands_by(
    context: Context, hub: Hub, optics: int
) -> None:
    with writing(context.engine) as session:
        membership = session.scalars(select(Membership).where(Membership.role == "owner")).one()
        membership.expires_at = utcnow() - timedelta(seconds=1)
    await trash.follow_group(context, optics)
    assert actions(context) == ["group:delete-cancelled"]
    with reading(context.engine) as session:
        assert session.get_one(ResearchGroup, optics).deleted_at is None
    await trash.follow_group(context, optics)
    assert actions(context) == ["group:delete-cancelled"]


async def test_what_a_job_does_carries_its_number_and_what_nobody_asked_for_none(
    context: Context, optics: int
) -> None:
    await trash.end_due(context)
    with writing(context.engine) as session:
        job = session.scalars(select(Job)).one()
        audit.record(session, context.actor, "test:unasked", None)
        leased = Leased(job.id, job.kind, job.payload, 1)
    await Runner(context, 300)._do(leased)
    with reading(context.engine) as session:
        found = session.execute(select(AuditEvent.action, AuditEvent.via, AuditEvent.request_id))
        assert found.all() == [
            ("test:unasked", "system", None),
            ("group:purged", "system", f"job-{leased.id}"),
        ]


async def test_two_workers_at_once_leave_one_event(context: Context, hub: Hub, optics: int) -> None:
    await trash.end_due(context)
    both = (trash.purge(Kind.GROUP)(context, optics) for _ in range(2))
    for ended in await asyncio.gather(*both, return_exceptions=True):
        assert ended is None or isinstance(ended, Unavailable)  # which is tried again
    await trash.purge(Kind.GROUP)(context, optics)
    assert actions(context) == ["group:purged"]
