"""Files of a lab are either the old or the new ones, whatever happens while they are written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sophon_lab
from sophon_lab.files import ChangedOnDisk, Stamp, expecting, free_name, whole_writing

DYING = """
import os, sys
from sophon_lab.files import whole_writing
with whole_writing(sys.argv[1]) as file:
    file.write("half of the n")
    file.flush()
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "thesis.ipynb"
    file.write_text("old")
    return file


def write(file: Path, text: str) -> None:
    with whole_writing(str(file)) as opened:
        opened.write(text)


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_is_replaced_and_keeps_its_mode(file: Path) -> None:
    file.chmod(0o640)

    write(file, "new")

    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert names_in(file.parent) == [file.name]


def test_bytes_and_new_files_are_written_too(tmp_path: Path) -> None:
    file = tmp_path / ("n" * 251 + ".bin")

    with whole_writing(str(file), text=False) as opened:
        opened.write(b"\0")

    assert file.read_bytes() == b"\0"
    assert names_in(tmp_path) == [file.name]


def test_who_dies_while_writing_leaves_the_old_file_and_the_next_one_clears_up(file: Path) -> None:
    package = str(Path(sophon_lab.__file__).parents[1])
    killed = subprocess.run(
        [sys.executable, "-c", DYING, str(file)],
        check=False,
        env={**os.environ, "PYTHONPATH": package},
    )

    assert killed.returncode == -9
    assert file.read_text() == "old"
    write(file, "new")
    assert file.read_text() == "new"
    assert names_in(file.parent) == [file.name]


def test_a_write_that_fails_leaves_the_old_file(file: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write(file, "half of it \udc80 and no more")

    assert file.read_text() == "old"
    assert names_in(file.parent) == [file.name]


def test_two_who_write_at_once_both_write_whole_files(file: Path) -> None:
    with whole_writing(str(file)) as first:
        first.write("first")
        write(file, "second")
        assert file.read_text() == "second"

    assert file.read_text() == "first"
    assert names_in(file.parent) == [file.name]


def test_a_link_stays_a_link(file: Path) -> None:
    link = file.with_name("link.ipynb")
    link.symlink_to(file.name)

    write(link, "new")

    assert link.is_symlink()
    assert file.read_text() == "new"


def test_a_file_that_may_not_be_written_is_not_replaced(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {str(file)}
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: str(path) not in refused and access(path, mode)
    )

    with pytest.raises(PermissionError):
        write(file, "new")
    assert file.read_text() == "old"

    refused.clear()
    refused.add(str(file.parent))  # nothing can be put beside it: the file itself is written
    write(file, "new")
    assert file.read_text() == "new"


def test_what_somebody_else_wrote_meanwhile_is_not_replaced(file: Path) -> None:
    stamp = Stamp.of(str(file))

    file.write_text("theirs")
    with expecting(str(file), stamp), pytest.raises(ChangedOnDisk):
        write(file, "new")

    assert file.read_text() == "theirs"
    assert names_in(file.parent) == [file.name]


def test_what_was_written_is_known_by_its_stamp(file: Path) -> None:
    with expecting(str(file), Stamp.of(str(file))) as expectation:
        write(file.with_name("another"), "is not expected to be anything")
        write(file, "new")

    assert expectation.written == Stamp.of(str(file))
    assert Stamp.of(str(file.with_name("missing"))) is None


def test_a_free_name_keeps_the_ending(file: Path) -> None:
    first = free_name(file, "unsaved")
    first.touch()

    assert first.name == "thesis-unsaved.ipynb"
    assert free_name(file, "unsaved").name == "thesis-unsaved-2.ipynb"
