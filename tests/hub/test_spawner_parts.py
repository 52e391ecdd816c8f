"""The parts of the spawner that need no Hub and no engine."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dockerspawner import DockerSpawner
from jupyterhub.spawner import SimpleLocalProcessSpawner, SpawnException

import sophon_hub.spawner as package
from sophon_hub.settings import Sophon
from sophon_hub.spawner import crashes, make_project_spawner
from sophon_hub.spawner.plan import lab_plan, personal_plan, personal_uid
from sophon_hub.spawner.progress import ProgressBoard
from sophon_hub.spawner.pull import _percent
from sophon_hub.spawner.static_files import ADDRESS, APP_DIR, add
from sophon_hub.store.launch import LaunchSpec
from sophon_hub.store.personal import PersonalSpec

SPEC = {
    "uid": "u1",
    "group_slug": "optics",
    "project_slug": "lenses",
    "lab_slug": "bench",
    "lab_name": "Bench",
    "image": "lab",
    "internet": False,
    "cpu_limit": None,
    "memory_limit": None,
    "deleted": False,
}


def spec(**changes: Any) -> LaunchSpec:
    return LaunchSpec(**{**SPEC, **changes})


async def test_late_listeners_hear_everything_from_the_beginning() -> None:
    board = ProgressBoard()
    board.post(5, "one")
    early = asyncio.create_task(collect(board))
    board.post(50, "two")
    late = asyncio.create_task(collect(board))
    await asyncio.sleep(0)
    board.post(75, "three")
    board.close()

    everything = ["one", "two", "three"]
    assert [await early, await late, await collect(board)] == [everything] * 3


async def collect(board: ProgressBoard) -> list[str]:
    return [event["message"] async for event in board.listen()]


async def test_progress_never_goes_back_nor_repeats_itself() -> None:
    board = ProgressBoard()
    for progress, message in ((10, "a"), (60, "b"), (60, "b"), (20, "c"), (300, "d")):
        board.post(progress, message)
    board.close()
    board.post(50, "too late")

    assert [event async for event in board.listen()] == [
        {"progress": 10, "message": "a"},
        {"progress": 60, "message": "b"},
        {"progress": 60, "message": "c"},
        {"progress": 99, "message": "d"},
    ]


def test_the_percentage_is_over_all_layers() -> None:
    layers: dict[str, tuple[int, int]] = {}

    def line(layer: str, status: str, current: int = 0, total: int = 0) -> int:
        detail = {"current": current, "total": total} if total else {}
        return _percent(layers, {"id": layer, "status": status, "progressDetail": detail})

    assert line("a", "Pulling fs layer") == 0
    assert line("a", "Downloading", 50, 100) == 50
    assert line("b", "Downloading", 0, 300) == 12
    assert line("a", "Download complete") == 25
    assert line("b", "Pull complete") == 100


def test_a_site_that_serves_jupyterlabs_files_elsewhere_is_left_alone() -> None:
    shared = [f"{ADDRESS}/services/sophon/lab-static/d", f"{APP_DIR}/opt/lab"]
    usual = ["jupyterhub-singleuser", "--LabApp.default_url=/lab"]

    assert add(usual, shared) == [*usual, *shared]
    for others in ([f"{ADDRESS}https://files.example.edu/lab"], [f"{APP_DIR}/srv"], [ADDRESS]):
        assert add([*usual, *others], shared) == [*usual, *others]


def test_a_plan_takes_defaults_where_the_lab_says_nothing() -> None:
    settings = Sophon(cpu_limit=3.0, memory_limit="3G", pids_limit=99)

    plan = lab_plan(settings, spec())

    assert (plan.cpu_limit, plan.memory_limit, plan.pids_limit) == (3.0, 3 * 1024**3, 99)
    assert (plan.image, plan.internet, plan.uid) == ("sophon-hub/lab:latest", False, "u1")


def test_a_plan_keeps_to_the_highest_limits() -> None:
    settings = Sophon(max_cpu_limit=4.0, max_memory_limit="4G")

    plan = lab_plan(settings, spec(cpu_limit=64.0, memory_limit=1024**5))

    assert (plan.cpu_limit, plan.memory_limit) == (4.0, 4 * 1024**3)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        (None, 404),
        ({"deleted": True}, 404),
        ({"image": "unknown"}, 409),
        ({"disk_bytes": 1024**4}, 409),
        ({"filled_disk": True}, 409),
    ],
)
def test_what_cannot_run_is_refused_with_a_sentence(
    changed: dict[str, Any] | None, status: int
) -> None:
    with pytest.raises(SpawnException) as refused:
        lab_plan(Sophon(home_hard_quota="1G"), None if changed is None else spec(**changed))

    assert refused.value.status_code == status
    assert refused.value.message.endswith(".")
    assert refused.value.reason


def test_a_full_lab_that_is_to_clean_up_gets_enough_to_delete_and_no_internet() -> None:
    settings = Sophon(home_hard_quota="1M")

    for clean_up, cpu_limit in ((True, 0.5), (False, 4.0)):
        size = 1024**2 + clean_up
        full = spec(disk_bytes=size, clean_up=clean_up, internet=True, cpu_limit=4.0)
        plan = lab_plan(settings, full)
        assert (plan.cpu_limit, plan.internet) == (cpu_limit, not clean_up)


def test_a_personal_home_follows_the_account_not_the_name() -> None:
    born = datetime(2026, 1, 1, tzinfo=UTC)
    ada = SimpleNamespace(id=1, name="ada", created=born)
    renamed = SimpleNamespace(id=1, name="ada-lovelace", created=born)
    again = SimpleNamespace(id=1, name="ada", created=datetime(2026, 1, 2, tzinfo=UTC))
    other = SimpleNamespace(id=2, name="ada", created=born)

    uids = [personal_uid(user) for user in (ada, renamed, again, other)]

    assert uids[0] == uids[1]
    assert len(set(uids)) == 3
    plan = personal_plan(Sophon(), uids[0], PersonalSpec(None, None, False, frozenset()))
    assert plan.kind == "personal"


def test_only_the_newest_crash_logs_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crashes, "KEPT_FILES", 3)
    settings = Sophon(data_dir=str(tmp_path / "data"))

    kept = [crashes.keep_log(settings, f"u{9 - i}", "It died.", b"last words") for i in range(5)]

    assert [path.exists() for path in kept] == [False, False, True, True, True]
    assert kept[-1].read_text() == "It died.\n\nlast words"
    assert kept[-1].stat().st_mode & 0o077 == 0


def test_a_crash_log_has_an_end_of_bounded_size(tmp_path: Path) -> None:
    settings, said = Sophon(data_dir=str(tmp_path / "data")), b"x" * 10_000_000 + b"last words"

    kept = crashes.keep_log(settings, "u1", "It died.", said).read_bytes()

    assert kept.startswith(b"It died.\n\nxxx")
    assert kept.endswith(b"xlast words")
    assert len(kept) * crashes.KEPT_FILES < 7_000_000


def test_made_classes_are_where_configuration_and_logs_look_for_them() -> None:
    for name, base in (
        ("SophonDockerSpawner", DockerSpawner),
        ("SophonProcessSpawner", SimpleLocalProcessSpawner),
    ):
        made = getattr(package, name)
        assert made.__module__ == "sophon_hub.spawner"
        assert made.__name__ == name
        assert issubclass(made, base)
        assert "manage_people" in made.class_trait_names(config=True)


def test_a_spawner_can_be_made_over_any_other() -> None:
    class Other(DockerSpawner):
        pass

    made = make_project_spawner(Other)

    assert made.__name__ == "SophonOther"
    assert issubclass(made, Other)
