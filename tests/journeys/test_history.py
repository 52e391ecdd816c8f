"""Two people work on a notebook; one of them restores how it was while both have it open."""

import re

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.journeys import jupyterlab
from tests.journeys.conftest import Workplace
from tests.journeys.pictures import keep_picture
from tests.journeys.site import Api, Site
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

SMALL: ViewportSize = {"width": 360, "height": 740}
FOUND = 30_000
"""Milliseconds until the worker has looked into a home."""


def versions_of(page: Page, lab: str, notebook: str) -> None:
    """Go from the page of the lab to the versions of a notebook."""
    page.goto(lab)
    page.get_by_role("button", name="History").click()
    expect(page.get_by_role("button", name="Look again")).to_be_visible(timeout=FOUND)
    page.get_by_role("link", name=notebook).click(timeout=FOUND)


def restore(page: Page, text: str) -> None:
    """Restore the newest version whose line says this."""
    row = page.locator(".row-item").filter(has_text=text).first
    row.locator("summary").click()
    row.get_by_role("button", name="Yes, restore").click()
    expect(page.get_by_text("restored a version")).to_be_visible(timeout=FOUND)


def test_a_version_is_restored_while_two_people_have_the_notebook_open(
    site: Site, ada: Api, workplace: Workplace, browser: Browser
):
    workplace.add("grace")
    workplace.add("alan", role="viewer")
    lab, page_of_lab = site.lab_url(workplace.lab), f"{site.portal}{workplace.lab}"
    ada.start(workplace.lab)
    with site.browser_of(browser, "ada") as owner, site.browser_of(browser, "grace") as member:
        jupyterlab.enter(owner, f"{lab}/lab")
        notebook = jupyterlab.new_notebook(owner)
        jupyterlab.type_in_cell(owner, 0, "first = 1")
        ada.stop(workplace.lab)
        ada.start(workplace.lab)
        jupyterlab.enter(owner, f"{lab}/lab", notebook)
        jupyterlab.enter(member, f"{lab}/lab", notebook)
        jupyterlab.type_in_cell(member, 0, " # by Grace")
        cell = jupyterlab.cells(owner).first
        expect(cell).to_contain_text("# by Grace")

        portal = owner.context.new_page()
        versions_of(portal, page_of_lab, notebook)
        portal.get_by_role("button", name="Changes of").first.click()
        expect(portal.locator(".changes-added").first).to_be_visible(timeout=FOUND)
        expect(portal.locator(".changes")).to_contain_text("first = 1")
        keep_picture(portal, "history-changes")
        versions_of(portal, page_of_lab, notebook)
        keep_picture(portal, "history")
        restore(portal, "Ada Lovelace")

        for page in (owner, member):
            expect(jupyterlab.cells(page)).to_have_count(1)
            text = jupyterlab.cells(page).first
            expect(text).not_to_contain_text("by Grace")
            expect(text).to_contain_text("first = 1")
        jupyterlab.type_in_cell(member, 0, " # goes on")
        expect(cell).to_contain_text("# goes on")

        versions_of(portal, page_of_lab, notebook)
        restore(portal, "Grace Hopper")
        expect(cell).to_contain_text("# by Grace")
        expect(jupyterlab.cells(member).first).not_to_contain_text("goes on")

    said = ada.expect(200, "GET", f"projects/{workplace.project}/events")["items"]
    assert [one["action"] for one in said].count("lab:history-restore") == 2


def test_a_viewer_sees_the_history_of_a_stopped_lab_and_restores_nothing(
    site: Site, ada: Api, workplace: Workplace, browser: Browser
):
    workplace.add("alan", role="viewer")
    ada.start(workplace.lab)
    with site.browser_of(browser, "ada") as owner:
        jupyterlab.enter(owner, f"{site.lab_url(workplace.lab)}/lab")
        notebook = jupyterlab.new_notebook(owner)
        jupyterlab.type_in_cell(owner, 0, "kept = True")
        ada.stop(workplace.lab)
    with site.browser_of(browser, "alan") as viewer:
        viewer.set_viewport_size(SMALL)
        versions_of(viewer, f"{site.portal}{workplace.lab}", notebook)
        expect(viewer.get_by_role("button", name=re.compile("Changes since"))).to_be_visible()
        expect(viewer.locator(".row-item summary")).to_have_count(0)
        keep_picture(viewer, "history-small")
    history = f"{workplace.lab}/history"
    newest, *_, oldest = ada.expect(200, "GET", history)["items"]
    assert [one["username"] for one in newest["editors"]] == ["ada"]
    ada.expect(202, "POST", f"{history}/{oldest['id']}/restore")
    wait_for(
        lambda: ada.expect(200, "GET", history)["restore"]["state"] == "done", "the restore to end"
    )
    ada.start(workplace.lab)
    visit = site.visit("ada", workplace.lab)
    visit.enter()
    assert "kept" not in visit.read(notebook)
