"""A lab that nobody works in is stopped: an open tab is no work, a calculation is for a while."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from running import Browser, RunningHub

from tests.editing import sources_in
from tests.lab_documents import ONE_CELL, Copy
from tests.lab_kernel import execute, open_kernel
from tests.lab_visitor import NOTEBOOK, Visitor
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

STOPS = "urn:sophon:lab-stops:v1"
IDLE, WARNING, BUSY = 20, 15, 45
"""Seconds until a lab is stopped, of which people are warned, and until one that is busy is."""

PAGE = "/services/sophon/lab"
LONG = 120
NOTEBOOK_FILE = {"type": "notebook", "content": ONE_CELL}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    hub = RunningHub(
        tmp_path_factory.mktemp("idle"),
        lab_idle_minutes=str(IDLE / 60),
        lab_warning_minutes=str(WARNING / 60),
        lab_busy_hours=str(BUSY / 3600),
    )
    hub.start()
    yield hub
    hub.end()


@pytest.fixture(scope="module")
def browser(hub: RunningHub) -> Iterator[Browser]:
    with hub.browser() as browser:
        assert browser.sign_in("admin", hub.admin_password()).status_code == 302
        assert browser.page("/services/sophon/").status_code == 200
        yield browser


def lab_of(browser: Browser) -> dict[str, Any]:
    """The personal lab, as the API tells it."""
    lab: dict[str, Any] = browser.page("/services/sophon/api/v1/me/lab").json()
    return lab


def is_in(browser: Browser, state: str) -> dict[str, Any] | None:
    lab = lab_of(browser)
    assert lab["state"] in {state, "starting", "stopping", "running"}, lab
    return lab if lab["state"] == state else None


@pytest.fixture
def visitor(hub: RunningHub, browser: Browser) -> Iterator[Visitor]:
    """Somebody whose personal lab has just been started, and who is in it."""
    assert browser.submit(PAGE, action="start").status_code == 303
    wait_for(lambda: is_in(browser, "running"), "the lab to run", LONG)
    assert browser.page("/user/admin/lab").status_code == 200
    # the session is shared by the tests of this module, and closed after them
    visitor = Visitor(f"{hub.url}/user/admin", browser)
    yield visitor
    visitor._open.close()
    browser.submit(PAGE, action="stop")
    wait_for(lambda: lab_of(browser)["state"] == "stopped", "the lab to stop", LONG)


def test_an_open_tab_does_not_keep_a_lab_but_a_click_does(
    hub: RunningHub, browser: Browser, visitor: Visitor
) -> None:
    tab = visitor.socket("/api/events/subscribe")
    visitor.expect("PUT", f"/api/contents/{NOTEBOOK}", json=NOTEBOOK_FILE)
    copy = Copy(visitor, visitor.room())

    def hear() -> Any:
        while True:
            event = json.loads(tab.recv(timeout=LONG))
            if event["schema_id"] == STOPS:
                return event["seconds"]

    assert 0 < hear() <= WARNING + 1
    wait_for(lambda: lab_of(browser)["stops_at"], "the page to say so, too")

    assert visitor.request("POST", "/sophon/keep").status_code == 204

    while hear() is not None:
        pass
    wait_for(lambda: lab_of(browser)["stops_at"] is None, "it to go on")
    assert lab_of(browser)["state"] == "running"
    copy.write("typed before it stops")

    lab = wait_for(lambda: is_in(browser, "stopped"), "it to stop when nobody keeps it", LONG)
    assert lab["stop_reason"] == f"nobody worked in it for {IDLE / 60:g} minutes"
    assert lab["stops_at"] is None
    assert f"nobody worked in it for {IDLE / 60:g} minutes" in browser.page(PAGE).text
    (home,) = (hub.data / "homes").iterdir()
    assert sources_in(home.joinpath(NOTEBOOK).read_text()) == ["typed before it stops"]


def test_a_lab_that_calculates_is_stopped_only_at_the_hard_limit(
    browser: Browser, visitor: Visitor
) -> None:
    _, kernel = open_kernel(visitor)
    execute(kernel, "import time; time.sleep(3600)")

    lab = wait_for(lambda: is_in(browser, "stopped"), "it to stop in the end", LONG * 2)

    assert lab["stop_reason"].startswith("it has been calculating without anybody working in it")
    lived = datetime.fromisoformat(lab["stopped_at"]) - datetime.fromisoformat(lab["last_activity"])
    assert lived.total_seconds() >= BUSY
