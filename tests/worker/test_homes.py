"""What the worker does with homes and datasets: on a hub without containers, and when it fails."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from sophon_hub import jobs
from sophon_hub.clock import utcnow
from sophon_hub.hub import Account, HubRefused, Server
from sophon_hub.models import Dataset, DatasetKind, DatasetState, Job, Lab, LabState, PersonalLab
from sophon_hub.names import PERSONAL_GROUP
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from sophon_hub.worker import datasets, disk, lessons, personal
from sophon_hub.worker.context import Context
from sophon_hub.worker.reconcile import watch
from tests import make
from tests.cast import Cast

UID = "a" * 32
SERVER = Server("grace", "", ready=True, pending=None, stopped=False, last_activity=None)


class Hub:
    """Tells of Grace's servers."""

    def __init__(self, *servers: Server) -> None:
        self.servers = servers

    async def accounts(self, *, active_only: bool = False) -> AsyncIterator[Account]:
        assert active_only
        yield Account("grace", admin=False, display_name=None, servers=self.servers)

    # the account is gone meanwhile

    async def make_group(self, name: str) -> None:
        assert name == PERSONAL_GROUP

    async def add_to_group(self, name: str, usernames: list[str]) -> None:
        raise HubRefused(400, f"No such user: {usernames}")

    async def has_user(self, username: str) -> bool:
        return False


@pytest.fixture
def context(sqlite_engine: Engine, tmp_path: Path) -> Context:
    settings = Sophon(data_dir=str(tmp_path), spawner="process", dataset_roots=["/srv/data"])
    return Context(sqlite_engine, Hub(), settings)  # type: ignore[arg-type]


@pytest.fixture
def home(context: Context, tmp_path: Path) -> Path:
    """Grace's home, with a trash."""
    with writing(context.engine) as session:
        grace = Cast.enter(session).people["grace"]
        make.personal_lab(session, grace, home_uid=UID)
    home = tmp_path / "homes" / UID
    (home / ".local/share/Trash/files/deep").mkdir(parents=True)
    (home / ".local/share/Trash/files/deep/old").write_bytes(b"x" * 100_000)
    (home / "mine").write_bytes(b"x" * 50_000)
    return home


def own(context: Context) -> PersonalLab:
    with reading(context.engine) as session:
        return session.scalars(select(PersonalLab)).one()


async def test_a_home_is_measured_and_its_trash_emptied(context: Context, home: Path) -> None:
    await disk.measure_personal(context, own(context).id)
    before = own(context)
    assert before.disk_bytes >= 150_000
    assert 100_000 <= before.trash_bytes <= 120_000
    (home / ".local/share/Trash/files/link").symlink_to(home / "mine")
    await disk.empty_trash(context, before.id)
    assert own(context).trash_bytes < 20_000
    assert list((home / ".local/share/Trash").iterdir()) == []
    assert (home / "mine").exists()


async def test_a_trash_that_is_a_link_is_left_alone(context: Context, home: Path) -> None:
    precious = home / "precious"
    (home / ".local/share/Trash").rename(precious)
    (home / ".local/share/Trash").symlink_to(precious)
    await disk.empty_trash(context, own(context).id)
    assert (precious / "files/deep/old").exists()


async def test_a_home_that_is_not_there_holds_nothing(context: Context) -> None:
    with writing(context.engine) as session:
        cast = Cast.enter(session)
        never = make.personal_lab(session, cast.people["grace"]).id
        lab = make.lab(session, make.project(session, cast.group)).id
    await disk.measure_personal(context, never)
    await disk.empty_trash(context, never)
    await disk.measure_lab(context, lab)
    await disk.empty_lab_trash(context, lab)
    with reading(context.engine) as session:
        assert session.get_one(PersonalLab, never).disk_measured_at is None
        assert session.get_one(Lab, lab).disk_bytes == 0


