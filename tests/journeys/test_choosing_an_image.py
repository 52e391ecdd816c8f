"""People choose among the images that were built, and get the one they chose."""

import pytest
from docker.api.client import APIClient
from playwright.sync_api import Browser, expect

from tests.journeys.conftest import Workplace
from tests.journeys.site import Api, Site

pytestmark = [pytest.mark.docker, pytest.mark.browser, pytest.mark.hub]


def test_what_was_built_can_be_chosen_and_runs(
    site: Site, ada: Api, workplace: Workplace, browser: Browser, engine_client: APIClient
) -> None:
    images = {one["name"]: one for one in ada.request("GET", "images").json()["items"]}
    assert {"lab", "course", "geo"} <= set(images)
    assert "tmp" not in images
    assert images["course"]["title"] == "Course"
    assert images["course"]["languages"] == ["Python"]
    assert images["course"]["available"] is True

    with site.browser_of(browser, "ada") as page:
        page.goto(f"/services/sophon/projects/{workplace.project}/labs/new")
        page.get_by_label("Name", exact=True).fill("Taught")
        page.get_by_label("Software").select_option("course")
        page.get_by_role("button", name="Create lab").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Taught")
        expect(page.get_by_role("main")).to_contain_text("Course")

    lab = f"projects/{workplace.project}/labs/taught"
    ada.start(lab)
    label = [f"org.sophon.namespace={site.namespace}", "org.sophon.lab=taught"]
    (container,) = engine_client.containers(filters={"label": label})
    assert container["Image"] == "sophon-hub/course:latest"
    ada.stop(lab)
