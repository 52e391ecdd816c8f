"""A visitor without an account: the button, JupyterLab, code that runs, the queue, the end."""

import contextlib
import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.engine import docker_client, remove_namespace
from tests.journeys.jupyterlab import (
    LAB_READY,
    cells,
    enter,
    new_notebook,
    run_cell,
    type_in_cell,
    wait_for_kernel,
)
from tests.journeys.pictures import keep_picture
from tests.journeys.site import Api, Site
from tests.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.browser]

SETTINGS = {
    "SOPHON_TEMPORARY_LABS": "true",
    "SOPHON_TEMPORARY_POOL": "1",
    "SOPHON_TEMPORARY_CAPACITY": "1",
    "SOPHON_TEMPORARY_CPU_LIMIT": "2",
    "SOPHON_TEMPORARY_CLAIMS": "100",  # all visitors have one address
}
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "colours",
            "metadata": {},
            "outputs": [],
            "source": "open('data/colours.txt').read().split()",
        }
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hub with a single temporary lab."""
    site = Site(tmp_path_factory.mktemp("visited"), SETTINGS)
    try:
        site.start()
        yield site
    finally:
        site.stop()
        with contextlib.closing(docker_client()) as engine:
            remove_namespace(engine, site.namespace)


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def second(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """Another visitor, also one whose browser runs no scripts."""
    context = browser.new_context(java_script_enabled=request.param)
    yield context
    context.close()


def test_a_visitor_works_in_a_lab_and_the_next_one_gets_another(
    site: Site, browser: Browser, second: BrowserContext
) -> None:
    first = browser.new_context()
    page = first.new_page()
    page.goto(f"{site.url}/services/sophon/")
    keep_picture(page, "front")
    page.get_by_role("link", name="Try it").click()
    keep_picture(page, "offer")
    page.get_by_role("button", name="Start a temporary lab").click(no_wait_after=True)
    # when none is ready yet, a page says so and goes on by itself
    page.wait_for_url(re.compile(r"/user/tmp-\w+/lab"), timeout=LAB_READY, wait_until="commit")
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=LAB_READY)
    new_notebook(page)
    type_in_cell(page, 0, "6 * 7")
    run_cell(page, 0)
    expect(cells(page).first).to_contain_text("42", timeout=LAB_READY)
    countdown = page.locator("#sophon-visit")
    expect(countdown).to_contain_text("Temporary lab: deleted in 4:00 h", timeout=LAB_READY)
    expect(countdown.get_by_role("link", name="Keep my work")).to_have_attribute(
        "href", re.compile("/services/sophon/try$")
    )
    keep_picture(page, "jupyterlab")

    other = second.new_page()
    other.goto(f"{site.url}/services/sophon/try")
    other.get_by_role("button", name="Start a temporary lab").click()
    expect(other.get_by_role("heading", name="All temporary labs are in use")).to_be_visible()
    expect(other.get_by_role("status").filter(has_text="You are next")).to_be_visible()
    keep_picture(other, "full")

    visit = first.new_page()
    visit.goto(f"{site.url}/services/sophon/try")
    expect(visit.locator("[data-countdown]")).to_have_text(re.compile(r"in (4|3) h"))
    keep_picture(visit, "visit")
    visit.get_by_role("button", name="End and delete it").click()
    expect(visit.get_by_text("everything in it is deleted")).to_be_visible()

    # nobody touches the other visitor's page
    other.wait_for_url(re.compile(r"/user/tmp-\w+/lab"), timeout=2 * LAB_READY, wait_until="commit")
    page.reload()
    expect(page.get_by_role("heading", name="Your visit is over")).to_be_visible()
    keep_picture(page, "ended")
    leave(site, second)
    first.close()


def test_a_visitor_signs_in_and_finds_the_work_in_the_own_lab(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/services/sophon/try")
    page.get_by_role("button", name="Start a temporary lab").click(no_wait_after=True)
    page.wait_for_url(re.compile(r"/user/tmp-\w+/lab"), timeout=2 * LAB_READY, wait_until="commit")
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=LAB_READY)
    notebook = new_notebook(page)
    type_in_cell(page, 0, "'made in ' + 'a visit'")
    run_cell(page, 0)
    expect(cells(page).first).to_contain_text("'made in a visit'", timeout=LAB_READY)
    page.keyboard.press("Control+s")
    with page.expect_response(lambda answer: answer.request.method == "PUT"):
        page.get_by_role("button", name="Rename and Save").click()

    visit = context.new_page()
    visit.goto(f"{site.url}/services/sophon/try")
    keep_picture(visit, "visit-guest")
    visit.get_by_role("link", name="Sign in and keep my work").click()
    visit.get_by_label("User name").fill("ada")
    visit.get_by_label("Password").fill(site.password("ada"))
    visit.keyboard.press("Enter")
    expect(visit.get_by_role("button", name="Keep my work")).to_be_visible()
    keep_picture(visit, "visit-signed-in")
    visit.get_by_role("button", name="Keep my work").click()
    done = visit.get_by_role("status").filter(has_text="Your files are in the folder")
    expect(done).to_be_visible(timeout=2 * LAB_READY)
    keep_picture(visit, "kept")
    folder = re.search("“(.+)”", done.inner_text())
    assert folder

    own = context.new_page()
    enter(own, f"{site.url}/user/ada/lab", f"{folder[1]}/{notebook}")
    expect(cells(own).first).to_contain_text("'made in a visit'", timeout=2 * LAB_READY)
    assert_nothing_was_loaded_again(own)
    keep_picture(own, "own-lab")
    visit.bring_to_front()
    visit.get_by_role("button", name="End and delete it").click()
    expect(visit.get_by_role("heading", name="You have a lab of your own")).to_be_visible()
    context.close()


def assert_nothing_was_loaded_again(page: Page) -> None:
    """JupyterLab's files are what this browser has from another lab, of another image."""
    sizes: dict[str, int] = page.evaluate(
        "Object.fromEntries(performance.getEntriesByType('resource')"
        ".map((one) => [one.name, one.transferSize]))"
    )
    shared = {name: size for name, size in sizes.items() if "/services/sophon/lab-static/" in name}
    assert len(shared) > 20, sizes
    # what only a lab with collaboration needs may be new
    again = {name: size for name, size in shared.items() if size}
    assert sum(again.values()) < 100_000, again
    assert not [name for name in sizes if "/static/lab/" in name]


