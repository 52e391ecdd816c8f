"""What owners and administrators decide, as far as into open labs: Hub, portal, worker and labs."""

from collections.abc import Iterator

import pytest
from running import RunningHub
from sign_on_world import Caller, Database, sign_on
from signing_on import SECRET

from tests.lab_visitor import EMPTY, NO_ACCESS, NOTEBOOK, Visitor, close_code, is_alive
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

CONFIG = """
c.TrustedProxyAuthenticator.allow_all = True
c.TrustedProxyAuthenticator.admin_users = {"root"}
"""
TOLD_SECONDS = 10.0
LAB = "projects/lens/labs/bench"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    directory = tmp_path_factory.mktemp("governance")
    path = directory / "proxy-secret"
    path.touch(0o600)
    path.write_text(SECRET)
    hub = RunningHub(
        directory,
        config=CONFIG,
        authenticator="sophon-proxy",
        proxy_secret_file=str(path),
        access_cache_seconds="1",
    )
    hub.start()
    yield hub
    hub.end()


@pytest.fixture(scope="module")
def database(hub: RunningHub) -> Database:
    return Database(hub)


@pytest.fixture(scope="module")
def people(hub: RunningHub) -> dict[str, Caller]:
    """Ada owns the group optics with the project lens and its running lab; Grace is a member."""
    found = {name: Caller(sign_on(hub, name), name) for name in ("root", "ada", "grace")}
    ada = found["ada"]
    ada.expect(201, "POST", "groups", {"name": "Optics", "slug": "optics"})
    ada.expect(201, "PUT", "groups/optics/members/grace", {"role": "member"})
    ada.expect(201, "POST", "projects", {"group": "optics", "name": "Lens", "slug": "lens"})
    ada.expect(201, "POST", "projects/lens/labs", {"name": "Bench", "slug": "bench"})
    return found


@pytest.fixture(scope="module")
def lab(people: dict[str, Caller]) -> Iterator[str]:
    """Path of the running lab."""
    ada = people["ada"]
    ada.expect(202, "POST", f"{LAB}/start")
    wait_for(lambda: ada.expect(200, "GET", LAB)["state"] == "running", "the lab to run")
    yield "/user/project-lens/bench"
    ada.expect(202, "POST", f"{LAB}/stop")
    wait_for(lambda: ada.expect(200, "GET", LAB)["state"] == "stopped", "the lab to stop")


def enter(hub: RunningHub, lab: str, name: str) -> Visitor:
    browser = sign_on(hub, name)
    wait_for(lambda: browser.page(f"{lab}/lab").status_code == 200, f"{name} to be let in")
    return Visitor(hub.url + lab, browser)


def test_a_lock_set_in_the_portal_makes_those_who_are_in_the_lab_watch_until_it_is_lifted(
    hub: RunningHub, people: dict[str, Caller], lab: str
) -> None:
    ada, grace = people["ada"], people["grace"]
    with enter(hub, lab, "grace") as hers, enter(hub, lab, "ada") as visitor:
        notebook = {"type": "notebook", "format": "json", "content": EMPTY}
        hers.expect("PUT", f"/api/contents/{NOTEBOOK}", json=notebook)
        paths = visitor.paths_of_every_kind()
        kernel, own = visitor.socket(paths["kernel"]), hers.socket(paths["kernel"])

        grace.expect(200, "POST", f"{LAB}/lock", {"reason": "exam"})

        assert close_code(kernel, TOLD_SECONDS) == NO_ACCESS
        assert visitor.request("POST", "/api/terminals").status_code == 403
        assert visitor.request("GET", "/api/contents").status_code == 200
        assert is_alive(own)
        assert hers.request("POST", "/api/terminals").status_code == 200
        assert ada.expect(200, "POST", f"{LAB}/open")["mode"] == "watch"

        ada.expect(200, "POST", f"{LAB}/unlock")

        wait_for(
            lambda: visitor.request("POST", "/api/terminals").status_code == 200,
            "Ada to edit again",
            TOLD_SECONDS,
        )
        assert ada.expect(200, "POST", f"{LAB}/open")["mode"] == "edit"
