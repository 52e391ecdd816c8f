"""The worker sees to it that no lab fills the disk; on a hub without containers."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from sophon_hub.models import AuditEvent, Job, Lab, LabState, PersonalLab
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from sophon_hub.volumes import room
from sophon_hub.worker import disk
from sophon_hub.worker import room as watching
from sophon_hub.worker.context import Context
from sophon_hub.worker.room import RoomWatch
from tests import make
from tests.cast import Cast

MEGABYTE = 1024**2
FLOOR = 1024 * MEGABYTE
PERSONAL = "a" * 32


class Disk:
    """The disk as the worker sees it: how much is free is what the test says."""

    def __init__(self) -> None:
        self.free = FLOOR + MEGABYTE
        self.looks = 0

    def look(self, settings: Sophon) -> room.Room:
        self.looks += 1
        return room.Room(self.free, near=True)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Disk:
    seen = Disk()
    monkeypatch.setattr(room, "look", seen.look)
    monkeypatch.setattr(watching, "GROWTH", MEGABYTE)
    monkeypatch.setattr(watching, "GOING_ON", MEGABYTE)
    return seen


@pytest.fixture
def context(sqlite_engine: Engine, tmp_path: Path) -> Context:
    """Two labs of a project and Grace's own, all running, each with nothing in its home."""
    settings = Sophon(
        data_dir=str(tmp_path),
        spawner="process",
        disk_floor="1G",
        home_hard_quota="2M",
        home_stop_quota="4M",
    )
    with writing(sqlite_engine) as session:
        cast = Cast.enter(session)
        project = make.project(session, cast.group)
        homes = [make.lab(session, project, slug, state=LabState.RUNNING) for slug in "ab"]
        own = make.personal_lab(
            session, cast.people["grace"], state=LabState.RUNNING, home_uid=PERSONAL
        )
        for uid in (*(lab.uid for lab in homes), PERSONAL):
            (tmp_path / "homes" / uid).mkdir(parents=True, mode=0o700)
        for lab in (*homes, own):
            lab.disk_bytes = 4096
    return Context(sqlite_engine, None, settings)  # type: ignore[arg-type]


def uid_of(context: Context, slug: str) -> str:
    with reading(context.engine) as session:
        return session.scalars(select(Lab.uid).where(Lab.slug == slug)).one()


def fill(context: Context, uid: str, megabytes: int) -> None:
    path = Path(context.settings.data_dir, "homes", uid, "file")
    path.write_bytes(b"x" * (megabytes * MEGABYTE))


def states(context: Context) -> dict[str, LabState]:
    with reading(context.engine) as session:
        found = {lab.slug: lab.state for lab in session.scalars(select(Lab))}
        return found | {"own": session.scalars(select(PersonalLab)).one().state}


def set_state(context: Context, slug: str, state: LabState) -> None:
    with writing(context.engine) as session:
        session.scalars(select(Lab).where(Lab.slug == slug)).one().state = state


def stopping(context: Context) -> list[str]:
    return [name for name, state in states(context).items() if state is LabState.STOPPING]


async def test_who_fills_the_disk_is_stopped_and_nobody_else(context: Context, seen: Disk) -> None:
    watch = RoomWatch(context)
    await watch.look()
    fill(context, uid_of(context, "a"), 3)
    fill(context, uid_of(context, "b"), 2)
    await watch.look()
    assert stopping(context) == []

    seen.free = FLOOR - 1
    for _ in range(3):
        await watch.look()
    assert stopping(context) == ["a"]
    assert watch.free_bytes == FLOOR - 1
    with reading(context.engine) as session:
        assert [job.kind for job in session.scalars(select(Job))] == ["stop_lab"]
        [event] = session.scalars(select(AuditEvent))
        assert (event.action, event.subject, event.actor) == ("lab:halt", "lens/a", None)
        assert "hardly any room" in event.detail["reason"]
    assert Path(context.settings.data_dir, "homes", uid_of(context, "a"), "file").exists()


async def test_what_was_there_before_stops_nobody(context: Context, seen: Disk) -> None:
    fill(context, PERSONAL, 3)
    with writing(context.engine) as session:
        session.scalars(select(PersonalLab)).one().disk_bytes = 3 * MEGABYTE
    seen.free = 0
    await RoomWatch(context).look()
    assert stopping(context) == []


