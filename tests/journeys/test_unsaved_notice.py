"""What could not be saved is said in JupyterLab, until it is."""

import json

import pytest
from docker.api.client import APIClient
from playwright.sync_api import Browser, expect

from tests.editing import notebook, sources_in
from tests.journeys import jupyterlab
from tests.journeys.conftest import Workplace
from tests.journeys.site import Api, Site
from tests.journeys.test_convergence import containers_of
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

NOTEBOOK = "thesis.ipynb"


def test_people_are_told_what_is_not_saved_and_no_longer_when_it_is(
    site: Site, browser: Browser, ada: Api, workplace: Workplace, engine_client: APIClient
):
    ada.start(workplace.lab)
    [container] = containers_of(engine_client, site, workplace.project)

    def run(*command: str) -> str:
        made = engine_client.exec_create(container, list(command), workdir="/home/jovyan")
        return str(engine_client.exec_start(made["Id"]).decode())

    visit = site.visit("ada", workplace.lab)
    assert visit.enter() == 200
    run("sh", "-c", f"cat > {NOTEBOOK} <<'EOT'\n{json.dumps(notebook('one'))}\nEOT")
    with site.browser_of(browser, "ada") as page:
        jupyterlab.enter(page, f"{site.lab_url(workplace.lab)}/lab", NOTEBOOK)
        run("chmod", "444", NOTEBOOK)
        jupyterlab.type_in_cell(page, 0, " two")

        toast = page.locator(".Toastify__toast")
        expect(toast).to_contain_text(f"{NOTEBOOK} could not be saved", timeout=20_000)
        expect(toast).to_have_count(1)
        assert sources_in(run("cat", NOTEBOOK)) == ["one"]

        run("chmod", "644", NOTEBOOK)

        expect(toast).to_have_count(0, timeout=20_000)
        wait_for(lambda: sources_in(run("cat", NOTEBOOK)) == ["one two"], "it to be saved")
