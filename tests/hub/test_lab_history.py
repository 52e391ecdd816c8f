"""Versions of notebooks in a lab that runs: when they are kept, of whom, and made present again."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hub_harness import HubLab, HubProcess
from sophon_lab.versions import Version, Versions

from sophon_hub import names
from sophon_hub.lab_messages import LabMessages
from sophon_hub.settings import Sophon
from tests.editing import Editor, notebook, sources_in
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

NOTEBOOK = "thesis.ipynb"
MINUTES = 0.01


@pytest.fixture(scope="module")
def hub(make_process_hub: Callable[..., HubProcess]) -> HubProcess:
    hub = make_process_hub(SOPHON_SPAWNER="process")
    hub.start()
    hub.add_to_group(names.people_group("physics"), "ada", "grace")
    return hub


@pytest.fixture
def lab(hub: HubProcess, slug: str) -> HubLab:
    """A running lab with a notebook of two cells."""
    lab = hub.add_lab("physics", slug, "first")
    lab.start()
    home(lab).joinpath(NOTEBOOK).write_text(json.dumps(notebook("one", "two")))
    return lab


@pytest.fixture
async def open_as(lab: HubLab) -> AsyncIterator[Callable[..., Any]]:
    """Opens the notebook as somebody; all are closed in the end."""
    editors: list[Editor] = []

    async def opened(name: str) -> Editor:
        session = await asyncio.to_thread(lab.hub.log_in, name)
        assert await asyncio.to_thread(lab.status_in, session) == 200
        editors.append(Editor(session, lab.url, NOTEBOOK, "notebook"))
        await editors[-1].connect()
        return editors[-1]

    yield opened
    for editor in editors:
        await editor.disconnect()
        editor.session.close()


def home(lab: HubLab) -> Path:
    return lab.hub.data_dir / "homes" / lab.uid


def kept(lab: HubLab) -> list[Version]:
    return Versions(str(home(lab))).all()


def texts(lab: HubLab, version: Version) -> list[str]:
    return sources_in(Versions(str(home(lab))).read(version.id)[1].decode())


def on_disk(lab: HubLab, path: str = NOTEBOOK) -> list[str]:
    return sources_in(home(lab).joinpath(path).read_text())


def restore(lab: HubLab, version: str, by: str = "grace") -> requests.Response:
    """Ask the lab as the hub's worker does."""
    url = f"{lab.url}/sophon/restore"
    body = json.dumps({"version": version, "by": by}).encode()
    messages = LabMessages.of(Sophon(data_dir=str(lab.hub.data_dir)))
    headers = messages.headers(urlsplit(url).path, body)
    return requests.post(url, data=body, headers=headers, timeout=30)


def flush(lab: HubLab) -> None:
    url = f"{lab.url}/sophon/flush"
    messages = LabMessages.of(Sophon(data_dir=str(lab.hub.data_dir)))
    answer = requests.post(url, headers=messages.headers(urlsplit(url).path), timeout=30)
    assert answer.status_code == 200


async def test_versions_are_kept_when_opened_and_before_the_end_with_who_has_changed_them(
    lab: HubLab, open_as: Callable[..., Any]
) -> None:
    ada = await open_as("ada")
    assert [(one.reason, one.editors, one.path) for one in kept(lab)] == [("open", [], NOTEBOOK)]
    grace = await open_as("grace")
    await ada.type(" by Ada")
    await ada.acknowledged()
    await asyncio.to_thread(flush, lab)
    await grace.type(" by Grace", cell=1)
    await grace.acknowledged()
    await asyncio.to_thread(lab.stop)

    last, middle, first = kept(lab)
    assert [texts(lab, one) for one in (first, middle, last)] == [
        ["one", "two"],
        ["one by Ada", "two"],
        ["one by Ada", "two by Grace"],
    ]
    assert (middle.editors, last.editors) == (["ada"], ["grace"])

    await asyncio.to_thread(lab.start)
    await open_as("ada")
    assert len(kept(lab)) == 3


async def test_a_restored_version_reaches_all_who_have_it_open_and_what_was_there_is_kept(
    lab: HubLab, open_as: Callable[..., Any]
) -> None:
    ada, grace = await open_as("ada"), await open_as("grace")
    first = kept(lab)[0]
    await ada.add_cell("more", "three")
    await ada.type("X" * 20)
    await ada.acknowledged()

    async def go_on_typing() -> None:
        for letter in "abcdefghij":
            await grace.type(letter, cell=1)
            await asyncio.sleep(0.02)
        await grace.acknowledged()

    typing = asyncio.create_task(go_on_typing())
    answer = await asyncio.to_thread(restore, lab, first.id)
    await typing

    assert answer.status_code == 200, answer.text
    await asyncio.to_thread(flush, lab)
    await ada.acknowledged()
    now = on_disk(lab)
    assert now[0] == "one"
    assert len(now) == 2
    assert [[one.text(0), one.text(1)] for one in (ada, grace)] == [now, now]
    kept_before = [one for one in kept(lab) if one.reason == "before"]
    assert set("abcdefghij") <= set(now[1]).union(*(texts(lab, one)[1] for one in kept_before))
    before = kept_before[0]
    assert texts(lab, before)[0] == "one" + "X" * 20
    assert texts(lab, before)[2] == "three"
    restored = next(one for one in kept(lab) if one.reason == "restored")
    assert restored.editors == ["grace"]

    answer = await asyncio.to_thread(restore, lab, before.id)
    assert answer.status_code == 200
    wait_for(lambda: on_disk(lab)[0] == "one" + "X" * 20, "the restore to be undone")
    assert on_disk(lab)[2] == "three"


async def test_a_notebook_that_nobody_has_open_or_that_is_gone_is_restored_too(
    lab: HubLab,
) -> None:
    archive = Versions(str(home(lab)))
    closed = archive.keep(NOTEBOOK, json.dumps(notebook("old")).encode(), [], "end")
    gone = archive.keep("work/gone.ipynb", json.dumps(notebook("gone")).encode(), [], "end")
    assert closed is not None
    assert gone is not None

    for version in (closed, gone):
        answer = await asyncio.to_thread(restore, lab, version.id, "ada")
        assert answer.status_code == 200, answer.text

    assert on_disk(lab) == ["old"]
    assert on_disk(lab, "work/gone.ipynb") == ["gone"]
    assert [one for one in kept(lab) if texts(lab, one) == ["one", "two"]]


async def test_what_cannot_be_restored_says_so_and_changes_nothing(lab: HubLab) -> None:
    archive = Versions(str(home(lab)))
    broken = archive.keep(NOTEBOOK, b"{}", [], "end")
    assert broken is not None
    before = home(lab).joinpath(NOTEBOOK).read_text()

    unknown = await asyncio.to_thread(restore, lab, "0000000000001-0000000000000000")
    unreadable = await asyncio.to_thread(restore, lab, broken.id)
    unsigned = await asyncio.to_thread(requests.post, f"{lab.url}/sophon/restore", timeout=30)

    assert (unknown.status_code, unknown.json()["problem"]) == (
        409,
        "This version is not kept any more.",
    )
    assert unreadable.json()["problem"] == "What was kept of this version is no notebook."
    assert unsigned.status_code == 403
    assert home(lab).joinpath(NOTEBOOK).read_text() == before
