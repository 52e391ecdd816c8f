"""Somebody leaves JupyterLab open: they are warned, and one click keeps the lab."""

from collections.abc import Iterator

import pytest
from docker.api.client import APIClient
from playwright.sync_api import Browser, expect

from tests.engine import remove_namespace
from tests.journeys import jupyterlab
from tests.journeys.pictures import keep_picture
from tests.journeys.site import Site

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

LAB = "projects/idle/labs/main"
SOON_MS = 60_000


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, engine_client: APIClient) -> Iterator[Site]:
    """A hub on which labs are not kept for long."""
    limits = {"SOPHON_LAB_IDLE_MINUTES": "10", "SOPHON_LAB_WARNING_MINUTES": "9.8"}
    site = Site(tmp_path_factory.mktemp("site"), limits)
    site.start()
    yield site
    site.stop()
    remove_namespace(engine_client, site.namespace)


def test_people_are_warned_before_their_lab_is_stopped_and_one_click_in_it_or_outside_keeps_it(
    impatient: Site, browser: Browser
):
    ada = impatient.api("ada")
    ada.expect(201, "POST", "groups", json={"name": "Idle"})
    ada.expect(201, "POST", "projects", json={"group": "idle", "name": "Idle"})
    ada.expect(201, "POST", "projects/idle/labs", json={"name": "Main"})
    ada.expect(201, "PUT", "groups/idle/members/grace", json={"role": "viewer"})
    ada.start(LAB)
    with (
        impatient.browser_of(browser, "ada") as page,
        impatient.browser_of(browser, "ada") as portal,
        impatient.browser_of(browser, "grace") as viewer,
    ):
        jupyterlab.enter(page, f"{impatient.lab_url(LAB)}/lab")
        portal.goto(f"{impatient.portal}{LAB}")
        toast = page.locator(".Toastify__toast", has_text="Nobody has worked in this lab")
        expect(toast).to_be_visible(timeout=SOON_MS)
        expect(portal.get_by_text("Nobody has worked in the lab")).to_be_visible()
        keep_picture(page, "idle-warning")
        keep_picture(portal, "idle-page")

        toast.get_by_role("button", name="Keep it running").click()

        expect(toast).to_have_count(0)
        expect(portal.get_by_text("Nobody has worked in the lab")).to_have_count(0)

        # and outside of it: from Home, with the keyboard, on a small screen, without reloading
        viewer.goto(f"{impatient.portal}{LAB}")
        portal.goto(impatient.portal)
        portal.set_viewport_size({"width": 360, "height": 740})
        portal.evaluate("window.isStillThere = true")
        keep = portal.get_by_role("button", name="Keep it running (Main)")
        expect(keep).to_be_visible(timeout=SOON_MS)
        expect(toast).to_be_visible(timeout=SOON_MS)
        expect(viewer.get_by_text("Nobody has worked in the lab")).to_be_visible()
        expect(viewer.get_by_role("button", name="Keep it running")).to_have_count(0)
        keep_picture(portal, "idle-home")

        keep.focus()
        portal.keyboard.press("Enter")

        expect(keep).to_have_count(0)
        expect(toast).to_have_count(0)
        expect(viewer.get_by_text("Nobody has worked in the lab")).to_have_count(0)
        assert portal.evaluate("window.isStillThere")
