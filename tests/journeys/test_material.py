"""Course material from a lab to a student's own lab and back to what it was, as people do it."""

import pytest
from docker.api.client import APIClient
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Workplace
from tests.journeys.pictures import keep_picture
from tests.journeys.site import Site
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]

SLOW = 60_000
PHONE = {"width": 390, "height": 844}


def run_in(engine: APIClient, labels: list[str], script: str) -> str:
    """Run something in the only lab with these labels; gives what it said."""
    [container] = engine.containers(filters={"label": labels})
    execution = engine.exec_create(container["Id"], ["sh", "-c", script], user="1000")["Id"]
    said = engine.exec_start(execution).decode()
    assert engine.exec_inspect(execution)["ExitCode"] == 0, said
    return str(said)


def publish_folder(page: Page, project: str) -> None:
    page.goto(f"/services/sophon/projects/{project}")
    page.get_by_role("link", name="Material", exact=True).click()
    keep_picture(page, "material-none")
    page.get_by_role("link", name="Publish material").click()
    page.get_by_label("Lab", exact=True).select_option(label="main")
    expect(page.locator("#url")).not_to_be_visible()
    page.locator("#folder").fill("course")
    keep_picture(page, "material-source")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("version 1", exact=True)).to_be_visible(timeout=SLOW)


def test_a_student_gets_what_is_new_and_keeps_what_is_their_own(
    site: Site, browser: Browser, workplace: Workplace, engine_client: APIClient
):
    owner, project = workplace.owner, workplace.project
    owner.expect(200, "PATCH", f"groups/{workplace.group}", json={"visibility": "public"})
    owner.expect(200, "PATCH", f"projects/{project}", json={"visibility": "internal"})
    owner.start(workplace.lab)
    teaching = [f"org.sophon.namespace={site.namespace}", f"org.sophon.project={project}"]
    own = [f"org.sophon.namespace={site.namespace}", "org.sophon.kind=personal"]
    script = "mkdir -p ~/course/week1 && echo task > ~/course/week1/sheet.ipynb"
    run_in(engine_client, teaching, f"{script} && echo 1,2 > ~/course/stars.csv")
    with site.browser_of(browser, "ada") as ada:
        publish_folder(ada, project)
    student = site.api("emmy")  # who has no lab in any other journey
    with site.browser_of(browser, "emmy") as emmy:
        address = f"/services/sophon/projects/{project}/material"
        emmy.goto(address)
        expect(emmy.get_by_text("Start it once")).to_be_visible()
        keep_picture(emmy, "material-no-home")
        emmy.get_by_role("button", name="Bring it whenever my lab starts").click()
        expect(emmy.get_by_role("button", name="Do not bring it")).to_be_visible()
        student.start("me/lab")
        expect(emmy.get_by_role("heading", name="Added")).to_be_visible(timeout=SLOW)
        keep_picture(emmy, "material-added")
        assert run_in(engine_client, own, f"cat ~/{project}/week1/sheet.ipynb") == "task\n"
        run_in(engine_client, own, f"echo solved > ~/{project}/week1/sheet.ipynb")

        script = "echo 'task, corrected' > ~/course/week1/sheet.ipynb"
        run_in(engine_client, teaching, f"{script} && echo 3,4 > ~/course/stars.csv")
        owner.expect(202, "POST", f"projects/{project}/material/publish")
        expect(emmy.get_by_text("There is a newer version")).to_be_visible(timeout=SLOW)
        emmy.get_by_role("button", name="Get material").click()
        expect(emmy.get_by_role("heading", name="Changed by you")).to_be_visible(timeout=SLOW)
        expect(emmy.get_by_role("heading", name="Updated")).to_be_visible()
        keep_picture(emmy, "material-conflict")
        emmy.set_viewport_size(PHONE)  # type: ignore[arg-type]
        assert emmy.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        keep_picture(emmy, "material-conflict-phone")
        seen = f"cd ~/{project} && cat week1/sheet.ipynb week1/sheet.new-*.ipynb stars.csv"
        assert run_in(engine_client, own, seen) == "solved\ntask, corrected\n3,4\n"

        emmy.get_by_role("button", name="Get a fresh copy").click()
        expect(emmy.get_by_role("heading", name="Fresh copies")).to_be_visible(timeout=SLOW)
        seen = f"cd ~/{project} && cat week1/sheet.ipynb week1/sheet.mine-*.ipynb"
        assert run_in(engine_client, own, seen) == "task, corrected\nsolved\n"
        emmy.get_by_role("button", name="Undo").click()
        expect(emmy.get_by_role("heading", name="As before")).to_be_visible(timeout=SLOW)
        keep_picture(emmy, "material-undone")
        assert run_in(
            engine_client, own, f"cd ~/{project} && find . -type f | sort && cat */*"
        ) == ("./stars.csv\n./week1/sheet.ipynb\nsolved\n")
        student.stop("me/lab")
        wait_for(lambda: student.lab_state("me/lab") == "stopped", "the lab to be stopped")
        # also while the lab is stopped
        emmy.get_by_role("button", name="Get material").click()
        expect(emmy.get_by_role("heading", name="Updated")).to_be_visible(timeout=SLOW)
    owner.stop(workplace.lab)
