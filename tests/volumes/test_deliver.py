"""Course material in homes: the helper's program, run on real files."""

import os
import shutil
from pathlib import Path

import pytest

from sophon_hub.volumes.deliver import decide
from sophon_hub.volumes.tree import BLOCKED, OTHER
from tests.volumes.homes import World

V1 = {"week1/intro.ipynb": b"one", "data/stars.csv": b"1,2\n"}
V2 = {"week1/intro.ipynb": b"two", "data/stars.csv": b"1,2\n", "week2/lab.ipynb": b"new"}
BESIDE = "intro.new-2026-11-22.ipynb"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("base", "here", "new", "becomes"),
    [
        (None, None, "n", "added"),
        ("b", "b", "n", "updated"),
        ("b", "h", "b", "kept"),
        ("b", "h", "n", "conflict"),
        (None, "h", "n", "conflict"),
        ("b", None, "b", "deleted"),
        ("b", None, "n", "deleted"),
        ("b", "b", None, "withdrawn"),
        ("b", "h", None, "withdrawn"),
        ("b", None, None, "forgotten"),
        ("b", "n", "n", "same"),
        (None, "n", "n", "same"),
        ("b", OTHER, "n", "conflict"),
        ("b", OTHER, "b", "kept"),
        (None, BLOCKED, "n", "blocked"),
    ],
)
def test_what_becomes_of_a_file_follows_from_three_digests(
    base: str | None, here: str | None, new: str | None, becomes: str
) -> None:
    assert decide(base, here, new) == becomes


def test_the_first_time_everything_is_added(world: World) -> None:
    assert world.pull(V1) == {"added": [("data/stars.csv", ""), ("week1/intro.ipynb", "")]}
    assert world.tree() == V1


def test_what_was_not_changed_is_updated_and_the_rest_left_alone(world: World) -> None:
    world.pull(V1)
    assert world.pull(V2) == {
        "updated": [("week1/intro.ipynb", "")],
        "added": [("week2/lab.ipynb", "")],
    }
    assert world.tree() == V2


def test_a_file_that_was_changed_stays_and_the_new_version_is_put_beside_it(world: World) -> None:
    world.pull(V1)
    world.write("week1/intro.ipynb", b"mine")
    assert world.pull()["kept"] == [("week1/intro.ipynb", "")]
    assert world.pull(V2)["conflict"] == [("week1/intro.ipynb", BESIDE)]
    assert world.tree() == V2 | {"week1/intro.ipynb": b"mine", f"week1/{BESIDE}": b"two"}


def test_a_conflict_is_told_once(world: World) -> None:
    world.pull(V1)
    world.write("week1/intro.ipynb", b"mine")
    world.pull(V2)
    before = world.tree()
    assert world.pull() == {"kept": [("week1/intro.ipynb", "")]}
    assert world.tree() == before


def test_every_further_version_of_a_changed_file_gets_a_name_of_its_own(world: World) -> None:
    world.pull(V1)
    world.write("week1/intro.ipynb", b"mine")
    world.pull(V2)
    world.write(f"week1/{BESIDE}", b"mine, too")
    third = world.pull(V2 | {"week1/intro.ipynb": b"three"})
    assert third["conflict"] == [("week1/intro.ipynb", "intro.new-2026-11-22-2.ipynb")]
    assert world.tree()[f"week1/{BESIDE}"] == b"mine, too"
    assert world.tree()["week1/intro.new-2026-11-22-2.ipynb"] == b"three"


def test_a_new_version_that_is_beside_already_is_not_put_there_twice(world: World) -> None:
    world.write("week1/intro.ipynb", b"mine")
    world.write(f"week1/{BESIDE}", b"one")
    assert world.pull(V1)["conflict"] == [("week1/intro.ipynb", BESIDE)]
    assert {path.name for path in (world.top / "week1").iterdir()} == {"intro.ipynb", BESIDE}


