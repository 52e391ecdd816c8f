"""Who gets into a lab: the two hub groups and the one role of each research group.

All of this rests on what JupyterHub does with group filters in scopes, with roles that are
marked as managed, and with its list of clients that need no consent. A new JupyterHub that
changes any of it fails here.
"""

import re
import secrets
from collections.abc import Callable

import pytest
from docker.api.client import APIClient
from hub_harness import PATIENCE, HubLab, HubProcess

from sophon_hub import names
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

CACHE_SECONDS = 1


@pytest.fixture(scope="module")
def hub(make_hub: Callable[..., HubProcess]) -> HubProcess:
    """A Hub whose labs forget permissions quickly."""
    hub = make_hub(SOPHON_ACCESS_CACHE_SECONDS=CACHE_SECONDS)
    hub.start()
    return hub


@pytest.fixture(scope="module")
def lab(hub: HubProcess) -> HubLab:
    """A running lab of the group optics; ada is one of its people, eve is in another group."""
    hub.add_to_group(names.people_group("optics"), "ada")
    hub.add_to_group(names.people_group("acoustics"), "eve")
    lab = hub.add_lab("optics", "lenses", "bench")
    lab.start()
    other = hub.add_lab("acoustics", "waves", "tank")
    other.start()
    return lab


@pytest.fixture
def other_lab(lab: HubLab) -> HubLab:
    """The running lab of the group acoustics."""
    return HubLab(lab.hub, names.account_name("waves"), "tank", "")


def roles_of(hub: HubProcess, user: str) -> set[str]:
    return set(hub.expect("GET", f"/users/{user}").json()["roles"])


def test_people_of_the_group_get_in_and_nobody_else(lab: HubLab, other_lab: HubLab) -> None:
    welcome = {"ada": lab, "eve": other_lab, "mallory": None}

    for name, own in welcome.items():
        with lab.hub.log_in(name) as browser:
            for one in (lab, other_lab):
                assert one.status_in(browser) == (200 if one is own else 403), name


def test_joining_opens_the_door_at_once_and_leaving_shuts_it(lab: HubLab) -> None:
    with lab.hub.log_in("nina") as browser:
        assert lab.status_in(browser) == 403

        lab.hub.add_to_group(names.people_group("optics"), "nina")
        assert lab.status_in(browser) == 200

        lab.hub.remove_from_group(names.people_group("optics"), "nina")
        wait_for(lambda: lab.status_in(browser) == 403, "the door to shut", CACHE_SECONDS + 2)


def test_a_lab_whose_account_leaves_the_group_is_shut_too(lab: HubLab) -> None:
    project = f"p{secrets.token_hex(3)}"
    moved = lab.hub.add_lab("optics", project, "moved")
    moved.start()
    with lab.hub.log_in("ada") as browser:
        assert moved.status_in(browser) == 200

        lab.hub.remove_from_group(names.accounts_group("optics"), moved.owner)

        wait_for(lambda: moved.status_in(browser) == 403, "the door to shut", CACHE_SECONDS + 2)


def test_a_project_that_moves_gets_the_role_of_its_new_group(lab: HubLab) -> None:
    project, group = f"p{secrets.token_hex(3)}", f"g{secrets.token_hex(3)}"
    lab.hub.records.add_lab(group, f"x{project}", "other")
    moved = lab.hub.add_lab("optics", project, "moved")
    moved.start()
    lab.hub.add_to_group(names.people_group(group), "olga")
    with lab.hub.log_in("olga") as browser:
        assert moved.status_in(browser) == 403

        lab.hub.records.move_project(project, group)
        lab.hub.remove_from_group(names.accounts_group("optics"), moved.owner)
        lab.hub.add_to_group(names.accounts_group(group), moved.owner)

        wait_for(lambda: moved.status_in(browser) == 200, "olga to get in", 5)


def test_members_see_labs_but_cannot_start_stop_change_or_delete_them(lab: HubLab) -> None:
    token = lab.hub.token_of("ada")
    stopped = lab.hub.add_lab("optics", "lenses", "spare")
    stopped.start()
    stopped.stop()

    def attempt(method: str, one: HubLab, **body: object) -> int:
        headers = {"Authorization": f"token {token}"}
        return lab.hub.request(method, one.path, headers=headers, json=body).status_code

    assert attempt("GET", lab) == 200
    for one in (lab, stopped):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert attempt(method, one, user_options={"image": "x"}) in (403, 404), method
    assert attempt("DELETE", stopped, remove=True) in (403, 404)
    headers = {"Authorization": f"token {token}"}
    me = lab.hub.request("GET", "/user", headers=headers).json()
    about_servers = {scope for scope in me["scopes"] if "servers" in scope and "!user" not in scope}
    accounts = names.accounts_group("optics")
    assert {scope for scope in about_servers if "group=" in scope} == {
        f"access:servers!group={accounts}",
        f"read:servers!group={accounts}",
    }


def test_no_page_asks_a_member_for_consent(lab: HubLab) -> None:
    with lab.hub.log_in("ada") as browser:
        page = browser.get(f"{lab.url}/lab", timeout=PATIENCE)

    assert page.status_code == 200, page.text
    assert page.url == f"{lab.url}/lab"


def test_a_stranger_in_a_browser_is_refused_without_a_word_about_the_lab(lab: HubLab) -> None:
    with lab.hub.log_in("mallory") as browser:
        page = browser.get(f"{lab.url}/lab", timeout=PATIENCE)

    assert page.status_code == 403
    assert "optics" not in page.text


def test_the_consent_page_still_exists_for_servers_that_are_not_labs(lab: HubLab) -> None:
    # if the Hub asked nobody, the test above would say nothing
    lab.hub.add_user("paula")
    personal = HubLab(lab.hub, "paula", "", "")
    personal.start()
    with lab.hub.log_in("root-admin") as browser:
        page = browser.get(f"{personal.url}/lab", timeout=PATIENCE)

    assert re.search(r"Authorize", page.text)


def test_access_outlives_a_restart_of_the_hub(
    make_hub: Callable[..., HubProcess], docker: APIClient
) -> None:
    hub = make_hub(SOPHON_ACCESS_CACHE_SECONDS=CACHE_SECONDS)
    hub.start()
    hub.add_to_group(names.people_group("optics"), "ada")
    lab = hub.add_lab("optics", "lenses", "bench")
    lab.start()
    before = docker.inspect_container(lab.container)["Id"]

    hub.kill()
    hub.start()
    lab.wait_until_ready()

    assert docker.inspect_container(lab.container)["Id"] == before
    for name, status in (("ada", 200), ("mallory", 403)):
        with hub.log_in(name) as browser:
            assert lab.status_in(browser) == status