def publish(site: Site) -> Api:
    """A public project of Ada's with a notebook and its data as material; gives Ada."""
    ada = site.api("ada")
    ada.expect(201, "POST", "groups", json={"name": "Optics", "visibility": "public"})
    project = {"group": "optics", "name": "Rainbows", "visibility": "public"}
    ada.expect(201, "POST", "projects", json=project)
    ada.expect(201, "POST", "projects/rainbows/labs", json={"name": "main"})
    ada.start("projects/rainbows/labs/main")
    visit = site.visit("ada", "projects/rainbows/labs/main")
    visit.enter()
    for folder in ("course", "course/data"):
        visit.make_folder(folder)
    visit.write("course/rainbow.ipynb", json.dumps(NOTEBOOK))
    visit.write("course/data/colours.txt", "red violet")
    visit.write("solution.txt", "not for visitors")
    ada.stop("projects/rainbows/labs/main")
    source = {"kind": "folder", "lab": "main", "folder": "course"}
    ada.expect(202, "PUT", "projects/rainbows/material", json=source)
    wait_for(
        lambda: ada.expect(200, "GET", "projects/rainbows/material")["state"] == "ready",
        "the material to be published",
    )
    return ada


def test_a_visitor_tries_the_notebooks_of_a_public_project(site: Site, browser: Browser) -> None:
    publish(site)
    with site.browser_of(browser, "ada") as owner:
        owner.goto("/services/sophon/projects/rainbows/material")
        owner.get_by_role("button", name="Let visitors try it").click()
        expect(owner.get_by_text("Anybody, without an account")).to_be_visible()
        keep_picture(owner, "for-visitors")
    with site.browser_of(browser) as page:
        page.goto("/services/sophon/projects/rainbows")
        keep_picture(page, "project-to-try")
        page.get_by_role("button", name="Try it").click(no_wait_after=True)
        # when none is ready yet, a page says so and goes on by itself
        inside = re.compile(r"/user/tmp-\w+/lab/tree/rainbows")
        page.wait_for_url(inside, timeout=2 * LAB_READY, wait_until="commit")
        expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=LAB_READY)
        files = page.locator(".jp-DirListing-item")
        expect(files.filter(has_text="rainbow.ipynb")).to_be_visible(timeout=LAB_READY)
        keep_picture(page, "project-tried-files")
        enter(page, page.url.partition("/tree")[0], "rainbows/rainbow.ipynb")
        wait_for_kernel(page)
        run_cell(page, 0)
        expect(cells(page).first).to_contain_text("['red', 'violet']", timeout=LAB_READY)
        keep_picture(page, "project-tried")
        home = page.request.get(page.url.partition("/lab")[0] + "/api/contents/").json()
        assert "solution.txt" not in {file["name"] for file in home["content"]}
        leave(site, page.context)


def leave(site: Site, visitor: BrowserContext) -> None:
    """End the visit, so that the next test begins with an empty hub."""
    page = visitor.new_page()
    page.goto(f"{site.url}/services/sophon/try")
    page.get_by_role("button", name="End and delete it").click()
    expect(page.get_by_text("everything in it is deleted")).to_be_visible()