async def test_the_next_one_is_stopped_only_when_room_goes_on_being_lost(
    context: Context, seen: Disk
) -> None:
    watch = RoomWatch(context)
    fill(context, uid_of(context, "a"), 3)
    fill(context, PERSONAL, 2)
    seen.free = FLOOR // 2
    await watch.look()
    assert stopping(context) == ["a"]
    seen.free -= 100 * MEGABYTE  # what the lab writes to its end
    await watch.look()
    set_state(context, "a", LabState.STOPPED)
    for _ in range(3):
        await watch.look()
    assert stopping(context) == []
    seen.free -= 2 * MEGABYTE
    await watch.look()
    assert stopping(context) == ["own"]
    with reading(context.engine) as session:
        event = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert (event.action, event.subject) == ("personal:halt", "grace")


async def test_homes_are_not_read_again_while_nothing_more_is_lost(
    context: Context, seen: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []
    real = room.measure_all
    monkeypatch.setattr(room, "measure_all", lambda *args: (measured.append(args), real(*args))[1])
    watch = RoomWatch(context)
    seen.free = FLOOR - 1
    for _ in range(3):
        await watch.look()
    assert len(measured) == 1
    fill(context, uid_of(context, "b"), 2)
    seen.free -= 2 * MEGABYTE
    await watch.look()
    assert len(measured) == 2
    assert stopping(context) == ["b"]


async def test_who_was_stopped_starts_to_clean_up_only_until_there_is_room(
    context: Context, seen: Disk
) -> None:
    watch = RoomWatch(context)
    fill(context, uid_of(context, "a"), 2)

    def is_held() -> bool:
        with reading(context.engine) as session:
            return session.scalars(select(Lab.filled_disk).where(Lab.slug == "a")).one()

    for free, held in (
        (FLOOR - 1, True),
        (FLOOR + 1, True),  # hardly more
        (2 * FLOOR, False),
    ):
        seen.free = free
        await watch.look()
        assert is_held() is held


async def test_a_worker_that_was_started_anew_lets_them_start_when_there_is_room(
    context: Context, seen: Disk
) -> None:
    with writing(context.engine) as session:
        session.scalars(select(PersonalLab)).one().filled_disk = True
    seen.free = 2 * FLOOR
    await RoomWatch(context).look()
    with reading(context.engine) as session:
        assert session.scalars(select(PersonalLab)).one().filled_disk is False


async def test_an_engine_that_does_not_answer_is_noted_once(
    context: Context, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setattr(watching, "FAR_SECONDS", 0.0)
    context.settings.spawner = "docker"
    room._root_here.cache_clear()
    watch = RoomWatch(context)
    for _ in range(3):
        await watch.look()
    assert watch.free_bytes is None
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "cannot look at the disk of the homes"
    ]


async def test_an_engine_elsewhere_is_not_asked_all_the_time(
    context: Context, seen: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        room, "look", lambda settings: asked.append(1) or room.Room(FLOOR * 2, near=False)
    )
    watch = RoomWatch(context)
    for _ in range(3):
        await watch.look()
    assert len(asked) == 1


async def test_the_room_of_a_hub_without_containers_is_that_of_its_directory(
    context: Context,
) -> None:
    found = room.look(context.settings)
    assert found.near
    assert found.free_bytes > 0


@pytest.mark.parametrize(("size", "stops"), [(3, False), (5, True)])
async def test_a_running_lab_is_stopped_beyond_what_its_home_may_hold(
    context: Context, size: int, stops: bool
) -> None:
    fill(context, PERSONAL, size)
    with reading(context.engine) as session:
        number = session.scalars(select(PersonalLab)).one().id
    await disk.measure_personal(context, number)
    assert stopping(context) == (["own"] if stops else [])
    with reading(context.engine) as session:
        assert session.scalars(select(PersonalLab)).one().filled_disk is False


async def test_who_cleans_up_is_not_stopped_for_what_there_is(context: Context) -> None:
    with writing(context.engine) as session:
        own = session.scalars(select(PersonalLab)).one()
        own.clean_up = True
        number = own.id
    fill(context, PERSONAL, 5)
    await disk.measure_personal(context, number)
    assert stopping(context) == []


async def test_a_lab_that_has_stopped_meanwhile_is_left_alone(context: Context) -> None:
    set_state(context, "a", LabState.STOPPED)
    fill(context, uid_of(context, "a"), 5)
    with reading(context.engine) as session:
        number = session.scalars(select(Lab.id).where(Lab.slug == "a")).one()
    await disk.measure_lab(context, number)
    assert states(context)["a"] is LabState.STOPPED
