"""A viewer watches a lab in a browser, live; is made a member, and edits without a reload."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.journeys import jupyterlab
from tests.journeys.conftest import Workplace
from tests.journeys.pictures import keep_picture
from tests.journeys.site import Api, Site
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

SEEN_WITHIN_MS = 1000


def sees_as_a_viewer(page: Page) -> None:
    """JupyterLab says that one watches, and offers nothing that would fail."""
    expect(page.get_by_role("status").filter(has_text="You are watching")).to_be_visible()
    for name in ("save", "run", "insert"):
        expect(
            page.locator(f'.jp-NotebookPanel-toolbar [data-jp-item-name="{name}"]')
        ).to_be_hidden()
    expect(menu(page, "Kernel")).to_have_count(0)
    assert not {"Save Notebook", "Rename Notebook…"} & offered_in(page, "File")


def sees_as_a_member(page: Page) -> None:
    """JupyterLab is as it always is."""
    expect(menu(page, "Kernel")).to_have_count(1)
    expect(page.get_by_text("You are watching")).to_have_count(0)
    for name in ("save", "run", "insert"):
        button = page.locator(f'.jp-NotebookPanel-toolbar [data-jp-item-name="{name}"]')
        expect(button).to_be_visible()
    assert {"Save Notebook", "Rename Notebook…"} <= offered_in(page, "File")


def menu(page: Page, name: str) -> Locator:
    return page.locator(".lm-MenuBar-itemLabel").get_by_text(name, exact=True)


def offered_in(page: Page, name: str) -> set[str]:
    """What one sees in a menu."""
    menu(page, name).click()
    items = page.locator(".lm-Menu .lm-Menu-itemLabel")
    expect(items.first).to_be_attached()
    found = {item.inner_text() for item in items.all() if item.is_visible()}
    page.keyboard.press("Escape")
    return found


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
        sees_as_a_viewer(viewer)
        sees_as_a_member(owner)
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
        sees_as_a_member(viewer)
        keep_picture(viewer, "watching-no-more")

        workplace.add("alan", role="viewer")
        sees_as_a_viewer(viewer)
