"""Nothing that people type is lost: while they type, and however their lab comes to its end."""

import asyncio
import contextlib
import fcntl
import json
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from hub_harness import HubLab, HubProcess

from sophon_hub import names
from sophon_hub.lab_messages import LabMessages
from sophon_hub.settings import Sophon
from tests.editing import Editor, notebook, sources_in
from tests.lab_process import find_server
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

NOTEBOOK = "thesis.ipynb"
BEHIND_SECONDS = 10
STOP_SECONDS = 15


@pytest.fixture(scope="module")
def hub(make_process_hub: Callable[..., HubProcess]) -> HubProcess:
    hub = make_process_hub(SOPHON_SPAWNER="process")
    hub.start()
    hub.add_to_group(names.people_group("physics"), "ada", "grace")
    return hub


@pytest.fixture
def lab(hub: HubProcess, slug: str) -> HubLab:
    """A running lab with a notebook of two cells and a text."""
    lab = hub.add_lab("physics", slug, "first")
    lab.start()
    home(lab).joinpath(NOTEBOOK).write_text(json.dumps(notebook("one", "two")))
    home(lab).joinpath("notes.txt").write_text("begin\n")
    return lab


@pytest.fixture
async def open_as(lab: HubLab) -> AsyncIterator[Callable[..., object]]:
    """Opens a document as somebody; all are closed in the end."""
    editors: list[Editor] = []

    async def opened(name: str, path: str = NOTEBOOK, kind: str = "notebook") -> Editor:
        session = await asyncio.to_thread(lab.hub.log_in, name)
        assert await asyncio.to_thread(lab.status_in, session) == 200
        editor = Editor(session, lab.url, path, kind)
        editors.append(editor)
        await editor.connect()
        return editor

    yield opened
    for editor in editors:
        await editor.disconnect()
        editor.session.close()


def home(lab: HubLab) -> Path:
    return lab.hub.data_dir / "homes" / lab.uid


def on_disk(lab: HubLab, path: str = NOTEBOOK) -> list[str]:
    """The texts of the cells as they are on the disk now; the file is whole at any time."""
    return sources_in(home(lab).joinpath(path).read_text())


def server_of(lab: HubLab) -> int:
    """The number of the lab's process."""
    server = find_server(home(lab))
    assert server is not None, "the lab does not run"
    return server


def kill(lab: HubLab) -> None:
    """End the lab as a crash does."""
    os.kill(server_of(lab), signal.SIGKILL)
    lab.wait_until_stopped()


async def aside(work: Callable[..., object], *arguments: object) -> object:
    """Do something slow while people go on typing."""
    return await asyncio.to_thread(work, *arguments)


async def test_while_somebody_types_without_pause_the_file_is_never_ten_seconds_behind(
    lab: HubLab, open_as: Callable[..., object]
) -> None:
    ada = await open_as("ada")
    typed: list[tuple[float, int]] = []  # when, and how much had been typed by then
    begin, behind = time.monotonic(), 0.0

    while (now := time.monotonic()) - begin < 3 * BEHIND_SECONDS / 2:
        await ada.type("x")
        typed.append((now, len(typed) + 1))
        found = on_disk(lab)[0].count("x")
        missing = [moment for moment, count in typed if count > found]
        behind = max(behind, now - missing[0] if missing else 0)
        await asyncio.sleep(0.1)

    assert 2 < behind < BEHIND_SECONDS  # more than a save after each pause would show


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_what_was_typed_right_before_a_stop_is_there_after_the_next_start(
    lab: HubLab, open_as: Callable[..., object], number: int
) -> None:
    ada, grace = await open_as("ada"), await open_as("grace")
    notes = await open_as("ada", "notes.txt", "file")
    await asyncio.gather(ada.type("A" * (number + 1)), grace.type("G", cell=1), notes.type("N"))
    for editor in (ada, grace, notes):
        await editor.acknowledged()

    begin = time.monotonic()
    await aside(lab.stop)

    assert time.monotonic() - begin < STOP_SECONDS
    assert on_disk(lab) == ["one" + "A" * (number + 1), "twoG"]
    assert home(lab).joinpath("notes.txt").read_text() == "begin\nN"
    await aside(lab.start)
    again = await open_as("grace")
    assert [again.text(0), again.text(1)] == on_disk(lab)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_lab_that_is_ended_by_a_signal_saves_by_itself(
    lab: HubLab, open_as: Callable[..., object], how: signal.Signals
) -> None:
    ada = await open_as("ada")
    await ada.type("!")
    await ada.acknowledged()

    await aside(os.kill, server_of(lab), how)

    await aside(lab.wait_until_stopped)
    assert on_disk(lab) == ["one!", "two"]