def test_a_file_that_had_the_name_first_is_kept(world: World) -> None:
    world.write("week1/intro.ipynb", b"mine")
    assert world.pull(V1)["conflict"] == [("week1/intro.ipynb", BESIDE)]
    assert world.tree()["week1/intro.ipynb"] == b"mine"


def test_a_file_that_is_there_already_with_the_same_bytes_counts_as_brought(world: World) -> None:
    world.write("week1/intro.ipynb", b"one")
    world.pull(V1)
    assert world.pull(V2)["updated"] == [("week1/intro.ipynb", "")]


def test_a_deleted_file_stays_deleted_until_a_fresh_copy_is_asked_for(world: World) -> None:
    world.pull(V1)
    (world.top / "week1/intro.ipynb").unlink()
    assert world.pull(V2)["deleted"] == [("week1/intro.ipynb", "")]
    assert not (world.top / "week1/intro.ipynb").exists()
    assert world.fresh("week1/intro.ipynb") == {"added": [("week1/intro.ipynb", "")]}
    assert world.tree() == V2
    assert world.pull() == {}


def test_a_fresh_copy_moves_ones_own_version_aside_byte_for_byte(world: World) -> None:
    world.pull(V1)
    mine = os.urandom(3_000_000)
    world.write("week1/intro.ipynb", mine)
    (world.top / "week1/intro.ipynb").chmod(0o600)
    aside = "intro.mine-2026-11-22.ipynb"
    assert world.fresh("week1/intro.ipynb") == {"fresh": [("week1/intro.ipynb", aside)]}
    assert world.tree() == V1 | {f"week1/{aside}": mine}
    assert (world.top / "week1" / aside).stat().st_mode & 0o777 == 0o600
    world.write("week1/intro.ipynb", b"again")
    assert world.fresh("week1/intro.ipynb")["fresh"][0][1] == "intro.mine-2026-11-22-2.ipynb"
    assert world.tree()[f"week1/{aside}"] == mine


def test_a_fresh_copy_of_what_is_as_it_should_be_changes_nothing(world: World) -> None:
    world.pull(V1)
    assert world.fresh("week1/intro.ipynb") == {}
    assert world.tree() == V1


def test_a_fresh_copy_of_what_the_material_does_not_have_is_refused(world: World) -> None:
    world.pull(V1)
    world.write("own.txt", b"mine")
    for path in ("own.txt", "../../etc/passwd", ""):
        assert world.run("fresh", path) is None
        assert "has no file" in world.said


def test_what_left_the_material_stays_in_the_home(world: World) -> None:
    world.pull(V1)
    without = {"data/stars.csv": b"1,2\n"}
    assert world.pull(without) == {"withdrawn": [("week1/intro.ipynb", "")]}
    assert world.tree() == V1
    (world.top / "week1/intro.ipynb").unlink()
    assert world.pull() == {}


# -- undo


def test_undo_brings_back_the_state_before_the_last_time(world: World) -> None:
    world.pull(V1)
    world.write("data/stars.csv", b"mine")
    before = world.tree()
    world.pull(V2 | {"data/stars.csv": b"3,4\n"})
    done = world.undo()
    assert set(done) == {"restored"}
    assert world.tree() == before
    assert not (world.top / "week2").exists()
    # and as it never happened, it happens again
    assert set(world.pull()) == {"added", "updated", "conflict"}


def test_undo_leaves_what_was_changed_since(world: World) -> None:
    world.pull(V1)
    world.pull(V2)
    world.write("week2/lab.ipynb", b"solved")
    done = world.undo()
    assert done == {
        "left": [("week2/lab.ipynb", "")],
        "restored": [("week1/intro.ipynb", "")],
    }
    assert world.tree() == V1 | {"week2/lab.ipynb": b"solved"}


def test_undo_takes_fresh_copies_back_too(world: World) -> None:
    world.pull(V1)
    world.pull(V2)
    world.write("week1/intro.ipynb", b"mine")
    world.fresh("week1/intro.ipynb")
    world.undo()
    # the fresh copy first, and then what it replaced is no longer what was brought
    assert world.tree()["week1/intro.ipynb"] == b"mine"
    assert "week2/lab.ipynb" not in world.tree()


