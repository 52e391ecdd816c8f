"""What happens between two steps of bringing material, and on disks that can do less."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sophon_hub.volumes import deliver, delivered, tree
from tests.volumes.homes import DAY, FOLDER, World

V1 = {"a.txt": b"one"}
V2 = {"a.txt": b"two", "b.txt": b"new"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def pull(world: World, capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, Any]]:
    """Get the material in this process, so that something can happen meanwhile."""

    def work() -> dict[str, Any]:
        deliver.main("pull", str(world.home), FOLDER, str(world.root / "material"), DAY)
        found: dict[str, Any] = json.loads(capsys.readouterr().out)["files"]
        return found

    return work


def test_what_is_saved_at_the_very_moment_is_not_overwritten(
    world: World, pull: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.pull(V1)
    world.publish(V2)
    stage = delivered.Home.stage

    def save_meanwhile(home: Any, entry: Any, *arguments: Any, **options: Any) -> None:
        stage(home, entry, *arguments, **options)
        saved = world.top / entry["path"]
        (world.top / "saving").write_bytes(b"mine " + saved.name.encode())
        (world.top / "saving").rename(saved)

    monkeypatch.setattr(delivered.Home, "stage", save_meanwhile)
    assert pull() == {
        "conflict": [["a.txt", "a.new-2026-11-22.txt"], ["b.txt", "b.new-2026-11-22.txt"]]
    }
    assert world.tree() == {
        "a.txt": b"mine a.txt",
        "b.txt": b"mine b.txt",
        "a.new-2026-11-22.txt": b"two",
        "b.new-2026-11-22.txt": b"new",
    }
    world.undo()
    assert world.tree() == {"a.txt": b"mine a.txt", "b.txt": b"mine b.txt"}


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(
    world: World, pull: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = world.root / "outside"
    outside.mkdir()
    world.pull({"week/a": b"one"})
    world.publish({"week/a": b"two"})
    stage = delivered.Home.stage

    def link_meanwhile(*arguments: Any, **options: Any) -> None:
        stage(*arguments, **options)
        (world.top / "week").rename(world.top / "other")
        (world.top / "week").symlink_to(outside)

    monkeypatch.setattr(delivered.Home, "stage", link_meanwhile)
    assert pull() == {"blocked": [["week/a", ""]]}
    assert list(outside.iterdir()) == []
    assert (world.top / "other/a").read_bytes() == b"one"


def test_a_disk_that_is_full_changes_nothing(
    world: World, pull: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.pull(V1)
    world.publish(V2)
    store = world.home / ".sophon/material/optics"
    before = {path.name for path in store.iterdir()}

    def no_room(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(delivered.os, "fsync", no_room)
        with pytest.raises(SystemExit, match="disk is full"):
            pull()
    assert world.tree() == V1
    assert {path.name for path in store.iterdir()} - {"record.new"} == before
    assert set(pull()) == {"added", "updated"}
    world.undo()
    assert world.tree() == V1


def test_a_disk_that_is_full_for_a_fresh_copy_leaves_the_last_time_to_be_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.pull(V1)
    world.pull(V2)
    world.write("b.txt", b"mine")

    def no_room(_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(delivered.os, "fsync", no_room)
        with pytest.raises(SystemExit, match="disk is full"):
            deliver.main(
                "fresh", str(world.home), FOLDER, str(world.root / "material"), DAY, "b.txt"
            )
    assert world.tree() == V2 | {"b.txt": b"mine"}
    assert world.undo()["restored"] == [("a.txt", "")]


def test_material_that_cannot_be_read_changes_nothing(world: World) -> None:
    world.pull(V1)
    world.publish(V2)
    (world.root / "material/files/b.txt").unlink()
    with pytest.raises(FileNotFoundError):
        deliver.main("pull", str(world.home), FOLDER, str(world.root / "material"), DAY)
    assert world.tree() == V1


class TestADiskThatCannotExchangeNames:
    """Such as some network file systems."""

    @pytest.fixture(autouse=True)
    def without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def renameat2(*_: Any) -> int:
            tree.ctypes.set_errno(errno.EINVAL)
            return -1

        class Library:
            pass

        library = Library()
        library.renameat2 = renameat2  # type: ignore[attr-defined]
        monkeypatch.setattr(tree.ctypes, "CDLL", lambda *_, **__: library)

    def run(self, world: World, command: str, *arguments: str) -> None:
        place = [] if command == "undo" else [str(world.root / "material")]
        deliver.main(command, str(world.home), FOLDER, *place, DAY, *arguments)

    def test_everything_works_all_the_same(self, world: World) -> None:
        world.publish(V1)
        self.run(world, "pull")
        world.publish(V2)
        self.run(world, "pull")
        assert world.tree() == V2
        world.write("a.txt", b"mine")
        world.write("a.mine-2026-11-22.txt", b"mine, too")
        self.run(world, "fresh", "a.txt")
        assert world.tree() == V2 | {
            "a.mine-2026-11-22.txt": b"mine, too",
            "a.mine-2026-11-22-2.txt": b"mine",
        }
        self.run(world, "undo")
        assert world.tree() == {"a.txt": b"mine", "a.mine-2026-11-22.txt": b"mine, too"}

    def test_a_c_library_that_does_not_know_it_is_no_obstacle(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tree.ctypes, "CDLL", lambda *_, **__: object())
        self.test_everything_works_all_the_same(world)


def test_a_disk_that_refuses_for_another_reason_is_not_asked_twice(world: World) -> None:
    with pytest.raises(FileNotFoundError):
        tree.rename2(0, "/nowhere/a", 0, "/nowhere/b", tree.EXCHANGE)
