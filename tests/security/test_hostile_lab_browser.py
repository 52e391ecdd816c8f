"""A hostile lab and the browser of who visits it: what one shared origin lets it do."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page

from tests.browser import running_chromium
from tests.security.conftest import Scene

pytestmark = [pytest.mark.hub, pytest.mark.docker, pytest.mark.browser]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture
def page(scene: Scene, browser: Browser) -> Iterator[Page]:
    """A window of Grace, who is signed in."""
    with scene.site.browser_of(browser, "grace") as page:
        yield page


def who(page: Page) -> str:
    page.goto("/hub/home")
    return str(page.evaluate("window.jhdata.user"))


def said(page: Page) -> str:
    """What the script of a hostile page has put on it, once it has."""
    page.wait_for_function("document.querySelector('output').value")
    return str(page.evaluate("document.querySelector('output').value"))


def test_a_script_of_a_lab_can_act_at_the_hub_as_whoever_looks_at_its_page(
    scene: Scene, page: Page
) -> None:
    page.goto(f"{scene.hostile.url}/token_thief")
    page.get_by_role("button").click()

    headers = {"Authorization": f"token {said(page)}"}

    me = requests.get(f"{scene.site.url}/hub/api/user", headers=headers, timeout=30).json()
    assert me["name"] == "grace"
    address = f"{scene.site.portal}api/v1/me"
    assert requests.get(address, headers=headers, timeout=30).json()["username"] == "grace"


def test_a_lab_can_sign_its_visitor_in_as_somebody_else(scene: Scene, page: Page) -> None:
    assert who(page) == "grace"
    attacker = scene.browser("ada")
    (cookie,) = [one for one in attacker.cookies if one.name == "jupyterhub-hub-login"]

    page.goto(f"{scene.hostile.url}/toss?cookie=jupyterhub-hub-login={cookie.value};Path=/hub/")

    assert who(page) == "ada"


def test_a_lab_can_stay_in_the_browser_of_its_visitor(scene: Scene, page: Page) -> None:
    page.goto("/hub/login?next=/hub/home")
    assert page.title() != "not the hub"

    page.goto(f"{scene.hostile.url}/settle")
    assert said(page) == "settled"

    page.goto("/hub/login?next=/hub/home")
    assert page.title() == "not the hub"


@pytest.mark.parametrize("address", ["/hub/token", "/services/sophon/groups", "/hub/login"])
def test_no_page_of_hub_or_portal_is_shown_in_a_frame(
    scene: Scene, page: Page, address: str
) -> None:
    page.goto(f"{scene.hostile.url}/frame?page={scene.hostile.url}/echo")
    assert "user-agent" in page.frames[1].content().lower()

    page.goto(f"{scene.hostile.url}/frame?page={address}")

    assert page.frames[1].url.startswith("chrome-error:")