def test_undo_works_once_and_says_so(world: World) -> None:
    assert world.run("undo") is None
    assert "nothing to undo" in world.said
    world.pull(V1)
    world.undo()
    assert world.tree() == {}
    assert world.run("undo") is None


def test_a_pull_that_brings_nothing_leaves_the_last_one_to_be_undone(world: World) -> None:
    world.pull(V1)
    world.pull()
    world.undo()
    assert world.tree() == {}


def test_undo_that_finds_what_was_set_aside_gone_leaves_the_fresh_copy(world: World) -> None:
    world.pull(V1)
    world.pull(V2)
    world.write("week1/intro.ipynb", b"mine")
    world.fresh("week1/intro.ipynb")
    (world.top / "week1/intro.mine-2026-11-22.ipynb").rename(world.home / "elsewhere")
    assert ("week1/intro.ipynb", "intro.mine-2026-11-22.ipynb") in world.undo()["left"]
    assert (world.home / "elsewhere").read_bytes() == b"mine"


def test_what_somebody_wrote_into_what_was_kept_is_put_back(world: World) -> None:
    """A program that had the file open while it was replaced goes on writing into the old one."""
    world.pull(V1)
    with (world.top / "week1/intro.ipynb").open("ab") as still_open:
        world.pull(V2)
        still_open.write(b" and more")
    world.pull(V2 | {"week3.txt": b"x"})
    assert world.tree()["week1/intro.mine-2026-11-22.ipynb"] == b"one and more"


# -- names, links, and hostile homes


NAMES = [
    "with space.txt",
    "Übung 1 — Lösung 😀.ipynb",
    "-rf",
    "--help/-x",
    ".hidden",
    "new\nline",
    "e\u0301.txt",  # not the same as é
    "\u00e9.txt",
    "x" * 250 + ".txt",
    "no.ending." + "y" * 60,
    "deep/" * 40 + "file",
]


def test_names_are_taken_as_they_are(world: World) -> None:
    world.pull(dict.fromkeys(NAMES, b"one"))
    assert world.tree() == dict.fromkeys(NAMES, b"one")
    for name in NAMES:
        world.write(name, b"mine")
    conflicts = dict(world.pull(dict.fromkeys(NAMES, b"two"))["conflict"])
    assert set(conflicts) == set(NAMES)
    for name, beside in conflicts.items():
        assert (world.top / name).read_bytes() == b"mine"
        assert (world.top / name).with_name(beside).read_bytes() == b"two"
        assert ".new-2026-11-22" in beside
        assert len(os.fsencode(beside)) <= 255


@pytest.mark.parametrize(
    "place", [".sophon", "optics", ".sophon/material", ".sophon/material/optics"]
)
def test_a_home_with_a_link_where_a_folder_should_be_is_refused(world: World, place: str) -> None:
    outside = world.root / "outside"
    outside.mkdir()
    (world.home / place).parent.mkdir(parents=True, exist_ok=True)
    (world.home / place).symlink_to(outside)
    world.publish(V1)
    assert world.run("pull") is None
    assert "rename it" in world.said
    assert list(outside.iterdir()) == []


def test_nothing_is_brought_through_a_link(world: World) -> None:
    outside = world.root / "outside"
    outside.mkdir()
    (outside / "intro.ipynb").write_bytes(b"one")
    world.top.mkdir()
    (world.top / "week1").symlink_to(outside)
    assert world.pull(V1)["blocked"] == [("week1/intro.ipynb", "")]
    report = world.run("fresh", "week1/intro.ipynb")
    assert report
    assert report["counts"] == {"blocked": 1}
    assert [path.name for path in outside.iterdir()] == ["intro.ipynb"]
    (world.top / "week1").unlink()
    assert world.pull()["added"] == [("week1/intro.ipynb", "")]
    (outside / "intro.ipynb").read_bytes()


