"""A visitor without an account: the button, JupyterLab, code that runs, the queue, the end."""

import contextlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.engine import docker_client, remove_namespace
from tests.journeys.jupyterlab import (
    LAB_READY,
    cells,
    enter,
    new_notebook,
    run_cell,
    type_in_cell,
)
from tests.journeys.pictures import keep_picture
from tests.journeys.site import Site

pytestmark = [pytest.mark.docker, pytest.mark.browser]

SETTINGS = {
    "SOPHON_TEMPORARY_LABS": "true",
    "SOPHON_TEMPORARY_POOL": "1",
    "SOPHON_TEMPORARY_CAPACITY": "1",
    "SOPHON_TEMPORARY_CPU_LIMIT": "2",
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
    keep_picture(own, "own-lab")
    visit.bring_to_front()
    visit.get_by_role("button", name="End and delete it").click()
    expect(visit.get_by_role("heading", name="You have a lab of your own")).to_be_visible()
    context.close()


def leave(site: Site, visitor: BrowserContext) -> None:
    """End the visit, so that the next test begins with an empty hub."""
    page = visitor.new_page()
    page.goto(f"{site.url}/services/sophon/try")
    page.get_by_role("button", name="End and delete it").click()
    expect(page.get_by_text("everything in it is deleted")).to_be_visible()
