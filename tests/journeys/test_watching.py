"""A viewer watches a lab in a browser, live; is made a member, and edits without a reload."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys import jupyterlab
from tests.journeys.conftest import Workplace
from tests.journeys.pictures import keep_picture
from tests.journeys.site import Api, Site
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

SEEN_WITHIN_MS = 1000


def test_a_viewer_watches_live_and_edits_once_they_are_a_member(
    site: Site, ada: Api, workplace: Workplace, browser: Browser
):
    ada.start(workplace.lab)
    workplace.add("alan", role="viewer")
    page = f"{site.portal}{workplace.lab}"
    with (
        site.browser_of(browser, "ada") as owner,
        site.browser_of(browser, "alan") as viewer,
        site.browser_of(browser, "ada") as portal,
    ):
        portal.goto(page)
        expect(portal.get_by_text("Started by Ada Lovelace")).to_be_visible()
        jupyterlab.enter(owner, f"{site.lab_url(workplace.lab)}/lab")
        notebook = jupyterlab.new_notebook(owner)
        jupyterlab.type_in_cell(owner, 0, "6 * 7")
        jupyterlab.run_cell(owner, 0)
        expect(jupyterlab.output(owner, 0)).to_have_text("42")

        viewer.goto(page)
        viewer.get_by_role("button", name=re.compile("^Watch")).click()
        viewer.wait_for_url("**/user/project-*/**", timeout=60_000)
        jupyterlab.enter(viewer, viewer.url.partition("?")[0], notebook)

        expect(jupyterlab.output(viewer, 0)).to_have_text("42", timeout=SEEN_WITHIN_MS * 5)
        expect(viewer.locator(".jp-NotebookPanel-toolbar")).to_contain_text("read-only")
        jupyterlab.type_in_cell(owner, 0, " # live")
        expect(jupyterlab.cells(viewer).first).to_contain_text("# live", timeout=SEEN_WITHIN_MS)
        keep_picture(viewer, "watching")
        here = portal.get_by_role("region", name="In the lab now")
        expect(here).to_contain_text("Ada Lovelace")
        expect(here).to_contain_text("Alan Turing (watching)")
        keep_picture(portal, "who-is-here")

        jupyterlab.type_in_cell(viewer, 0, " # scribbled")
        jupyterlab.type_in_cell(owner, 0, " # afterwards")
        expect(jupyterlab.cells(viewer).first).to_contain_text("# afterwards")
        expect(jupyterlab.cells(owner).first).not_to_contain_text("scribbled")

        workplace.add("alan", role="member")
        visit = site.visit("alan", workplace.lab)
        visit.enter()
        wait_for(lambda: visit.session.get(f"{visit.url}/api/kernels").ok, "Alan to be a member")
        jupyterlab.type_in_cell(viewer, 0, " # by Alan")
        expect(jupyterlab.cells(owner).first).to_contain_text("# by Alan")