def test_a_link_with_the_name_of_a_file_is_the_persons_own(world: World) -> None:
    precious = world.root / "precious"
    precious.write_bytes(b"p")
    world.pull(V1)
    (world.top / "week1/intro.ipynb").unlink()
    (world.top / "week1/intro.ipynb").symlink_to(precious)
    assert world.pull(V2)["conflict"] == [("week1/intro.ipynb", BESIDE)]
    assert world.fresh("week1/intro.ipynb")["fresh"][0][1] == "intro.mine-2026-11-22.ipynb"
    assert (world.top / "week1/intro.ipynb").read_bytes() == b"two"
    assert precious.read_bytes() == b"p"
    world.undo()
    assert (world.top / "week1/intro.ipynb").readlink() == precious


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_and_has_its_name_stays_what_it_is(world: World, kind: str) -> None:
    world.top.mkdir()
    place = world.top / "a"
    if kind == "folder":
        place.mkdir()
        (place / "own").write_bytes(b"mine")
    else:
        os.mkfifo(place)
    assert world.pull({"a": b"one"})["conflict"] == [("a", "a.new-2026-11-22")]
    assert world.fresh("a") == {"fresh": [("a", "a.mine-2026-11-22")]}
    assert place.read_bytes() == b"one"
    world.undo()
    assert place.is_dir() == (kind == "folder")
    if kind == "folder":
        assert (place / "own").read_bytes() == b"mine"


def test_a_file_where_the_material_has_a_folder_now_is_kept_and_told(world: World) -> None:
    world.pull({"week1": b"a file"})
    done = world.pull(V1)
    assert done["blocked"] == [("week1/intro.ipynb", "")]
    assert done["withdrawn"] == [("week1", "")]
    assert world.tree()["week1"] == b"a file"


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[]",
        b'{"base": 1}',
        b"\xff",
        b'{"base": {"../../x": "y", "": "z"}, "keep": "", "made": [], "entries": []}',
        b'{"base": {}, "keep": "../..", "made": [], "entries": []}',
        b'{"base": {}, "keep": "k", "made": ["../x"], "entries": []}',
        b'{"base": {}, "keep": "k", "made": [], "entries": [{"path": "/etc/passwd"}]}',
        b'{"base": {"\\ud800": "x"}, "keep": "", "made": [], "entries": []}',
        b"[" * 100_000,
    ],
)
def test_a_record_that_is_none_only_makes_everything_look_new(world: World, record: bytes) -> None:
    world.pull(V1)
    world.write("week1/intro.ipynb", b"mine")
    (world.home / ".sophon/material/optics/record.json").write_bytes(record)
    assert world.pull(V2)["conflict"] == [("week1/intro.ipynb", BESIDE)]
    assert world.tree()["week1/intro.ipynb"] == b"mine"
    assert world.tree()["data/stars.csv"] == b"1,2\n"


def test_a_home_whose_record_was_deleted_loses_nothing(world: World) -> None:
    world.pull(V1)
    world.write("data/stars.csv", b"mine")
    shutil.rmtree(world.home / ".sophon")
    done = world.pull(V2)
    assert done["conflict"] == [
        ("data/stars.csv", "stars.new-2026-11-22.csv"),
        ("week1/intro.ipynb", BESIDE),
    ]
    assert world.tree()["data/stars.csv"] == b"mine"


def test_programs_can_be_run(world: World) -> None:
    world.publish({"run.sh": b"#!/bin/sh\n", "readme": b"x"}, frozenset({"run.sh"}))
    world.pull()
    assert os.access(world.top / "run.sh", os.X_OK)
    assert not os.access(world.top / "readme", os.X_OK)


def test_many_files_are_counted_and_the_first_are_named(world: World) -> None:
    world.publish({f"{number:04}": b"x" for number in range(300)})
    report = world.run("pull")
    assert report
    assert report["counts"] == {"added": 300}
    assert len(report["files"]["added"]) == 200