async def test_a_lab_that_is_killed_loses_at_most_the_last_ten_seconds(
    lab: HubLab, open_as: Callable[..., object]
) -> None:
    ada = await open_as("ada")
    begin, acknowledged = time.monotonic(), []
    while time.monotonic() - begin < BEHIND_SECONDS + 4:
        await ada.type("x")
        await ada.acknowledged()
        acknowledged.append(time.monotonic())
        await asyncio.sleep(0.05)

    await aside(os.kill, server_of(lab), signal.SIGKILL)
    killed = time.monotonic()

    old = sum(killed - moment > BEHIND_SECONDS for moment in acknowledged)
    assert old
    assert old <= on_disk(lab)[0].count("x") <= len(acknowledged)
    await aside(lab.wait_until_stopped)
    await aside(lab.start)
    again = await open_as("grace")
    assert old <= again.text(0).count("x") <= len(acknowledged)
    assert again.text(1) == "two"


async def test_what_was_typed_before_a_kill_comes_back_from_the_store(
    lab: HubLab, open_as: Callable[..., object]
) -> None:
    """The file knows less than the store, and nobody else has written it: so nothing is undone."""
    ada = await open_as("ada")
    await ada.type("first")
    wait_for_text(lab, "onefirst")
    for _ in range(20):  # without a pause, so that it is not in the file yet
        await ada.type("x")
        await ada.acknowledged()
    await aside(kill, lab)
    saved = on_disk(lab)[0]
    await aside(lab.start)

    grace = await open_as("grace")

    assert len(saved) <= len(grace.text(0)) <= len("onefirst") + 20
    wait_for_text(lab, grace.text(0))


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_who_comes_back_after_a_restart_finds_nothing_twice_and_nothing_empty(
    lab: HubLab, open_as: Callable[..., object], how: str
) -> None:
    ada = await open_as("ada")
    await ada.type(" before")
    await ada.add_cell("cell-new", "three")
    await ada.acknowledged()
    notes = await open_as("ada", "notes.txt", "file")
    await aside(kill if how == "kill" else lambda lab: lab.stop(), lab)
    await ada.type(" meanwhile")
    await ada.type("!", cell=2)
    await notes.type("meanwhile")
    await aside(lab.start)
    grace = await open_as("grace")

    assert await aside(lab.status_in, ada.session) == 200
    await ada.connect()

    await grace.acknowledged()
    expected = ["one before meanwhile", "two", "three!"]
    assert [ada.text(number) for number in range(len(ada.cells))] == expected
    assert [grace.text(number) for number in range(len(grace.cells))] == expected
    wait_for(lambda: on_disk(lab) == expected, "what was typed meanwhile to be saved")
    assert await aside(lab.status_in, notes.session) == 200
    await notes.connect()
    text = home(lab) / "notes.txt"
    wait_for(lambda: text.read_text() == "begin\nmeanwhile", "the text file to be saved, too")


def is_reached(lab: HubLab) -> bool:
    """Whether the lab answers through the proxy."""
    with contextlib.suppress(requests.RequestException):
        return lab.answers()
    return False


