"""Whatever lecturers publish and people do, in whatever order: no byte of theirs is lost."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.volumes.homes import Tree, World, tree_of

# few names, so that they meet; some cannot be there at the same time
PATHS = st.sampled_from(["a", "a/b", "-x y.ipynb", "d/ü.txt", "d/e/f", "d"])
CONTENTS = st.sampled_from([b"", b"1", b"2", b"3"])

STEPS = st.one_of(
    st.tuples(st.just("publish"), st.dictionaries(PATHS, CONTENTS, max_size=4)),
    st.tuples(st.just("write"), PATHS),
    st.tuples(st.just("write the same"), PATHS),
    st.tuples(st.just("delete"), PATHS),
    st.tuples(st.just("link"), PATHS),
    st.tuples(st.just("fresh"), PATHS),
    st.tuples(st.sampled_from(["get", "get", "undo"]), st.just("")),
)

SLOW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@contextmanager
def new_world() -> Iterator[World]:
    root = Path(tempfile.mkdtemp())
    try:
        yield World(root)
    finally:
        shutil.rmtree(root)


def possible(tree: Tree) -> Tree:
    """Without files that would have to be folders as well."""
    return {path: tree[path] for path in tree if not any(p.startswith(f"{path}/") for p in tree)}


class Person:
    """Somebody who works in a home; nothing they write was ever written before."""

    def __init__(self, world: World) -> None:
        self.world, self.written = world, 0

    def write(self, path: str) -> None:
        self.written += 1
        self.put(path, f"mine {self.written}".encode())

    def put(self, path: str, content: bytes) -> None:
        place = self.world.top / path
        for folder in (place, *place.parents):
            if folder == self.world.top:
                break
            if folder.is_symlink() or folder.is_file():
                folder.unlink()
        if place.is_dir():
            shutil.rmtree(place)
        self.world.write(path, content)

    def delete(self, path: str) -> None:
        place = self.world.top / path
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.is_dir():
            shutil.rmtree(place)

    def link(self, path: str) -> None:
        self.put(path, b"")
        (self.world.top / path).unlink()
        (self.world.top / path).symlink_to(self.world.root / "outside")

    def own(self) -> Tree:
        """What only the person has written, by path."""
        found = self.world.tree() if self.world.top.is_dir() else {}
        return {path: bytes_ for path, bytes_ in found.items() if bytes_.startswith(b"mine")}


def step(person: Person, what: str, about: object) -> None:
    world = person.world
    if what == "publish":
        assert isinstance(about, dict)
        world.publish(possible(about))
        return
    path = str(about)
    if what in {"get", "fresh", "undo"}:
        before, outside = person.own(), tree_of(world.root / "outside")
        {
            "get": lambda: world.run("pull"),
            "fresh": lambda: world.run("fresh", path),
            "undo": lambda: world.run("undo"),
        }[what]()
        after = person.own()
        assert sorted(before.values()) == sorted(after.values())
        if what == "get":
            assert before == after
        assert tree_of(world.root / "outside") == outside
    elif what == "write the same":
        person.put(path, b"2")
    else:
        {"write": person.write, "delete": person.delete, "link": person.link}[what](path)


@SLOW
@given(st.lists(STEPS, min_size=3, max_size=12))
def test_nothing_that_somebody_wrote_is_ever_lost_or_moved_unasked(
    steps: list[tuple[str, object]],
) -> None:
    with new_world() as world:
        (world.root / "outside").mkdir()
        (world.root / "outside" / "precious").write_bytes(b"p")
        person = Person(world)
        for what, about in steps:
            step(person, what, about)


TREES = st.dictionaries(PATHS, CONTENTS, max_size=5).map(possible)


@SLOW
@given(TREES, TREES, st.sets(PATHS, max_size=2), st.sets(PATHS, max_size=2))
def test_getting_twice_is_getting_once_and_undo_is_exact(
    old: Tree, new: Tree, written: set[str], deleted: set[str]
) -> None:
    with new_world() as world:
        world.pull(old)
        person = Person(world)
        for path in written:
            person.write(path)
        for path in deleted:
            person.delete(path)
        before = world.tree()
        done = world.pull(new)
        after = world.tree()
        assert not {"added", "updated", "conflict"} & set(world.pull())
        assert world.tree() == after
        if {"added", "updated", "conflict"} & set(done):
            world.undo()
            assert world.tree() == before


@SLOW
@given(TREES, TREES)
def test_who_changes_nothing_has_all_of_the_newest_version(old: Tree, new: Tree) -> None:
    with new_world() as world:
        world.pull(old)
        done = world.pull(new)
        told = {path for path, _ in done.get("blocked", [])}
        beside = dict(done.get("conflict", []))
        for path, content in new.items():
            if path in beside:
                assert (world.top / path).with_name(beside[path]).read_bytes() == content
            elif path not in told:
                assert world.tree()[path] == content
