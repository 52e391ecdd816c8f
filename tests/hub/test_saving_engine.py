"""Nothing that people type is lost in a container either: stopped, killed, and on a full disk."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from docker.api.client import APIClient
from hub_harness import HubLab, HubProcess, run_in

from sophon_hub import names
from tests.editing import Editor, notebook, sources_in
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

Open = Callable[..., Awaitable[Editor]]

BEHIND_SECONDS = 10
STOP_SECONDS = 15
HOME = "/home/jovyan"


@pytest.fixture(scope="module")
def hub(make_hub: Callable[..., HubProcess]) -> HubProcess:
    hub = make_hub()
    hub.start()
    hub.add_to_group(names.people_group("physics"), "ada", "grace")
    return hub


@pytest.fixture
def lab(hub: HubProcess, slug: str) -> HubLab:
    return hub.add_lab("physics", slug, "first")


@pytest.fixture
async def open_as(lab: HubLab) -> AsyncIterator[Open]:
    """Opens a document as somebody; all are closed in the end."""
    editors: list[Editor] = []

    async def opened(name: str, path: str) -> Editor:
        session = await asyncio.to_thread(lab.hub.log_in, name)
        assert await asyncio.to_thread(lab.status_in, session) == 200
        editor = Editor(session, lab.url, path)
        editors.append(editor)
        await editor.connect()
        return editor

    yield opened
    for editor in editors:
        await editor.disconnect()
        editor.session.close()


def write(lab: HubLab, path: str) -> None:
    text = json.dumps(notebook("one", "two"))
    status, said = run_in(lab.container, "sh", "-c", f"cat > {HOME}/{path} <<'EOT'\n{text}\nEOT")
    assert status == 0, said


def on_disk(lab: HubLab, path: str) -> list[str]:
    status, text = run_in(lab.container, "cat", f"{HOME}/{path}")
    assert status == 0, text
    return sources_in(text)


async def test_a_stop_with_ten_open_documents_is_quick_and_loses_nothing(
    lab: HubLab, open_as: Open
) -> None:
    await asyncio.to_thread(lab.start)
    paths = [f"{number}.ipynb" for number in range(10)]
    for path in paths:
        await asyncio.to_thread(write, lab, path)
    editors = [await open_as("ada", path) for path in paths]
    for editor in editors:
        await editor.type(f" {editor.path}")
        await editor.acknowledged()

    begin = time.monotonic()
    await asyncio.to_thread(lab.stop)

    assert time.monotonic() - begin < STOP_SECONDS
    await asyncio.to_thread(lab.start)
    for path in paths:
        assert await asyncio.to_thread(on_disk, lab, path) == [f"one {path}", "two"]


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_container_ended_from_outside_loses_nothing_or_the_last_ten_seconds(
    lab: HubLab, open_as: Open, docker: APIClient, how: str
) -> None:
    """Stopped by the engine, as when the machine goes down; or killed, as when it loses power."""
    await asyncio.to_thread(lab.start)
    await asyncio.to_thread(write, lab, "thesis.ipynb")
    ada = await open_as("ada", "thesis.ipynb")
    begin, acknowledged = time.monotonic(), []
    while time.monotonic() - begin < BEHIND_SECONDS + 3:
        await ada.type("x")
        await ada.acknowledged()
        acknowledged.append(time.monotonic())
        await asyncio.sleep(0.05)

    ended = time.monotonic()
    await asyncio.to_thread(getattr(docker, how), lab.container)
    await asyncio.to_thread(lab.wait_until_stopped)

    due = sum(how == "stop" or ended - moment > BEHIND_SECONDS for moment in acknowledged)
    assert due
    await ada.type(" meanwhile", cell=1)
    await asyncio.to_thread(lab.start)
    found = (await asyncio.to_thread(on_disk, lab, "thesis.ipynb"))[0].count("x")
    assert due <= found <= len(acknowledged)
    assert await asyncio.to_thread(lab.status_in, ada.session) == 200
    await ada.connect()  # as a browser that has been open all the time
    expected = ["one" + "x" * len(acknowledged), "two meanwhile"]
    assert [ada.text(cell) for cell in range(len(ada.cells))] == expected
    await asyncio.to_thread(
        wait_for, lambda: on_disk(lab, "thesis.ipynb") == expected, "what was typed to be saved"
    )


async def test_on_a_full_disk_the_file_stays_whole_and_is_saved_once_there_is_room(
    lab: HubLab, open_as: Open, docker: APIClient
) -> None:
    small = {"type": "tmpfs", "device": "tmpfs", "o": "size=8m,uid=1000,gid=1000"}
    labels = {"org.sophon.namespace": lab.hub.namespace}  # by which it is cleared away
    docker.create_volume(lab.volume, driver_opts=small, labels=labels)
    await asyncio.to_thread(lab.start)
    await asyncio.to_thread(write, lab, "thesis.ipynb")
    ada = await open_as("ada", "thesis.ipynb")
    await asyncio.to_thread(run_in, lab.container, "sh", "-c", f"cat /dev/zero > {HOME}/filler")

    async with ada.events() as events:
        await ada.type("x" * 100_000)
        async with asyncio.timeout(30):
            told = await anext(events)
            while told.get("level") != "ERROR":
                told = await anext(events)

    assert "there is no space left" in told["msg"]
    assert await ada.save() == "failed"
    assert await asyncio.to_thread(on_disk, lab, "thesis.ipynb") == ["one", "two"]

    await asyncio.to_thread(run_in, lab.container, "rm", f"{HOME}/filler")

    expected = ["one" + "x" * 100_000, "two"]
    await asyncio.to_thread(
        wait_for, lambda: on_disk(lab, "thesis.ipynb") == expected, "the notebook to be saved"
    )
