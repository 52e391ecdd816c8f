"""A dataset from a lab of one group to somebody's own lab, as people do it."""

import re

import pytest
from docker.api.client import APIClient
from playwright.sync_api import Browser, Page, expect

from tests.journeys import jupyterlab
from tests.journeys.conftest import Workplace
from tests.journeys.site import Site
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]


LABEL = "org.sophon"


def find(engine: APIClient, *labels: str) -> str:
    """The only container with these labels."""
    [container] = engine.containers(filters={"label": list(labels)})
    return str(container["Id"])


def run_in(engine: APIClient, label: str, script: str) -> None:
    """Run something in the lab with this label."""
    execution = engine.exec_create(find(engine, label), ["sh", "-c", script])["Id"]
    said = engine.exec_start(execution)
    assert engine.exec_inspect(execution)["ExitCode"] == 0, said


def publish(page: Page, lab: str, title: str) -> None:
    page.goto(f"/services/sophon/{lab}")
    page.get_by_role("link", name="Publish a folder").click()
    page.get_by_label("Folder").fill("out")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Licence").fill("CC0")
    page.locator("input[name=visibility][value=internal]").check()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.get_by_text("2 files")).to_be_visible(timeout=60_000)


def add_to_own_lab(page: Page, title: str) -> None:
    page.goto("/services/sophon/lab")
    page.get_by_role("link", name="Change datasets").click()
    page.get_by_label("Dataset", exact=True).select_option(label=title)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("link", name=title)).to_be_visible()
    page.get_by_role("link", name="Back to the lab").click()
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/user/barbara/**", timeout=60_000)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=jupyterlab.LAB_READY)


def test_what_a_group_publishes_is_read_and_not_changed_by_others(
    site: Site, browser: Browser, workplace: Workplace, engine_client: APIClient
):
    title = f"Measurements {workplace.project}"
    workplace.owner.request("PATCH", f"groups/{workplace.group}", json={"visibility": "public"})
    workplace.owner.start(workplace.lab)
    run_in(
        engine_client,
        f"{LABEL}.project={workplace.project}",
        "mkdir -p ~/out/deep && echo forty-two > ~/out/a.txt && echo b > ~/out/deep/b.txt",
    )
    with site.browser_of(browser, "ada") as ada:
        publish(ada, workplace.lab, title)
        ada.get_by_role("button", name="Verify").click()
        expect(ada.get_by_text(re.compile("All files were as"))).to_be_visible(timeout=60_000)
    with site.browser_of(browser, "barbara") as barbara:
        add_to_own_lab(barbara, title)
        place = barbara_reads(barbara)
    api = site.api("barbara")
    own = api.expect(200, "GET", "me/lab")
    assert own["datasets"] == [place]
    slug_page = f"datasets/{place}"
    api.expect(404, "GET", f"projects/{workplace.project}")
    assert api.expect(200, "GET", slug_page)["location"] is None
    workplace.owner.expect(200, "PATCH", slug_page, json={"visibility": "private"})
    api.expect(404, "GET", slug_page)
    api.stop("me/lab")
    api.start("me/lab")
    container = find(engine_client, f"{LABEL}.namespace={site.namespace}", f"{LABEL}.kind=personal")
    mounts = engine_client.inspect_container(container)["Mounts"]
    assert [mount["Destination"] for mount in mounts] == ["/home/jovyan"]
    api.stop("me/lab")
    wait_for(lambda: api.lab_state("me/lab") == "stopped", "the lab to be stopped")


def barbara_reads(page: Page) -> str:
    """Read the dataset in a notebook, and try to write; gives its slug."""
    jupyterlab.new_notebook(page)
    line = "!ls /srv/datasets; cat /srv/datasets/*/a.txt; touch /srv/datasets/*/a.txt"
    jupyterlab.type_in_cell(page, 0, line)
    jupyterlab.run_cell(page, 0)
    expect(jupyterlab.output(page, 0)).to_contain_text("cannot touch", timeout=30_000)
    said = jupyterlab.output(page, 0).inner_text()
    assert "forty-two" in said
    return said.split()[0]
