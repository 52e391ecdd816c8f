"""A hostile member: somebody of the group who goes around the portal's pages."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from docker.api.client import APIClient

from sophon_hub import names
from tests.journeys.site import Api
from tests.lab_visitor import NO_ACCESS, close_code
from tests.security import inside
from tests.security.conftest import GROUP, LAB_IMAGE, PROJECT, Scene
from tests.security.terminals import run_in, terminal
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

OUT_SECONDS = 5
ACCOUNT = names.account_name(PROJECT)
ACCOUNTS, PEOPLE = names.accounts_group(GROUP), names.people_group(GROUP)


def at_the_hub(api: Api, method: str, path: str, **options: Any) -> requests.Response:
    """A request to the Hub's own API with this person's token."""
    address = f"{api.site.url}/hub/api{path}"
    return api.session.request(method, address, timeout=30, **options)


ATTEMPTS = [
    ("POST", f"/users/{ACCOUNT}/servers/closed", {"user_options": {"image": "x"}}),
    ("POST", f"/users/{ACCOUNT}/servers/mine", {}),
    ("PUT", f"/users/{ACCOUNT}/servers/mine", {"user_options": {"image": "x"}}),
    ("PATCH", f"/users/{ACCOUNT}/servers/closed", {"name": "other"}),
    ("PATCH", f"/users/{ACCOUNT}/servers/closed", {"user_options": {"image": "x"}}),
    ("DELETE", f"/users/{ACCOUNT}/servers/closed", {"remove": True}),
    ("POST", f"/users/{ACCOUNT}/tokens", {}),
    ("DELETE", f"/users/{ACCOUNT}", None),
    ("PATCH", f"/users/{ACCOUNT}", {"admin": True}),
    ("PATCH", "/users/{self}", {"admin": True}),
    ("PATCH", "/users/{self}", {"name": ACCOUNT}),
    ("POST", "/users/mallory", {}),
    ("POST", "/users/admin/tokens", {}),
    ("GET", "/users", None),
    ("GET", "/users/admin", None),
    ("GET", "/groups", None),
    ("GET", f"/groups/{PEOPLE}", None),
    ("POST", f"/groups/{PEOPLE}/users", {"users": ["barbara"]}),
    ("POST", f"/groups/{ACCOUNTS}/users", {"users": ["{self}"]}),
    ("PUT", f"/groups/{PEOPLE}/properties", {}),
    ("POST", "/services/mine", {"api_token": "a" * 32}),
    ("POST", f"/shares/{ACCOUNT}/closed", {"user": "barbara"}),
    ("POST", f"/share-codes/{ACCOUNT}/closed", {}),
    ("GET", "/proxy", None),
    ("POST", "/shutdown", {}),
]


@pytest.mark.parametrize("role", ["owner", "member", "viewer"])
def test_nobody_of_a_group_changes_anything_at_the_hub_itself(scene: Scene, role: str) -> None:
    api, name = {
        "owner": (scene.ada, "ada"),
        "member": (scene.grace, "grace"),
        "viewer": (scene.alan, "alan"),
    }[role]
    assert at_the_hub(api, "GET", f"/users/{name}").status_code == 200
    let_through = []
    for method, path, body in ATTEMPTS:
        data = json.dumps(body).replace("{self}", name) if body is not None else None
        address = path.replace("{self}", name)
        answer = at_the_hub(api, method, address, data=data)
        # a group or account that exists is told from one that does not by nobody
        if answer.status_code not in (403, 404):
            let_through.append((method, address, answer.status_code, answer.text[:200]))
    assert let_through == []
    assert scene.ada.lab_state(scene.closed.path) == "running"


@pytest.mark.parametrize(
    "scopes",
    [
        ["admin:users"],
        ["tokens!user=ada"],
        ["servers!user=project-lenses"],
        [f"servers!group={ACCOUNTS}"],
        ["access:servers"],
        ["access:services"],
        ["groups"],
        ["read:metrics"],
    ],
    ids=lambda scopes: scopes[0],
)
def test_a_token_never_holds_more_than_its_owner(scene: Scene, scopes: list[str]) -> None:
    own = {"scopes": ["read:users:name!user=grace"], "note": "own"}
    assert at_the_hub(scene.grace, "POST", "/users/grace/tokens", json=own).status_code == 201

    answer = at_the_hub(scene.grace, "POST", "/users/grace/tokens", json={"scopes": scopes})

    if answer.status_code == 201:
        # the Hub grants what is left of it when it is cut down to what she has herself
        token = {"Authorization": f"token {answer.json()['token']}"}
        mine = set(at_the_hub(scene.grace, "GET", "/user").json()["scopes"])
        got = requests.get(f"{scene.site.url}/hub/api/user", headers=token, timeout=30).json()
        assert set(got["scopes"]) <= mine
    else:
        assert answer.status_code in (400, 403), answer.text


def test_a_personal_lab_is_what_the_hub_makes_of_it_whatever_is_asked_for(
    scene: Scene, engine: APIClient, hostile_image: str
) -> None:
    wishes = {
        "image": hostile_image,
        "volumes": {"/": "/host"},
        "extra_host_config": {"privileged": True},
        "cmd": ["sleep", "1"],
    }
    answer = at_the_hub(scene.grace, "POST", "/users/grace/server", json={"user_options": wishes})
    assert answer.status_code in (201, 202), answer.text

    labels = [f"org.sophon.namespace={scene.site.namespace}", "org.sophon.kind=personal"]
    (container,) = wait_for(
        lambda: engine.containers(filters={"label": labels}), "the personal lab to be there"
    )

    details = engine.inspect_container(container["Id"])
    assert details["Config"]["Image"] == LAB_IMAGE
    assert not details["HostConfig"]["Privileged"]
    assert [mount["Destination"] for mount in details["Mounts"]] == ["/home/jovyan"]
    mine = at_the_hub(scene.grace, "POST", "/users/grace/servers/second", json={})
    assert mine.status_code in (400, 403), mine.text
    wait_for(
        lambda: at_the_hub(scene.grace, "DELETE", "/users/grace/server").status_code in (202, 204),
        "the personal lab to stop",
    )


def test_a_viewer_changes_nothing_in_a_lab_that_they_watch(scene: Scene) -> None:
    member, viewer = (scene.visit(name, scene.closed) for name in ("grace", "alan"))
    assert (member.enter(), viewer.enter()) == (200, 200)
    member.write("results.txt", "by Grace")

    def attempt(method: str, path: str, **body: Any) -> int:
        headers = {"X-XSRFToken": viewer._xsrf()}
        address = f"{viewer.url}{path}"
        answer = viewer.session.request(method, address, json=body, headers=headers, timeout=30)
        return answer.status_code

    file = {"type": "file", "format": "text", "content": "by Alan"}
    assert attempt("PUT", "/api/contents/results.txt", **file) == 403
    assert attempt("DELETE", "/api/contents/results.txt") == 403
    assert attempt("POST", "/api/terminals") == 403
    assert attempt("POST", "/api/kernels", name="python3") == 403
    assert viewer.read("results.txt") == "by Grace"


def test_members_can_do_everything_in_a_lab_that_they_share(scene: Scene) -> None:
    owner, member = (scene.visit(name, scene.closed) for name in ("ada", "grace"))
    assert (owner.enter(), member.enter()) == (200, 200)
    owner.write("results.txt", "by Ada")

    member.write("results.txt", "by Grace")

    assert owner.read("results.txt") == "by Grace"


@pytest.fixture
def removable(scene: Scene) -> Iterator[Callable[[], None]]:
    """Takes Grace out of the group; she is in again afterwards."""

    def remove() -> None:
        scene.ada.expect(204, "DELETE", f"groups/{GROUP}/members/grace")

    yield remove
    scene.ada.expect(201, "PUT", f"groups/{GROUP}/members/grace", json={"role": "member"})
    visit = scene.visit("grace", scene.closed)
    wait_for(lambda: visit.enter() == 200, "Grace to be let in again")


def test_who_is_removed_is_cut_off_but_what_was_left_running_goes_on(
    scene: Scene, removable: Callable[[], None]
) -> None:
    visit = scene.visit("grace", scene.open)
    assert visit.enter() == 200
    with terminal(visit) as socket:
        run_in(socket, "(sleep 600 &) ; echo $((6 * 7))", "42")

        removable()

        assert close_code(socket, OUT_SECONDS) == NO_ACCESS
    assert visit.status() == 403
    assert scene.visit("grace", scene.open).enter() in (403, 404)
    assert "sleep 600" in inside.run(scene.open.container, "ps", "ax")[1]
    scene.grace.expect(404, "GET", f"projects/{PROJECT}")


def test_the_token_of_somebody_removed_opens_nothing_of_the_group(
    scene: Scene, removable: Callable[[], None]
) -> None:
    path = f"/users/{ACCOUNT}/servers/closed"
    scene.grace.expect(200, "GET", f"projects/{PROJECT}")
    assert at_the_hub(scene.grace, "GET", path).status_code == 200

    removable()

    scene.grace.expect(404, "GET", f"projects/{PROJECT}")
    wait_for(
        lambda: at_the_hub(scene.grace, "GET", path).status_code == 404,
        "the Hub to know nothing of the lab",
        30,
    )


def test_a_session_of_the_hub_changes_nothing_on_behalf_of_another_page(scene: Scene) -> None:
    """What a page of another origin can make a browser send: cookies, but no token of a form."""
    browser = scene.browser("grace")
    form = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    script = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    hub, portal = f"{scene.site.url}/hub", scene.site.portal
    for headers in (form, script):
        for address in (
            f"{hub}/api/users/grace/tokens",
            f"{hub}/api/users/grace/server",
            f"{hub}/change-password",
            f"{portal}groups/new",
            f"{portal}api/v1/groups",
        ):
            kind = {"Content-Type": "text/plain"} if "/api/" in address else {}
            answer = browser.post(
                address, data='{"name": "forged"}', headers={**headers, **kind}, timeout=30
            )
            assert answer.status_code in (400, 403, 415), (address, answer.status_code)
    names_of_groups = [group["slug"] for group in scene.grace.expect(200, "GET", "groups")["items"]]
    assert "forged" not in names_of_groups
    # the same session with the form's token may
    token = next(c.value for c in browser.cookies if c.name == "_xsrf" and "sophon" in c.path)
    made = browser.post(
        f"{portal}api/v1/groups",
        json={"name": "allowed"},
        headers={"X-XSRFToken": str(token)},
        timeout=30,
    )
    assert made.status_code == 201, made.text
