"""Whoever stops a lab, nothing is lost that was typed before: all the ways, at one whole hub.

A lab that nobody uses is stopped in `test_idle_labs`; labs outlive a Hub that ends, unless it is
told otherwise: `test_saving`.
"""

import asyncio
import itertools
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from running import Browser

from tests.editing import Editor, notebook, sources_in
from tests.journeys.site import Api, Site
from tests.lab_process import find_server
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

SLUG = "stops"
GROUP, PROJECT, LAB = f"groups/{SLUG}", f"projects/{SLUG}", f"projects/{SLUG}/labs/main"
AT_HUB = f"/users/project-{SLUG}/servers/main"
IMAGES = {name: {"image": f"{name}:1"} for name in ("lab", "other")}
TYPING_SECONDS = 0.02


@dataclass
class Place:
    """A lab that runs as a process, somebody in it, and an administrator of the hub."""

    site: Site
    ada: Api
    browser: Browser
    admin: Browser

    @property
    def home(self) -> Path:
        (home,) = (self.site.data_dir / "homes").iterdir()
        return home

    def on_disk(self, path: str) -> str:
        """The text of the first cell as it is in the file."""
        return sources_in(self.home.joinpath(path).read_text())[0]

    def at_hub(self, method: str, path: str, **options: Any) -> requests.Response:
        """What the page of the Hub for administrators sends when a button is pressed."""
        page = self.admin.page("/hub/admin").text
        found = re.search(r'xsrf_token: "([^"]+)"', page)
        assert found, page
        return self.admin.request(
            method,
            f"{self.site.url}/hub/api{path}",
            params={"_xsrf": found[1]},
            headers={"Referer": f"{self.site.url}/hub/admin"},
            timeout=60,
            **options,
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    settings = {
        "SOPHON_SPAWNER": "process",
        "SOPHON_IMAGES": json.dumps(IMAGES),
        "SOPHON_RECONCILE_SECONDS": "1",
    }
    site = Site(tmp_path_factory.mktemp("stops"), settings)
    try:
        site.start()
        with Browser(site.url) as browser, Browser(site.url) as admin:
            for person, name in ((browser, "ada"), (admin, "admin")):
                site.sign_in(person, name)
            ada = site.api("ada")
            ada.expect(201, "POST", "groups", json={"name": SLUG})
            ada.expect(201, "POST", "projects", json={"group": SLUG, "name": SLUG})
            ada.expect(201, "POST", f"{PROJECT}/labs", json={"name": "main"})
            yield Place(site, ada, browser, admin)
    finally:
        site.stop()
        for home in (site.data_dir / "homes").glob("*"):  # labs outlive the Hub
            if server := find_server(home):
                os.kill(server, signal.SIGTERM)


def press_stop(place: Place) -> None:
    answer = place.browser.submit(f"/services/sophon/{LAB}", action="stop")
    assert answer.status_code == 303, answer.text


def stop_as_administrator(place: Place) -> None:
    assert place.at_hub("DELETE", AT_HUB).status_code in (202, 204)


def change_image_and_ask_api(place: Place) -> None:
    """Another image is there from the next start on."""
    place.ada.expect(200, "PATCH", LAB, json={"image": "other"})
    place.ada.expect(202, "POST", f"{LAB}/stop")


def delete_project(place: Place) -> None:
    place.ada.expect(204, "DELETE", PROJECT)


def delete_group(place: Place) -> None:
    place.ada.expect(204, "DELETE", GROUP)


def shut_down(place: Place) -> None:
    """The Hub ends, and is told to end the labs, too."""
    assert place.at_hub("POST", "/shutdown", json={"servers": True}).status_code == 202
    assert place.site.process is not None
    place.site.process.wait(60)


WAYS: dict[Callable[[Place], None], Callable[[Place], object]] = {
    press_stop: lambda place: None,
    stop_as_administrator: lambda place: None,
    change_image_and_ask_api: lambda place: None,
    delete_project: lambda place: place.ada.expect(200, "POST", f"{PROJECT}/restore"),
    delete_group: lambda place: place.ada.expect(200, "POST", f"{GROUP}/restore"),
    shut_down: lambda place: place.site.start(),
}
"""What stops a lab, and what makes it possible to start it again."""


@asynccontextmanager
async def opened(place: Place, path: str) -> AsyncIterator[Editor]:
    """Somebody who has come into the lab and has opened a notebook."""
    await asyncio.to_thread(enter, place)
    editor = Editor(place.browser, place.site.lab_url(LAB), path)
    try:
        await editor.connect()
        yield editor
    finally:
        await editor.disconnect()


def enter(place: Place) -> None:
    answer = place.browser.page(f"/user/project-{SLUG}/main/lab")
    assert answer.url.startswith(place.site.lab_url(LAB)), answer.url


async def type_on(editor: Editor) -> None:
    """Type without a pause, also when nobody hears of it any more."""
    for number in itertools.count():
        await editor.type(f" {number}")
        await asyncio.sleep(TYPING_SECONDS)


@pytest.mark.parametrize("stop", WAYS, ids=lambda stop: stop.__name__)
async def test_what_was_typed_before_a_lab_is_stopped_is_in_the_file_once_whatever_stops_it(
    place: Place, stop: Callable[[Place], None]
) -> None:
    path = f"{stop.__name__}.ipynb"
    await asyncio.to_thread(place.ada.start, LAB)
    place.home.joinpath(path).write_text(json.dumps(notebook("begin")))
    async with opened(place, path) as ada:
        typing = asyncio.create_task(type_on(ada))
        await ada.acknowledged()
        before = ada.text(0)

        await asyncio.to_thread(stop, place)
        await asyncio.to_thread(
            wait_for, lambda: find_server(place.home) is None, "the lab to have ended"
        )

        typing.cancel()
        with suppress(asyncio.CancelledError):
            await typing
        typed, saved = ada.text(0), place.on_disk(path)
        assert saved.startswith(before)
        assert typed.startswith(saved)

        await asyncio.to_thread(WAYS[stop], place)
        await asyncio.to_thread(place.ada.wait_for_state, LAB, "stopped")
        await asyncio.to_thread(place.ada.start, LAB)
        async with opened(place, path) as other:
            # what came between the last save and the end is in the store of documents alone
            assert other.text(0).startswith(saved)
            assert typed.startswith(other.text(0))
            await ada.connect()  # as a page that has been open all the time
            await other.acknowledged()
            assert [ada.text(0), other.text(0)] == [typed, typed]
        await asyncio.to_thread(
            wait_for, lambda: place.on_disk(path) == typed, "the rest to be saved"
        )
