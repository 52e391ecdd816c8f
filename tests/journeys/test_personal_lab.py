"""My lab, as people use it: on its page and through the API, started by the worker for them."""

import re

import pytest
import requests
from docker.api.client import APIClient
from playwright.sync_api import Browser, Page, expect

from sophon_hub.names import PERSONAL_GROUP
from tests.journeys import jupyterlab
from tests.journeys.site import Api, Site
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

LAB = "me/lab"
TRASH = "~/.local/share/Trash/files"


def run_in_lab(engine: APIClient, site: Site, script: str) -> str:
    """Run something in the only personal lab that runs."""
    labels = [f"org.sophon.namespace={site.namespace}", "org.sophon.kind=personal"]
    [container] = engine.containers(filters={"label": labels})
    execution = engine.exec_create(container["Id"], ["sh", "-c", script])["Id"]
    said = engine.exec_start(execution).decode()
    assert engine.exec_inspect(execution)["ExitCode"] == 0, said
    return str(said)


def measured(api: Api, trash: int) -> bool:
    disk = api.expect(200, "GET", LAB)["disk"]
    return disk["trash_bytes"] is not None and disk["trash_bytes"] // 1_000_000 == trash


def open_own_lab(page: Page) -> None:
    page.goto("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="My lab").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My lab")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/user/grace/**", timeout=60_000)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=jupyterlab.LAB_READY)


def test_a_person_works_in_their_own_lab_and_empties_its_trash(
    site: Site, browser: Browser, engine_client: APIClient
):
    grace = site.api("grace")
    with site.browser_of(browser, "grace") as page:
        open_own_lab(page)
        assert grace.expect(200, "GET", LAB)["state"] == "running"
        run_in_lab(
            engine_client,
            site,
            f"mkdir -p {TRASH} && head -c 5000000 /dev/urandom > {TRASH}/old && echo 1 > ~/mine",
        )
        page.goto("/services/sophon/lab")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#live")).to_contain_text("stopped", timeout=60_000)
        expect(page.locator("#live")).to_contain_text("4.8 MiB", timeout=60_000)
        page.get_by_text("Empty trash").first.click()
        page.get_by_role("button", name=re.compile("yes", re.I)).click()
        expect(page.get_by_text("The trash is being emptied.")).to_be_visible()
        wait_for(lambda: measured(grace, 0), "the trash to be empty")
    grace.start(LAB)
    assert run_in_lab(engine_client, site, f"cat ~/mine; ls {TRASH} 2>/dev/null; true") == "1\n"
    grace.stop(LAB)


def test_a_lesson_is_opened_from_its_page_and_keeps_what_was_changed(
    site: Site, browser: Browser, engine_client: APIClient
):
    with site.browser_of(browser, "alan") as page:
        page.goto("/services/sophon/lessons/heat-map")
        page.get_by_role("button", name="Open in my lab with Course").click()
        page.wait_for_url("**/user/alan/lab/tree/lessons/03-heat-map.ipynb", timeout=90_000)
        notebook = page.locator(".jp-Notebook")
        expect(notebook).to_contain_text("heat map", timeout=jupyterlab.LAB_READY)

        home = "/home/jovyan/lessons"
        change = f"rm {home}/0[!3]*.ipynb && touch -d @1 {home}/03-heat-map.ipynb"
        run_in_lab(engine_client, site, change)
        page.goto("/services/sophon/lessons/time-series")
        page.get_by_role("button", name="Open in my lab").click()
        page.wait_for_url("**/user/alan/lab/tree/lessons/02-time-series.ipynb", timeout=30_000)
        expect(page.locator(".jp-Notebook").first).to_be_visible(timeout=jupyterlab.LAB_READY)
        there = run_in_lab(engine_client, site, f"cd {home} && ls *.ipynb && stat -c %Y 03*")
        assert there.split() == ["02-time-series.ipynb", "03-heat-map.ipynb", "1"]
    site.api("alan").stop(LAB)


def test_the_portal_follows_a_lab_that_is_started_and_stopped_at_the_hub(site: Site):
    alan = site.api("alan")
    own = f"{site.url}/hub/api/users/alan/server"
    assert alan.expect(200, "GET", LAB)["state"] == "stopped"
    assert alan.session.post(own, timeout=60).status_code in (201, 202)
    alan.wait_for_state(LAB, "running")
    assert alan.session.delete(own, timeout=60).status_code in (202, 204)
    alan.wait_for_state(LAB, "stopped")


def test_the_worker_reaches_only_the_servers_of_those_who_asked(site: Site):
    ada = site.api("ada")
    token = (site.data_dir / "worker-token").read_text().strip()
    # whose own lab no other journey starts
    own_server = f"{site.url}/hub/api/users/ada/server"
    with requests.Session() as worker:
        worker.headers["Authorization"] = f"token {token}"
        assert worker.post(own_server, timeout=60).status_code == 404
        ada.start(LAB)
        groups = worker.get(f"{site.url}/hub/api/groups/{PERSONAL_GROUP}", timeout=60).json()
        assert "ada" in groups["users"]
        assert worker.delete(own_server, timeout=60).status_code in (202, 204)
    ada.wait_for_state(LAB, "stopped")
