"""What owners and administrators decide, as far as into open labs: Hub, portal, worker and labs."""

from collections.abc import Iterator

import pytest
import requests
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


def entries(caller: Caller) -> set[tuple[str, str]]:
    """Who has come into the labs of one's groups, and how."""
    items = caller.expect(200, "GET", "me/entries")["items"]
    assert len(items) == len({item["actor"] for item in items})
    return {(item["actor"], item["action"]) for item in items}


def test_a_lock_set_in_the_portal_makes_those_who_are_in_the_lab_watch_until_it_is_lifted(
    hub: RunningHub, people: dict[str, Caller], lab: str
) -> None:
    ada, grace = people["ada"], people["grace"]
    with enter(hub, lab, "grace") as hers, enter(hub, lab, "ada") as visitor:
        notebook = {"type": "notebook", "format": "json", "content": EMPTY}
        hers.expect("PUT", f"/api/contents/{NOTEBOOK}", json=notebook)
        paths = visitor.paths_of_every_kind()
        kernel, own = visitor.socket(paths["kernel"]), hers.socket(paths["kernel"])
        wait_for(
            lambda: entries(ada) == {("ada", "lab:enter"), ("grace", "lab:enter")},
            "those who came by the lab's own address to be on record",
        )

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


def test_who_is_refused_at_the_door_of_a_lab_is_on_record_once_and_the_owners_read_it(
    hub: RunningHub, people: dict[str, Caller], lab: str
) -> None:
    def denied() -> list[tuple[str, str, str]]:
        items = people["ada"].expect(200, "GET", "groups/optics/events")["items"]
        return [
            (item["actor"], item["subject"], item["request_id"])
            for item in items
            if item["action"] == "lab:deny"
        ]

    browser = sign_on(hub, "barbara")
    pages = [browser.page(f"{lab}/lab") for _ in range(3)]
    assert {page.status_code for page in pages} == {403}
    assert denied() == [("barbara", "lens/bench", pages[0].headers["X-Request-ID"])]
    assert browser.page("/user/grace/").status_code in (403, 404)
    with enter(hub, lab, "grace"):
        pass
    assert len(denied()) == 1


# people who go ------------------------------------------------------------------------------


class HubAdmin:
    """The Hub's own administration, as its page uses it: its REST API with an admin's session."""

    def __init__(self, hub: RunningHub) -> None:
        self._caller = Caller(sign_on(hub, "root"), "root")
        self._url = f"{hub.url}/hub/api/users"

    def ask(self, method: str, username: str, **body: str) -> int:
        answer = requests.request(
            method,
            f"{self._url}/{username}",
            json=body or None,
            headers=self._caller.headers,
            timeout=30,
        )
        return answer.status_code


@pytest.fixture(scope="module")
def admin(hub: RunningHub) -> HubAdmin:
    return HubAdmin(hub)


def new_group(owner: Caller, slug: str, **roles: str) -> None:
    owner.expect(201, "POST", "groups", {"name": slug, "slug": slug, "access": "request"})
    for name, role in roles.items():
        owner.expect(201, "PUT", f"groups/{slug}/members/{name}", {"role": role})


def members(caller: Caller, slug: str) -> dict[str, str]:
    items = caller.expect(200, "GET", f"groups/{slug}/members")["items"]
    return {item["username"]: item["role"] for item in items}


def test_a_deleted_account_passes_its_groups_on_and_leaves_nothing_to_its_name(
    hub: RunningHub, people: dict[str, Caller], admin: HubAdmin, database: Database
) -> None:
    root = people["root"]
    for name in ("niels", "max"):
        sign_on(hub, name)
    niels = Caller(sign_on(hub, "niels"), "niels")
    new_group(niels, "atoms", max="member")
    new_group(people["ada"], "waves")
    niels.expect(202, "POST", "groups/waves/join", {"message": "please"})
    niels.expect(201, "POST", "projects", {"group": "atoms", "name": "Orbit", "slug": "orbit"})
    niels.expect(200, "PATCH", "me/lab", {"image": "lab"})

    assert admin.ask("DELETE", "niels") == 204

    assert niels.ask("GET", "groups/atoms").status_code == 401
    wait_for(lambda: members(root, "atoms") == {"max": "owner"}, "the group to pass on", 10)
    told = root.browser.page("/services/sophon/").text
    assert "made max the owner" in told

    again = Caller(sign_on(hub, "niels"), "niels")
    assert again.expect(200, "GET", "me")["memberships"] == []
    assert again.expect(200, "GET", "me/lab")["image"] == "lab"
    assert again.ask("PATCH", "projects/orbit", {"name": "Mine"}).status_code in (403, 404)
    assert people["ada"].expect(200, "GET", "groups/waves/requests")["items"] == []
    assert database.memberships("niels") == {}
    assert not {name for name in database.hub_groups("niels") if "atoms" in name}
    assert niels.ask("GET", "me").status_code == 401


def test_a_renamed_account_keeps_all_that_its_person_has(
    hub: RunningHub, people: dict[str, Caller], admin: HubAdmin, database: Database
) -> None:
    marie = Caller(sign_on(hub, "marie"), "marie")
    new_group(marie, "radium", grace="member")

    assert admin.ask("PATCH", "marie", name="curie") == 200

    assert marie.expect(200, "GET", "me")["username"] == "curie"
    assert members(marie, "radium") == {"curie": "owner", "grace": "member"}
    marie.expect(200, "PATCH", "groups/radium", {"name": "Radium"})
    assert [event.subject for event in database.events("person:rename")] == ["curie"]
    people_of = "sophon-radium-people"
    wait_for(lambda: people_of in database.hub_groups("curie"), "the door to stay open", 10)
    again = Caller(sign_on(hub, "marie"), "marie")
    assert again.expect(200, "GET", "me")["memberships"] == []


def test_accounts_do_not_get_names_that_belong_to_the_hub(
    people: dict[str, Caller], admin: HubAdmin
) -> None:
    for old, new in (("grace", "project-lens"), ("grace", "tmp-1"), ("project-lens", "lens")):
        assert admin.ask("PATCH", old, name=new) == 400
    assert admin.ask("PATCH", "grace", name="g" * 256) == 400
    assert people["grace"].expect(200, "GET", "me")["username"] == "grace"
