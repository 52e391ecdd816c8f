"""Code that takes more memory than the lab has ends its own kernel, and people are told why."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.editing import sources_in
from tests.journeys import jupyterlab
from tests.journeys.conftest import Workplace
from tests.journeys.pictures import keep_picture
from tests.journeys.site import Api, Site
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

MEGABYTE = 1024**2
SOON_MS = 60_000
HOG = "hog = [bytearray(10**7) for _ in range(1000)]"


def test_a_kernel_that_uses_up_the_memory_is_ended_and_nothing_else_is(
    site: Site, browser: Browser, ada: Api, workplace: Workplace
):
    ada.expect(200, "PATCH", workplace.lab, json={"memory_limit": 400 * MEGABYTE})
    ada.start(workplace.lab)
    with site.browser_of(browser, "ada") as page:
        jupyterlab.enter(page, f"{site.lab_url(workplace.lab)}/lab")
        notebook = jupyterlab.new_notebook(page)
        server = "import os; print(os.getppid(), open('/proc/self/oom_score_adj').read())"
        jupyterlab.type_in_cell(page, 0, server)
        jupyterlab.run_cell(page, 0)
        expect(jupyterlab.output(page, 0)).to_contain_text(" 1000")
        before = jupyterlab.output(page, 0).inner_text()
        used = page.locator("#sophon-resources")
        expect(used).to_have_text(re.compile(r"Memory \d+ MB of 400 MB · CPU \d\.\d of \d"))

        jupyterlab.replace_cell(page, 0, HOG)
        jupyterlab.run_cell(page, 0)

        toast = page.locator(".Toastify__toast", has_text="was ended")
        expect(toast).to_contain_text(f"The kernel of {notebook} was ended", timeout=SOON_MS)
        expect(toast).to_contain_text("400 MB")
        keep_picture(page, "memory-used-up")

        # what was typed right before is in the file
        visit = site.visit("ada", workplace.lab)
        assert visit.enter() == 200
        file = f"{notebook}?type=file&format=text"
        wait_for(lambda: sources_in(visit.read(file))[0] == HOG, "the cell to be in the file")

        # JupyterLab has started another kernel by itself, below the same server
        page.get_by_role("button", name="Ok").click()
        jupyterlab.wait_for_kernel(page)
        jupyterlab.replace_cell(page, 0, server)
        jupyterlab.run_cell(page, 0)
        expect(jupyterlab.output(page, 0)).to_have_text(before)
        assert ada.lab_state(workplace.lab) == "running"