async def test_without_an_engine_nothing_is_lost_and_nobody_waits(
    context: Context, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await disk.measure_personal(context, own(context).id)
    known = own(context)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    context.settings.spawner = "docker"
    await disk.empty_trash(context, known.id)
    after = own(context)
    assert after.disk_bytes == known.disk_bytes
    assert after.disk_measured_at > known.disk_measured_at


async def test_running_labs_are_measured_now_and_then(context: Context, home: Path) -> None:
    with writing(context.engine) as session:
        session.get_one(PersonalLab, own(context).id).state = LabState.RUNNING
    for _ in range(2):
        await disk.enqueue_due(context)
        with reading(context.engine) as session:
            assert [job.kind for job in session.scalars(select(Job))] == ["measure_personal"]
    await disk.measure_personal(context, own(context).id)
    with writing(context.engine) as session:
        session.delete(session.scalars(select(Job)).one())
    await disk.enqueue_due(context)
    with reading(context.engine) as session:
        assert not jobs.is_any_due(session, utcnow())


async def test_a_lesson_that_cannot_be_copied_is_wanted_no_more(
    context: Context, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with writing(context.engine) as session:
        session.get_one(PersonalLab, own(context).id).wanted = ["01.ipynb"]
    await lessons.copy_before_start(context, own(context).id)
    assert own(context).wanted == ["01.ipynb"]  # the start may bring it
    await lessons.copy_lessons(context, own(context).id)
    assert own(context).wanted == []
    assert "cannot copy lessons" in caplog.text
    caplog.clear()
    await lessons.copy_lessons(context, own(context).id)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("servers", "state", "becomes", "jobs_left"),
    [
        ((), LabState.RUNNING, LabState.STOPPED, ["measure_personal"]),
        ((SERVER,), LabState.STOPPED, LabState.RUNNING, []),
        ((SERVER,), LabState.FAILED, LabState.RUNNING, []),
        ((SERVER,), LabState.RUNNING, LabState.RUNNING, []),
        ((SERVER,), LabState.STARTING, LabState.STARTING, ["start_personal"]),
        ((), LabState.STARTING, LabState.STARTING, ["start_personal"]),
        ((SERVER,), LabState.STOPPING, LabState.STOPPING, ["stop_personal"]),
        ((), LabState.STOPPING, LabState.STOPPING, ["stop_personal"]),
    ],
)
async def test_a_personal_lab_is_what_the_hub_says_and_lost_jobs_come_back(
    context: Context,
    home: Path,
    servers: tuple[Server, ...],
    state: LabState,
    becomes: LabState,
    jobs_left: list[str],
) -> None:
    with writing(context.engine) as session:
        session.get_one(PersonalLab, own(context).id).state = state
    context.hub = Hub(*servers)  # type: ignore[assignment]
    for _ in range(2):
        await watch(context)
    assert own(context).state is becomes
    with reading(context.engine) as session:
        assert [job.kind for job in session.scalars(select(Job))] == jobs_left


@pytest.mark.parametrize(
    ("state", "becomes"),
    [(LabState.STARTING, LabState.FAILED), (LabState.STOPPING, LabState.STOPPED)],
)
async def test_a_lab_whose_owner_has_no_account_any_more_comes_to_rest(
    context: Context, home: Path, state: LabState, becomes: LabState
) -> None:
    with writing(context.engine) as session:
        session.get_one(PersonalLab, own(context).id).state = state
    for work in (personal.start_personal, personal.stop_personal):
        await work(context, own(context).id)
    assert own(context).state is becomes


def add(context: Context, **values: Any) -> int:
    with writing(context.engine) as session:
        return make.dataset(session, **values).id


def found(context: Context, number: int) -> Dataset:
    with reading(context.engine) as session:
        return session.get_one(Dataset, number)


@pytest.mark.parametrize("kind", list(DatasetKind))
async def test_without_containers_a_dataset_says_why_it_cannot_be(
    context: Context, kind: DatasetKind
) -> None:
    number = add(context, kind=kind, state=DatasetState.PREPARING, lab_uid=UID)
    await datasets.prepare_dataset(context, number)
    assert found(context, number).state is DatasetState.FAILED
    assert "SOPHON_SPAWNER=docker" in found(context, number).message


async def test_a_dataset_that_cannot_be_read_again_keeps_its_manifest(context: Context) -> None:
    number = add(context, manifest="1  ./a\n")
    await datasets.verify_dataset(context, number)
    after = found(context, number)
    assert (after.state, after.verified_at) == (DatasetState.READY, None)
    assert "SOPHON_SPAWNER=docker" in after.message


async def test_jobs_that_came_too_late_do_nothing(context: Context) -> None:
    number = add(context, state=DatasetState.READY)
    for late in (number, number + 1):
        await asyncio.gather(
            datasets.prepare_dataset(context, late), datasets.verify_dataset(context, late)
        )
    assert found(context, number).message == ""
