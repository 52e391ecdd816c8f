"""The main job, as people do it: a group, a project, a lab, a notebook edited by two."""

import re
import secrets

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys import jupyterlab
from tests.journeys.conftest import Workplace, in_both_modes
from tests.journeys.pictures import keep_picture
from tests.journeys.site import Api, Site

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

SEEN_WITHIN_MS = 1000
"""What one person types, the other sees within a second."""


def create_group(page: Page, name: str) -> None:
    page.get_by_role("link", name="Groups", exact=True).click()
    page.get_by_role("link", name=re.compile("new group|create a group", re.I)).first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.locator("input[name=access][value=open]").check()
    page.get_by_role("button", name="Create group").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def create_private_project(page: Page, name: str) -> None:
    page.get_by_role("link", name="New project").first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.locator("input[name=visibility][value=private]").check()
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def create_and_start_lab(page: Page, name: str) -> str:
    """Make a lab, start it, wait until JupyterLab is on screen; gives the lab's address."""
    page.get_by_role("link", name=re.compile("new lab|create a lab", re.I)).first.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create lab").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.get_by_role("button", name=re.compile("^Start")).click()
    page.wait_for_url("**/user/project-*/**", timeout=60_000)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=jupyterlab.LAB_READY)
    return page.url.split("/lab", 1)[0]


@in_both_modes
def test_two_people_edit_one_notebook_and_a_stranger_cannot(site: Site, browser: Browser):
    mark = secrets.token_hex(3)
    group, project = f"Number theory {mark}", f"Bernoulli {mark}"
    with site.browser_of(browser, "ada") as ada, site.browser_of(browser, "grace") as grace:
        ada.goto("/")
        create_group(ada, group)
        create_private_project(ada, project)
        project_address = ada.url
        lab = create_and_start_lab(ada, "Main lab")
        notebook = jupyterlab.new_notebook(ada)
        jupyterlab.type_in_cell(ada, 0, "6 * 7")
        jupyterlab.run_cell(ada, 0)
        expect(jupyterlab.output(ada, 0)).to_have_text("42")

        join(grace, group)
        grace.get_by_role("link", name=project).first.click()
        grace.get_by_role("button", name=re.compile("^Open")).first.click()
        grace.wait_for_url("**/user/project-*/**", timeout=60_000)
        assert "authorize" not in grace.url
        jupyterlab.enter(grace, grace.url, notebook)

        both_see_each_other(ada, grace)
        keep_picture(ada, "two-people-one-notebook")

    refused(site, browser, project_address, lab, project)


def join(page: Page, group: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Groups", exact=True).click()
    page.get_by_role("link", name=group).click()
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("You belong to the group now.")).to_be_visible()


def both_see_each_other(ada: Page, grace: Page) -> None:
    sees_text_and_name(grace, ada, "  # by Grace", "Grace Hopper")
    sees_text_and_name(ada, grace, " and Ada", "Ada Lovelace")


def sees_text_and_name(typist: Page, reader: Page, text: str, name: str) -> None:
    # a caret that has not moved since the reader came is told to them only by the next renewal
    # of all carets, within 15 s; one that moves is told at once
    jupyterlab.type_in_cell(typist, 0, "")
    typist.keyboard.press("Home")
    jupyterlab.type_in_cell(typist, 0, text)
    expect(jupyterlab.cells(reader).first).to_contain_text(text.strip(), timeout=SEEN_WITHIN_MS)
    # JupyterLab tells whose caret it is when the mouse comes near
    caret = jupyterlab.carets(reader).first
    expect(caret).to_be_attached(timeout=SEEN_WITHIN_MS)
    jupyterlab.point_at(reader, caret)
    expect(jupyterlab.caret_name(reader)).to_have_text(name, timeout=SEEN_WITHIN_MS)


def refused(site: Site, browser: Browser, project_address: str, lab: str, project: str) -> None:
    """A stranger and a guest: nothing on the page, in the API, or at the lab's own address."""
    slug = project_address.rstrip("/").rsplit("/", 1)[1]
    site.api("barbara").expect(404, "GET", f"projects/{slug}")
    site.api().expect(404, "GET", f"projects/{slug}/labs/main-lab")
    with site.browser_of(browser, "barbara") as barbara:
        answer = barbara.goto(project_address)
        assert answer is not None
        assert answer.status == 404
        assert project not in barbara.content()

        answer = barbara.goto(f"{lab}/lab")
        assert answer is not None
        assert answer.status in (403, 404)
        text = barbara.locator("main").inner_text()
        assert "no access" in text
        assert project not in text
        assert "Main lab" not in text


def test_a_guest_reads_public_projects_and_nothing_else(site: Site, browser: Browser, ada: Api):
    mark = secrets.token_hex(3)
    ada.expect(201, "POST", "groups", json={"name": f"Open {mark}", "slug": f"open-{mark}"})
    for visibility in ("public", "internal", "private"):
        ada.expect(
            201,
            "POST",
            "projects",
            json={
                "group": f"open-{mark}",
                "name": f"A {visibility} one {mark}",
                "slug": f"{visibility}-{mark}",
                "visibility": visibility,
                "description": "Read **this**.",
            },
        )
    with site.browser_of(browser) as guest:
        guest.goto("/")
        expect(guest.get_by_role("link", name=re.compile("sign in", re.I)).first).to_be_visible()
        guest.get_by_role("link", name="Projects", exact=True).click()
        guest.goto(f"{site.portal}projects?q={mark}")
        expect(guest.get_by_role("link", name=f"A public one {mark}").first).to_be_visible()
        assert "internal one" not in guest.content()
        assert "private one" not in guest.content()
        guest.get_by_role("link", name=f"A public one {mark}").first.click()
        expect(guest.locator("strong", has_text="this")).to_be_visible()
        assert guest.get_by_role("button", name=re.compile("start|open|delete", re.I)).count() == 0
        for hidden in ("internal", "private"):
            answer = guest.goto(f"{site.portal}projects/{hidden}-{mark}")
            assert answer is not None
            # a guest may be asked to sign in, but a page never says that there is something
            missing = guest.request.get(f"{site.portal}projects/missing-{mark}")
            assert answer.status == missing.status


def test_a_kernel_lives_through_a_killed_hub(
    site: Site, browser: Browser, ada: Api, workplace: Workplace
):
    ada.start(workplace.lab)
    url = ada.open(workplace.lab)
    with site.browser_of(browser, "ada") as page:
        jupyterlab.enter(page, url)
        notebook = jupyterlab.new_notebook(page)
        jupyterlab.type_in_cell(page, 0, "answer = 41; answer")
        jupyterlab.run_cell(page, 0)
        expect(jupyterlab.output(page, 0)).to_have_text("41")
        jupyterlab.save(page)

        site.kill_hub()
        site.start()

        assert ada.lab_state(workplace.lab) == "running"
        jupyterlab.enter(page, url, notebook)
        jupyterlab.wait_for_kernel(page)
        expect(jupyterlab.cells(page).first).to_contain_text("answer = 41")
        jupyterlab.replace_cell(page, 0, "answer + 1")
        jupyterlab.run_cell(page, 0)
        expect(jupyterlab.output(page, 0)).to_have_text("42")