def kill_proxy(lab: HubLab) -> None:
    """End the proxy as a crash does; the Hub, which looks now and then, starts another one."""
    os.kill(int((lab.hub.data_dir / "proxy.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: not is_reached(lab), "the proxy to be gone")


def restart_hub(lab: HubLab) -> None:
    """Kill the Hub and start it anew; the proxy lives on."""
    lab.hub.kill()
    lab.hub.start()


def restart_all(lab: HubLab) -> None:
    """End the Hub as an administrator does, which ends the proxy, too, and start both anew."""
    lab.hub.stop()
    lab.hub.start()


@pytest.mark.parametrize(
    "what",
    [None, kill_proxy, restart_hub, restart_all],
    ids=["sleep", "proxy", "hub", "both"],
)
async def test_who_comes_back_to_a_lab_that_ran_on_finds_nothing_twice_and_nothing_empty(
    lab: HubLab, open_as: Callable[..., object], what: Callable[[HubLab], None] | None
) -> None:
    ada, grace = await open_as("ada"), await open_as("grace")
    await ada.type(" before")
    await ada.acknowledged()
    if what is None:
        await ada.disconnect()  # as a laptop that is shut
    else:
        await aside(what, lab)
    await ada.type(" meanwhile")
    await ada.type("!", cell=1)
    await grace.type(" others", cell=1, at=0)
    await aside(wait_for, lambda: is_reached(lab), "the lab to be reached")

    for editor in (ada, grace):
        await editor.connect()

    await ada.acknowledged()
    await grace.acknowledged()
    expected = ["one before meanwhile", " otherstwo!"]
    for editor in (ada, grace):
        assert [editor.text(number) for number in range(len(editor.cells))] == expected
    await aside(wait_for, lambda: on_disk(lab) == expected, "what was typed to be saved")


async def test_what_a_kernel_writes_and_what_is_typed_meanwhile_are_both_kept(
    lab: HubLab, open_as: Callable[..., object]
) -> None:
    ada = await open_as("ada")
    await ada.type(" saved")
    wait_for_text(lab, "one saved")
    await ada.type(" typed")
    await ada.acknowledged()

    home(lab).joinpath(NOTEBOOK).write_text(json.dumps(notebook("zero, one saved", "TWO")))

    expected = ["zero, one saved typed", "TWO"]
    await awaited(lambda: on_disk(lab) == expected, "both")
    await ada.acknowledged()
    assert [ada.text(0), ada.text(1)] == expected


async def test_what_is_typed_into_a_cell_that_is_removed_on_the_disk_is_kept_beside_it(
    lab: HubLab, open_as: Callable[..., object]
) -> None:
    ada = await open_as("ada")
    await ada.type(" typed", cell=1)
    await ada.acknowledged()

    home(lab).joinpath(NOTEBOOK).write_text(json.dumps(notebook("one")))

    beside = "thesis-unsaved.ipynb"
    await awaited(lambda: home(lab).joinpath(beside).exists(), "the file beside it")
    assert on_disk(lab, beside) == ["one", "two typed"]
    await awaited(lambda: len(ada.cells) == 1, "what is on the disk to be shown")


async def test_a_file_rewritten_while_nobody_types_is_shown_and_not_written_again(
    lab: HubLab, open_as: Callable[..., object]
) -> None:
    notes = await open_as("ada", "notes.txt", "file")
    file = home(lab) / "notes.txt"

    file.write_text("by git\n")
    written = file.stat()

    await awaited(lambda: str(notes.source) == "by git\n", "the new text")
    await notes.acknowledged()
    answer = await aside(flush, lab)
    assert answer.status_code == 200
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


async def test_a_removed_file_is_written_again_when_somebody_types_in_it(
    lab: HubLab, open_as: Callable[..., object]
) -> None:
    ada = await open_as("ada")
    home(lab).joinpath(NOTEBOOK).unlink()

    await ada.type(" kept")

    await awaited(lambda: home(lab).joinpath(NOTEBOOK).exists(), "the file")
    assert on_disk(lab) == ["one kept", "two"]


async def test_without_space_the_file_stays_whole_everybody_is_told_and_nothing_is_lost(
    lab: HubLab, open_as: Callable[..., object]
) -> None:
    ada = await open_as("ada")
    server, room = server_of(lab), 4 * 2**20
    resource.prlimit(server, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    async with ada.events() as events:
        await ada.type("x" * room)

        async with asyncio.timeout(30):
            told = await anext(events)
            while told.get("level") != "ERROR":
                told = await anext(events)

    assert told["path"] == NOTEBOOK
    assert told["msg"].startswith(f"{NOTEBOOK} could not be saved: there is no space left.")
    assert await ada.save() == "failed"
    assert on_disk(lab) == ["one", "two"]
    assert [entry.name for entry in home(lab).iterdir() if "saving" in entry.name] == []
    answer = await aside(flush, lab)
    assert answer.status_code == 507
    assert list(answer.json()["unsaved"]) == [NOTEBOOK]

    resource.prlimit(
        server, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )

    await awaited(lambda: on_disk(lab)[0] == "one" + "x" * room, "the notebook to be saved")
    await aside(kill, lab)
    await aside(lab.start)
    again = await open_as("grace")
    assert again.text(0) == "one" + "x" * room


async def test_only_the_hub_makes_a_lab_save_everything(
    lab: HubLab, open_as: Callable[..., object]
) -> None:
    ada = await open_as("ada")
    await ada.type("!")
    await ada.acknowledged()

    assert requests.post(f"{lab.url}/sophon/flush", timeout=30).status_code == 403
    assert ada.session.post(f"{lab.url}/sophon/flush", timeout=30).status_code == 403
    assert (await aside(flush, lab)).json() == {"unsaved": {}}
    assert on_disk(lab)[0] == "one!"


async def test_a_lab_that_hangs_is_stopped_in_time(
    lab: HubLab, open_as: Callable[..., object]
) -> None:
    await open_as("ada")
    os.kill(server_of(lab), signal.SIGSTOP)

    begin = time.monotonic()
    await aside(lab.stop)

    assert time.monotonic() - begin < STOP_SECONDS


def test_two_labs_never_serve_the_same_files(lab: HubLab) -> None:
    lab.stop()
    with home(lab).joinpath(".local/share/sophon/lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a lab does that has not ended

        assert lab.request_start().status_code in (202, 500)
        lab.wait_until_stopped()

    assert "Another lab runs on" in lab.hub.log()
    lab.start()


def flush(lab: HubLab) -> requests.Response:
    """Ask the lab to save everything, as the hub does."""
    url = f"{lab.url}/sophon/flush"
    messages = LabMessages.of(Sophon(data_dir=str(lab.hub.data_dir)))
    return requests.post(url, headers=messages.headers(urlsplit(url).path), timeout=30)


def wait_for_text(lab: HubLab, text: str) -> None:
    wait_for(lambda: on_disk(lab)[0] == text, f"{text!r} on the disk")


async def awaited(look: Callable[[], object], what: str) -> None:
    """`wait_for`, while the editors of this test go on listening."""
    await asyncio.to_thread(wait_for, look, what)
