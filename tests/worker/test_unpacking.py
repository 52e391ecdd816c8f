"""Archives of temporary labs: packed as they are, unpacked whatever they say."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from sophon_hub.volumes import packing

FOLDER = "From a visit"
PACKED = ".packed.tar"


def entry(name: str, kind: bytes = tarfile.REGTYPE, text: bytes = b"", link: str = "") -> object:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, len(text), link
    return made, text


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a file, and something beside it that nothing may reach."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "mine.txt").write_text("mine")
    return home


def bring(home: Path, *entries: object) -> None:
    with tarfile.open(home / PACKED, "w") as archive:
        for made, text in entries:  # type: ignore[attr-defined]
            archive.addfile(made, io.BytesIO(text))


def unpack(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", packing.__file__, "unpack", str(home), PACKED, FOLDER],
        capture_output=True,
        text=True,
        check=False,
    )


def receive(home: Path, packed: bytes) -> subprocess.CompletedProcess[bytes]:
    """Give an archive as it comes from the engine; the line stays open until it is understood."""
    program = [sys.executable, "-I", "-S", packing.__file__, "receive", str(home), FOLDER]
    program.append(str(len(packed)))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(program, **pipes) as running:  # type: ignore[call-overload]
        running.stdin.write(packed)
        running.stdin.flush()
        said, trouble = running.stdout.read(), running.stderr.read()
    return subprocess.CompletedProcess(program, running.returncode, said, trouble)


def archive(*entries: object) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as packed:
        for one, text in entries:  # type: ignore[attr-defined]
            packed.addfile(one, io.BytesIO(text))
    return made.getvalue()


def names(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*"))


def test_what_was_packed_is_there_again_without_links_and_hidden_files(tmp_path: Path, home: Path):
    source = tmp_path / "visit"
    (source / "a b/c").mkdir(parents=True)
    (source / "a b/c/ü\n.bin").write_bytes(bytes(range(256)) * 50)
    (source / os.fsdecode(b"latin-\xe9")).write_text("old name")
    (source / ("long" * 50)).write_text("x")
    (source / ".hidden").write_text("x")
    (source / "link").symlink_to("/etc/passwd")
    (source / "run").write_text("x")
    (source / "run").chmod(0o700)
    os.mkfifo(source / "pipe")
    packed = subprocess.run(
        [sys.executable, "-I", "-S", packing.__file__, "pack", str(source)],
        capture_output=True,
        check=True,
    )
    (home / PACKED).write_bytes(packed.stdout)
    done = unpack(home)
    assert (done.returncode, done.stdout) == (0, FOLDER), done.stderr
    made = home / FOLDER
    kept = [path for path in source.rglob("*") if path.name not in {".hidden", "link", "pipe"}]
    assert names(made) == sorted(str(path.relative_to(source)) for path in kept)
    for path in kept:
        there = made / path.relative_to(source)
        assert path.is_dir() or there.read_bytes() == path.read_bytes()
        assert os.access(there, os.X_OK) == os.access(path, os.X_OK) or os.geteuid() == 0
    assert (made / "run").stat().st_mode & 0o777 == 0o755
    assert not (home / PACKED).exists()


def test_nothing_that_is_there_is_written_over(home: Path):
    for expected in (FOLDER, f"{FOLDER} (2)", f"{FOLDER} (3)"):
        bring(home, entry("one", text=expected.encode()))
        assert unpack(home).stdout == expected
    assert (home / FOLDER / "one").read_text() == FOLDER
    assert (home / f"{FOLDER} (3)" / "one").read_text() == f"{FOLDER} (3)"


HOSTILE = {
    "above": [entry("../evil", text=b"x")],
    "absolute": [entry("/evil", text=b"x")],
    "above in the middle": [entry("a", tarfile.DIRTYPE), entry("a/../../evil", text=b"x")],
    "below a file": [entry("a", text=b"x"), entry("a/b", text=b"x")],
    "twice": [entry("a", text=b"x"), entry("a", text=b"y")],
    "through a link": [entry("a", tarfile.SYMTYPE, link=".."), entry("a/evil", text=b"x")],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_archive_that_lies_leaves_nothing(home: Path, kind: str):
    bring(home, entry("fine", text=b"x"), *HOSTILE[kind])
    before = names(home.parent)
    done = unpack(home)
    assert done.returncode != 0
    assert names(home.parent) == [name for name in before if PACKED not in name]


def test_links_of_an_archive_are_left_out(home: Path):
    links = [
        entry("soft", tarfile.SYMTYPE, link="/etc/passwd"),
        entry("hard", tarfile.LNKTYPE, link="../mine.txt"),
        entry("device", tarfile.CHRTYPE),
    ]
    bring(home, *links, entry("fine", text=b"x"))
    assert unpack(home).returncode == 0
    assert names(home / FOLDER) == ["fine"]


def test_an_archive_that_breaks_off_leaves_nothing(home: Path):
    bring(home, entry("big", text=bytes(50_000)))
    whole = (home / PACKED).read_bytes()
    (home / PACKED).write_bytes(whole[:20_000])
    assert unpack(home).returncode != 0
    assert names(home) == ["mine.txt"]


def test_what_an_interrupted_copy_has_left_is_no_obstacle(home: Path):
    left = home / f".{FOLDER}.being-copied"
    left.mkdir()
    (left / "half").write_text("x")
    bring(home, entry("one", text=b"x"))
    assert unpack(home).returncode == 0
    assert names(home) == [FOLDER, f"{FOLDER}/one", "mine.txt"]


def test_what_comes_in_is_below_one_folder_that_gets_another_name(home: Path):
    packed = archive(
        entry("files", tarfile.DIRTYPE),
        entry("files/week 1", tarfile.DIRTYPE),
        entry("files/week 1/ü.ipynb", text=b"{}"),
        entry("files/big", text=bytes(range(256)) * 500),
    )
    for expected in (FOLDER, f"{FOLDER} (2)"):
        done = receive(home, packed)
        assert (done.returncode, done.stdout.decode()) == (0, expected), done.stderr
    assert names(home / FOLDER) == ["big", "week 1", "week 1/ü.ipynb"]
    assert (home / FOLDER / "big").read_bytes() == bytes(range(256)) * 500


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_comes_in_and_lies_leaves_nothing(home: Path, kind: str):
    lies = [(made, text) for made, text in HOSTILE[kind]]  # type: ignore[attr-defined]
    below = []
    for made, text in lies:
        copy = tarfile.TarInfo(f"files/{made.name}")
        copy.type, copy.size, copy.linkname = made.type, made.size, made.linkname
        below.append((copy, text))
    before = names(home.parent)
    assert receive(home, archive(entry("files/fine", text=b"x"), *below)).returncode != 0
    assert names(home.parent) == before
