"""What the worker does about versions of notebooks, on homes as labs leave them."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sophon_lab.homes import LOCK
from sophon_lab.versions import Versions
from sqlalchemy import Engine, select

from sophon_hub.models import HistoryState, HistoryTask, HistoryVerb, Job, Lab, LabState
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.volumes.history import STRANGE, read_changes, read_list
from sophon_hub.worker import history
from sophon_hub.worker.context import Context
from tests import make
from tests.cast import Cast
from tests.editing import notebook, sources_in

PATH = "work/thesis.ipynb"


@pytest.fixture
def context(sqlite_engine: Engine, tmp_path: Path) -> Context:
    """A hub with a stopped lab, whose home there is."""
    with writing(sqlite_engine) as session:
        cast = Cast.enter(session)
        lab = make.lab(session, make.project(session, cast.group))
        tmp_path.joinpath("homes", lab.uid).mkdir(parents=True)
    settings = Sophon(data_dir=str(tmp_path), spawner="process")
    return Context(sqlite_engine, None, settings)  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return next(tmp_path.joinpath("homes").iterdir())


@pytest.fixture
def do(context: Context) -> Callable[..., Any]:
    """Does one task; gives it as it is afterwards."""

    async def done(verb: HistoryVerb, version: str = "", since: str = "") -> HistoryTask:
        with writing(context.engine) as session:
            lab = session.scalars(select(Lab)).one()
            waiting = HistoryState.WAITING
            task = make.history_task(session, lab, verb, version, since, state=waiting)
            number = task.id
        await history.do(context, number)
        with reading(context.engine) as session:
            return session.get_one(HistoryTask, number)

    return done


def keep(home: Path, *sources: str, path: str = PATH, editors: tuple[str, ...] = ()) -> str:
    content = json.dumps(notebook(*sources)).encode()
    kept = Versions(str(home)).keep(path, content, editors, "interval")
    assert kept is not None
    return kept.id


async def test_a_look_finds_the_versions_in_a_home(do: Callable[..., Any], home: Path) -> None:
    first, second = keep(home, "one"), keep(home, "two", editors=("ada",))

    task = await do(HistoryVerb.LOOK)

    assert (task.state, task.message) == (HistoryState.DONE, "")
    assert [one["id"] for one in task.result["versions"]] == [second, first]
    assert (
        task.result["versions"][0].items()
        >= {
            "path": PATH,
            "at": int(second[:13]),
            "editors": ["ada"],
            "reason": "interval",
        }.items()
    )


async def test_a_home_that_is_not_there_has_no_versions(do: Callable[..., Any], home: Path) -> None:
    home.rmdir()
    assert (await do(HistoryVerb.LOOK)).result == {"versions": []}
    assert (await do(HistoryVerb.RESTORE, make.FIRST_VERSION)).message == "This lab has no files."
    compared = await do(HistoryVerb.COMPARE, make.FIRST_VERSION, make.SECOND_VERSION)
    assert compared.message == "This lab has no files."


async def test_what_changed_is_text_without_pictures(do: Callable[..., Any], home: Path) -> None:
    before = notebook("a = 1\nb = 2")
    after = notebook("a = 1\nb = 3")
    picture = {"image/png": "A" * 100_000, "text/plain": "<script>"}
    output = {"output_type": "display_data", "data": picture, "metadata": {}}
    after["cells"][0]["outputs"] = [output]
    archive = Versions(str(home))
    numbers = [
        archive.keep(PATH, json.dumps(content).encode(), [], "interval").id  # type: ignore[union-attr]
        for content in (before, after)
    ]

    task = await do(HistoryVerb.COMPARE, numbers[1], numbers[0])

    text = task.result["text"]
    assert {"-  b = 2", "+  b = 3"} <= set(text.splitlines())
    assert "100,000 characters" in text
    assert "<script>" in text
    assert len(text) < 2000
    assert task.result["whole"]


async def test_a_version_is_restored_and_what_was_there_is_kept(
    do: Callable[..., Any], home: Path, context: Context
) -> None:
    old, gone = keep(home, "old"), keep(home, "gone", path="gone/lost.ipynb")
    home.joinpath("work").mkdir()
    home.joinpath(PATH).write_text(json.dumps(notebook("now")))
    with writing(context.engine) as session:
        make.history(session, session.scalars(select(Lab)).one())

    assert (await do(HistoryVerb.RESTORE, old)).state is HistoryState.DONE
    assert (await do(HistoryVerb.RESTORE, gone)).state is HistoryState.DONE

    assert sources_in(home.joinpath(PATH).read_text()) == ["old"]
    assert sources_in(home.joinpath("gone/lost.ipynb").read_text()) == ["gone"]
    archive = Versions(str(home))
    of_path = [one for one in archive.all() if one.path == PATH]
    assert [(one.reason, one.editors) for one in of_path[:2]] == [
        ("restored", ["ada"]),
        ("before", []),
    ]
    assert sources_in(archive.read(of_path[1].id)[1].decode()) == ["now"]
    with reading(context.engine) as session:  # whoever asked sees them without looking again
        look = session.scalars(select(HistoryTask).filter_by(verb=HistoryVerb.LOOK)).one()
        assert look.state is HistoryState.WAITING
        assert session.scalars(select(Job)).one().payload == {"task_id": look.id}


async def test_nothing_is_restored_on_a_home_that_a_lab_has_just_taken(
    do: Callable[..., Any], home: Path
) -> None:
    number = keep(home, "old")
    home.joinpath(LOCK).parent.mkdir(parents=True)
    handle = os.open(home / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        task = await do(HistoryVerb.RESTORE, number)
    finally:
        os.close(handle)

    assert (task.state, task.message) == (
        HistoryState.FAILED,
        "The lab runs on this home now; try again.",
    )
    assert not home.joinpath(PATH).exists()


async def test_what_is_in_the_way_of_a_restore_is_said_and_left_alone(
    do: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    number = keep(home, "old")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home.joinpath("work").symlink_to(elsewhere)
    assert "no folder any more" in (await do(HistoryVerb.RESTORE, number)).message

    home.joinpath("work").unlink()
    home.joinpath(PATH).mkdir(parents=True)
    assert (
        "is no notebook has its name"
        in (await do(HistoryVerb.RESTORE, keep(home, "older"))).message
    )
    assert not list(elsewhere.iterdir())

    home.joinpath(PATH).rmdir()
    with home.joinpath(PATH).open("wb") as file:
        file.truncate(100 * 1024**2)
    assert "too large" in (await do(HistoryVerb.RESTORE, keep(home, "oldest"))).message
    assert home.joinpath(PATH).stat().st_size == 100 * 1024**2


@pytest.mark.parametrize("path", ["../outside.ipynb", "/tmp/outside.ipynb", "script.py", "a//b"])
async def test_a_version_that_says_it_is_from_elsewhere_is_not_restored(
    do: Callable[..., Any], home: Path, path: str
) -> None:
    number = keep(home, "old", path=path)
    task = await do(HistoryVerb.RESTORE, number)
    assert (task.state, task.message) == (
        HistoryState.FAILED,
        "What was kept of this version is no notebook.",
    )
    assert not home.parent.joinpath("outside.ipynb").exists()


async def test_a_running_lab_that_does_not_answer_is_said(
    do: Callable[..., Any], home: Path, context: Context
) -> None:
    number = keep(home, "old")
    with writing(context.engine) as session:
        session.scalars(select(Lab)).one().state = LabState.RUNNING

    task = await do(HistoryVerb.RESTORE, number)

    assert task.message == "The lab does not answer; try again."
    assert not home.joinpath(PATH).exists()


async def test_a_lab_can_make_up_whose_a_version_is(do: Callable[..., Any], home: Path) -> None:
    number = keep(home, "old", editors=("grace",))
    record = home / ".sophon" / "history" / "records" / number
    record.write_text(record.read_text().replace("grace", "nobody"))

    found = (await do(HistoryVerb.LOOK)).result["versions"]

    assert [one["editors"] for one in found] == [["nobody"]]


TRUE = {"id": make.FIRST_VERSION, "path": PATH, "at": 1, "editors": [], "reason": "open", "size": 1}


@pytest.mark.parametrize(
    "lie",
    [
        {"id": "<b>"},
        {"id": None},
        {"path": "a\0b"},
        {"path": "\ud800"},
        {"path": "a" * 2000},
        {"path": 1},
        {"at": "never"},
        {"at": 10**20},
        {"at": -1},
        {"editors": 1},
        {"editors": ["a" * 300]},
        {"editors": [None]},
        {"reason": "<b>"},
        {"reason": []},
        {"size": -1},
        {"size": 1e400},
    ],
    ids=str,
)
def test_a_version_that_no_lab_of_ours_would_list_is_left_out(lie: dict[str, Any]) -> None:
    said = json.dumps([{**TRUE, **lie}, TRUE, 1])
    assert read_list(said) == {"versions": [TRUE]}


@pytest.mark.parametrize("said", ["", "x", "{}", "1", "[" * 100_000, " " * 3 * 1024**2])
def test_what_is_no_list_and_no_comparison_is_refused(said: str) -> None:
    for read in (read_list, read_changes):
        with pytest.raises(VolumeTrouble, match=STRANGE):
            read(said)


def test_a_comparison_fits_into_the_database_whatever_is_in_it() -> None:
    said = json.dumps({"text": "\0\ud800" + "a" * 300_000, "whole": False})
    found = read_changes(said)
    assert found["text"].startswith("�?a")
    assert len(found["text"]) == 200_000
    assert not found["whole"]
