"""What nbgitpuller's tracker has open, as it was reported there, and what happens here."""

from pathlib import Path

import pytest

from tests.volumes.homes import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


README = {"README.md": b"read me", "other.txt": b"x"}


def test_265_a_file_deleted_upstream_and_edited_here_is_kept(world: World) -> None:
    """Merge fails if you delete a file remotely, and edit it locally."""
    world.pull(README)
    world.write("README.md", b"my notes")
    assert world.pull({"other.txt": b"x"}) == {"withdrawn": [("README.md", "")]}
    assert world.tree() == {"README.md": b"my notes", "other.txt": b"x"}
    assert world.pull({"other.txt": b"y"})["updated"] == [("other.txt", "")]


@pytest.mark.parametrize("moved", [True, False])
def test_69_a_file_edited_here_and_moved_or_deleted_upstream_is_kept_and_told(
    world: World, moved: bool
) -> None:
    """Automagically resolve conflicts upon remote deletion/moves."""
    world.pull({"A/b": b"task"})
    world.write("A/b", b"solved")
    done = world.pull({"A/c": b"task"} if moved else {"z": b"z"})
    assert done["withdrawn"] == [("A/b", "")]
    assert done["added"] == [("A/c" if moved else "z", "")]
    assert world.tree()["A/b"] == b"solved"


@pytest.mark.parametrize("again", [b"task", b"another task"])
def test_69_a_file_that_comes_back_upstream_does_not_replace_the_one_edited_here(
    world: World, again: bytes
) -> None:
    """As in the comments: the instructor adds the deleted file back."""
    world.pull({"A/b": b"task", "z": b"z"})
    world.write("A/b", b"solved")
    world.pull({"z": b"z"})
    done = world.pull({"A/b": again, "z": b"z"})
    assert world.tree()["A/b"] == b"solved"
    if again == b"task":
        assert done == {"kept": [("A/b", "")]}
    else:
        assert done == {"conflict": [("A/b", "b.new-2026-11-22")]}
        assert world.tree()["A/b.new-2026-11-22"] == again


@pytest.mark.parametrize("got_between", [True, False])
@pytest.mark.parametrize("edited", [True, False])
def test_196_a_file_that_is_added_and_then_removed_upstream_stops_nothing(
    world: World, got_between: bool, edited: bool
) -> None:
    """Issue when file is added and then removed from repo."""
    world.pull(README)
    world.publish(README | {"large.bin": b"0" * 1000})
    if got_between:
        world.pull()
        if edited:
            world.write("large.bin", b"mine")
    newer = README | {"other.txt": b"newer"}
    assert world.pull(newer)["updated"] == [("other.txt", "")]
    kept = {"large.bin": b"mine" if edited else b"0" * 1000} if got_between else {}
    assert world.tree() == newer | kept


def test_254_a_file_changed_brought_again_and_then_deleted_stops_nothing(world: World) -> None:
    """Sync fails after deleting previously changed file."""
    world.pull(README)
    world.write("README.md", b"mine")
    world.pull(README | {"other.txt": b"y"})
    (world.top / "README.md").unlink()
    done = world.pull({"README.md": b"read me again", "other.txt": b"z"})
    assert done == {"deleted": [("README.md", "")], "updated": [("other.txt", "")]}
    assert world.fresh("README.md") == {"added": [("README.md", "")]}
    assert world.tree() == {"README.md": b"read me again", "other.txt": b"z"}


def test_234_a_file_deleted_here_and_upstream_is_forgotten(world: World) -> None:
    """Reset deleted files fails when a file is deleted from both."""
    world.pull(README)
    (world.top / "README.md").unlink()
    assert world.pull({"other.txt": b"x"}) == {}
    assert world.tree() == {"other.txt": b"x"}
