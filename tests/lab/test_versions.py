"""Versions of notebooks: kept whole, thinned from the past, and read from homes that lie."""

import json
import os
import zlib
from pathlib import Path

import pytest
from sophon_lab import versions
from sophon_lab.versions import Limits, NoVersion, TooLarge, Version, Versions, thinned

PATH = "work/thesis.ipynb"


def folder(home: Path, name: str) -> Path:
    return home.joinpath(*versions.PLACE, name)


def files(home: Path) -> set[str]:
    return {path.name for path in home.rglob("*") if path.is_file()}


def version(number: int, *, stored: int = 1) -> Version:
    return Version(f"{number:013}-{0:016}", PATH, number, [], "", f"{number:064}", 1, stored)


def test_a_version_is_read_as_it_was_kept_and_lists_come_newest_first(tmp_path: Path) -> None:
    home = Versions(str(tmp_path))

    first = home.keep(PATH, b"one", ["grace", "ada"], "interval")
    second = home.keep("notes.ipynb", b"two", [], "open")

    assert first is not None
    assert second is not None
    assert first.editors == ["ada", "grace"]
    assert home.all() == [second, first]
    assert home.read(first.id) == (first, b"one")


def test_what_is_kept_already_is_not_kept_again_and_equal_contents_are_stored_once(
    tmp_path: Path,
) -> None:
    home = Versions(str(tmp_path))
    for content in (b"one", b"two", b"one"):
        assert home.keep(PATH, content, [], "interval")
    home.keep("copy.ipynb", b"one", [], "open")

    assert home.keep(PATH, b"one", ["ada"], "interval") is None
    assert home.keep(PATH, b"one", ["ada"], "restored", always=True) is not None

    assert len(home.all()) == 5
    assert len(list(folder(tmp_path, versions.CONTENTS).iterdir())) == 2


def test_every_second_of_the_older_half_goes_first_and_the_newest_stays() -> None:
    kept = thinned([version(number) for number in range(9)], lambda left: len(left) > 8)
    assert [one.at for one in kept] == [0, 2, 4, 5, 6, 7, 8]

    assert [one.at for one in thinned(kept, lambda left: len(left) > 1)] == [8]


def test_no_more_versions_of_a_notebook_are_kept_than_the_limit_says(tmp_path: Path) -> None:
    home = Versions(str(tmp_path), Limits(versions=5))
    other = home.keep("notes.ipynb", b"other", [], "open")
    for number in range(40):
        home.keep(PATH, str(number).encode(), [], "interval")
        assert len(home.all()) <= 6

    assert home.read(home.all()[0].id)[1] == b"39"
    assert other in home.all()
    assert len(list(folder(tmp_path, versions.CONTENTS).iterdir())) == len(home.all())


def test_versions_take_no_more_room_than_the_limit_says(tmp_path: Path) -> None:
    home = Versions(str(tmp_path), Limits(size=3000))
    for _ in range(20):
        home.keep(PATH, os.urandom(1000), [], "interval")
        assert sum(one.stored for one in home.all()) <= 3000
        on_disk = sum(path.stat().st_size for path in folder(tmp_path, "contents").iterdir())
        assert on_disk <= 3000

    before = home.all()
    too_large = {PATH: os.urandom(4000), "a.ipynb": bytes(versions.LARGEST + 1), "é" * 9000: b"a"}
    for path, content in too_large.items():
        with pytest.raises(TooLarge):
            home.keep(path, content, [], "interval")
    assert home.all() == before


def test_an_interruption_leaves_nothing_that_is_listed_and_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Versions(str(tmp_path))
    first = home.keep(PATH, b"one", [], "open")
    at_start = files(tmp_path)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for moment in ("fsync", "rename"):
        with monkeypatch.context() as patched:
            patched.setattr(os, moment, die)
            patched.setattr(os, "unlink", die)  # a kill leaves everything as it is
            with pytest.raises(KeyboardInterrupt):
                home.keep(PATH, b"two", [], "interval")
        assert home.all() == [first]
    rename = os.rename

    def rename_contents_only(old: str, new: str, **folders: int) -> None:
        if versions.ID.fullmatch(new):
            raise KeyboardInterrupt
        rename(old, new, **folders)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", rename_contents_only)
        with pytest.raises(KeyboardInterrupt):
            home.keep(PATH, b"three", [], "interval")
    assert home.all() == [first]
    assert files(tmp_path) > at_start

    home.tidy()

    assert files(tmp_path) == at_start


def test_nothing_kept_is_an_empty_list_and_no_version(tmp_path: Path) -> None:
    home = Versions(str(tmp_path))
    home.tidy()

    assert home.all() == []
    with pytest.raises(NoVersion, match="not kept any more"):
        home.read("0000000000001-0000000000000000")
    assert not files(tmp_path)


@pytest.mark.parametrize(
    "lie",
    [
        b"",
        b"not json",
        b"[" * 100_000,
        b"[]",
        b'{"path": 1}',
        json.dumps({"path": "a", "editors": 1, "reason": "", "digest": "0", "size": 1}).encode(),
        json.dumps(
            {"path": "a", "editors": [], "reason": "", "digest": "../x", "size": 1, "stored": 1}
        ).encode(),
        b'{"path": "a", "editors": [], "reason": "", "digest": "0", "size": 1e400, "stored": 1}',
        b"x" * (versions.LONGEST_RECORD + 1),
    ],
    ids=range(9),
)
def test_a_record_that_somebody_has_made_up_is_left_out(tmp_path: Path, lie: bytes) -> None:
    home = Versions(str(tmp_path))
    true = home.keep(PATH, b"one", [], "open")
    folder(tmp_path, versions.RECORDS).joinpath("9999999999999-0000000000000000").write_bytes(lie)

    assert home.all() == [true]


def test_links_and_pipes_are_not_followed_and_nothing_waits_for_them(tmp_path: Path) -> None:
    home = Versions(str(tmp_path / "home"))
    tmp_path.joinpath("home").mkdir()
    kept = home.keep(PATH, b"one", [], "open")
    assert kept is not None
    record = folder(tmp_path / "home", versions.RECORDS) / kept.id
    elsewhere = record.rename(tmp_path / "record")
    record.symlink_to(elsewhere)
    os.mkfifo(record.with_name("9999999999999-0000000000000000"))

    assert home.all() == []

    whole = tmp_path / "home" / versions.PLACE[0]
    whole.rename(tmp_path / "moved")
    whole.symlink_to(tmp_path / "moved")
    assert home.all() == []
    with pytest.raises(NotADirectoryError):
        home.keep(PATH, b"two", [], "open")


@pytest.mark.parametrize(
    "damage",
    [b"", b"no archive", zlib.compress(b"another"), zlib.compress(bytes(versions.LARGEST + 1))],
)
def test_a_content_that_is_not_what_its_record_says_is_not_given(
    tmp_path: Path, damage: bytes
) -> None:
    home = Versions(str(tmp_path))
    kept = home.keep(PATH, b"one", [], "open")
    assert kept is not None
    folder(tmp_path, versions.CONTENTS).joinpath(kept.digest).write_bytes(damage)

    with pytest.raises(NoVersion, match="damaged"):
        home.read(kept.id)
