"""Temporary labs, with the real Hub, proxy, portal, worker and Docker engine."""

import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.api.client import APIClient
from hub_harness import PATIENCE, run_in
from jupyterhub import apihandlers
from visiting import SKELETON, TRY, Visit, VisitedHub, make_image, visited_hub

from sophon_hub import names
from sophon_hub.rehearsal import make_ticket, take_ticket
from sophon_hub.web.routes import API_ROUTES, PAGE_ROUTES
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, docker: APIClient) -> Iterator[VisitedHub]:
    directory = tmp_path_factory.mktemp("visited")
    sizes = {"temporary_pool": "1", "temporary_capacity": "4"}
    with visited_hub(directory, docker, **sizes) as hub:
        yield hub


@pytest.fixture(scope="module")
def visit(hub: VisitedHub) -> Visit:
    """A visitor that tests share, who has worked in the lab."""
    hub.wait_for_pool(1)
    visit = hub.visit()
    assert visit.enter().status_code == 200
    return visit


def test_a_visitor_comes_into_jupyterlab_without_signing_in(visit: Visit):
    page = visit.enter()
    assert page.url == f"{visit.hub.url}{visit.path}lab"
    assert "JupyterLab" in page.text
    assert visit.browser.get(f"{visit.hub.url}{visit.path}api/contents").status_code == 200


def test_the_same_browser_is_led_to_the_same_lab_again(visit: Visit):
    answer = visit.browser.submit(TRY, action="start")
    assert answer.headers["Location"] == f"{visit.path}lab"


def test_nobody_else_comes_in(hub: VisitedHub, visit: Visit):
    other = hub.visit()
    admin = hub.browser()
    admin.sign_in("admin", hub.admin_password())
    for browser in (hub.browser(), other.browser, admin):
        page = browser.page(f"{visit.path}lab")
        assert page.status_code == 403
        assert "JupyterLab" not in page.text
        assert browser.page(f"{visit.path}api/contents").status_code == 403
    assert other.enter().status_code == 200
    assert visit.enter().status_code == 200
    other.leave()


def test_who_is_signed_in_beside_a_visit_stays_both(hub: VisitedHub):
    visit = hub.visit()
    assert visit.enter().status_code == 200
    assert visit.browser.sign_in("admin", hub.admin_password()).status_code == 302
    assert visit.browser.name() == "admin"
    visit.browser.cookies.clear(
        domain="127.0.0.1", path=visit.path, name=f"jupyterhub-user-{visit.name}"
    )
    assert visit.enter().status_code == 200
    assert visit.browser.name() == "admin"
    assert (
        visit.browser.get(f"{visit.hub.url}{visit.path}api/me").json()["identity"]["username"]
        == visit.name
    )
    page = visit.browser.page(TRY)
    assert "You are signed in: the files can be copied" in page.text


def test_to_every_page_of_the_hub_a_visitor_is_nobody(hub: VisitedHub, visit: Visit):
    for path in ("home", "token", "admin", "spawn", f"spawn/{visit.name}", "change-password"):
        page = visit.browser.page(f"/hub/{path}")
        assert "/hub/login" in page.url, path
    assert visit.browser.page("/hub/api/user").status_code == 403
    assert "jupyterhub-session-id" not in visit.browser.cookies
    home = visit.browser.page("/services/sophon/")
    assert home.url == f"{hub.url}/services/sophon/"
    assert "Sign in" in home.text


def addresses(pattern: str, *filled: str) -> str:
    """A path that fits the pattern, with these parts filled in."""
    rest = iter(filled)
    path = re.sub(r"\(\?:/\(\[\^/\]\+\)\)\?|\([^()]*\)", lambda _: next(rest, "x"), pattern)
    return path.replace("/?", "").replace(".*", "nowhere")


ITS_OWN = {
    ("GET", "/api"),
    ("GET", "/api/user"),
    ("GET", "/api/users/{me}"),
    ("POST", "/api/users/{me}/activity"),
}
"""What a server needs of the Hub: which version, who am I, something was done."""


def test_programs_in_a_temporary_lab_may_ask_the_hub_for_nothing(hub: VisitedHub, visit: Visit):
    """Every address of the Hub's API and every method, about itself and about others."""
    sent = {"Authorization": f"token {visit.token()}"}
    allowed = set()
    for pattern, *_ in apihandlers.default_handlers:
        for who in (visit.name, "admin"):
            path = addresses(pattern, who, "x", "x")
            for method in METHODS:
                answer = requests.request(
                    method,
                    f"{hub.url}/hub{path}",
                    headers=sent,
                    json={},
                    timeout=PATIENCE,
                    allow_redirects=False,  # to the page of signing in
                )
                if answer.status_code < 300:
                    allowed.add((method, path.replace(visit.name, "{me}")))
    assert allowed <= ITS_OWN
    assert ("GET", "/api/user") in allowed
    model = requests.get(f"{hub.url}/hub/api/user", headers=sent, timeout=PATIENCE).json()
    assert set(model["scopes"]) <= {
        f"access:servers!server={visit.name}/",
        f"users:activity!user={visit.name}",
        f"read:users:activity!user={visit.name}",
        f"read:users:name!user={visit.name}",
        f"read:users:groups!user={visit.name}",
    }
    assert visit.enter().status_code == 200


def test_programs_in_a_temporary_lab_may_ask_the_portal_for_nothing(hub: VisitedHub, visit: Visit):
    sent = {"Authorization": f"token {visit.token()}"}
    public = {"api-health", "logout", "oauth-callback"}
    for pattern, _, name in [*API_ROUTES, *PAGE_ROUTES]:
        if name in public:
            continue
        path = addresses(pattern, "x", "x", "x")
        for method in METHODS:
            answer = requests.request(
                method,
                f"{hub.url}/services/sophon/{path}",
                headers=sent,
                json={},
                timeout=PATIENCE,
                allow_redirects=False,
            )
            # forms that nobody could read are refused before it is asked who sends them
            refused = {403, 405} if method == "GET" else {403, 404, 405, 422}
            assert answer.status_code in refused, (method, path, answer.text)


def test_a_temporary_lab_has_little_of_everything_and_no_way_out(visit: Visit, docker: APIClient):
    container = visit.container()
    found = docker.inspect_container(container)
    host = found["HostConfig"]
    assert host["Memory"] == 1024**3
    assert host["NanoCpus"] == 500_000_000 or host["CpuQuota"] == 50_000
    assert host["PidsLimit"] == 128
    assert host["CapDrop"] == ["ALL"]
    assert not found["Mounts"]
    assert set(host["Tmpfs"]) == {"/tmp", "/var/tmp", "/home/jovyan"}
    reach = "import socket; socket.create_connection(('1.1.1.1', 53), 3)"
    code, said = run_in(container, "python3", "-c", reach)
    assert code != 0, said
    assert "No route to host" in said or "unreachable" in said


def test_a_visitor_can_write_files_and_run_code_but_has_no_terminal(visit: Visit):
    address = f"{visit.hub.url}{visit.path}api/"
    session = visit.browser
    session.page(f"{visit.path}lab")
    token = next(c.value for c in session.cookies if c.name == "_xsrf" and c.path == visit.path)
    headers = {"X-XSRFToken": token}
    file = {"type": "file", "format": "text", "content": "mine"}
    saved = session.put(f"{address}contents/mine.txt", json=file, headers=headers, timeout=PATIENCE)
    assert saved.status_code == 201, saved.text
    kernel = session.post(f"{address}kernels", json={}, headers=headers, timeout=PATIENCE)
    assert kernel.status_code == 201, kernel.text
    terminal = session.post(f"{address}terminals", json={}, headers=headers, timeout=PATIENCE)
    assert terminal.status_code in {403, 404}


def test_a_temporary_lab_begins_with_the_files_that_its_image_brings_for_homes(visit: Visit):
    folder = f"{visit.hub.url}{visit.path}api/contents/{Path(SKELETON).name}"
    found = visit.browser.get(folder, timeout=PATIENCE)
    assert found.status_code == 200, found.text
    assert found.json()["writable"]
    assert [entry["name"] for entry in found.json()["content"]]


def test_after_a_visit_nothing_is_left(hub: VisitedHub):
    visit = hub.visit()
    assert visit.enter().status_code == 200
    container, token = visit.container(), visit.token()
    visit.leave()
    wait_for(lambda: visit.name not in hub.temporary_users(), "the hub user to be gone")
    assert visit.find_container(visit.name) is None, container
    answer = hub.at_hub("GET", f"/users/{visit.name}")
    assert answer.status_code == 404
    sent = {"Authorization": f"token {token}"}
    assert requests.get(f"{hub.url}/hub/api/user", headers=sent, timeout=9).status_code == 403
    page = visit.browser.page(f"{visit.path}lab")
    assert page.url == f"{hub.url}{TRY}?ended=true"
    assert "Your visit is over" in page.text
    script = visit.browser.page(f"/hub{visit.path}api/contents")
    assert script.status_code == 424


def test_a_temporary_lab_that_sophon_did_not_want_is_not_started(hub: VisitedHub):
    name = names.new_temporary()
    assert hub.at_hub("POST", f"/users/{name}").status_code == 201
    group = f"/groups/{names.TEMPORARY_GROUP}/users"
    assert hub.at_hub("POST", group, json={"users": [name]}).status_code == 200
    answer = hub.at_hub("POST", f"/users/{name}/server")
    # the worker may be faster, and delete what nobody knows
    assert answer.status_code in {404, 500, 202}, answer.text
    wait_for(lambda: name not in hub.temporary_users(), "the worker to delete what nobody knows")
    assert Visit(hub, hub.browser(), name).find_container(name) is None


def test_the_worker_cannot_start_servers_of_people(hub: VisitedHub):
    assert hub.at_hub("POST", "/users/admin/server").status_code in {403, 404}


def roles_of(hub: VisitedHub, name: str) -> set[str]:
    """Read from the Hub's own database: nobody may ask its API for roles."""
    query = (
        "SELECT roles.name FROM roles JOIN user_role_map ON roles.id = role_id"
        " JOIN users ON users.id = user_id WHERE users.name = ?"
    )
    with sqlite3.connect(f"file:{hub.data}/jupyterhub.sqlite?mode=ro", uri=True) as db:
        return {row[0] for row in db.execute(query, (name,))}


def test_a_lab_that_waits_for_a_visitor_was_entered_once(hub: VisitedHub):
    hub.wait_for_pool(1)
    visit = hub.visit()  # who has not been in the lab so far
    given = "SELECT count(*) FROM api_tokens WHERE client_id = ?"
    with sqlite3.connect(f"file:{hub.data}/jupyterhub.sqlite?mode=ro", uri=True) as db:
        assert db.execute(given, (f"jupyterhub-user-{visit.name}",)).fetchone() == (1,)
    visit.leave()


def test_a_ticket_for_a_rehearsal_is_for_one_lab_and_one_time():
    ticket = make_ticket("tmp-one")
    assert take_ticket("tmp-one") is None
    assert take_ticket(ticket) == "tmp-one"
    assert take_ticket(ticket) is None


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ended", "killed"])
def test_visits_and_the_pool_outlive_the_hub(hub: VisitedHub, how: signal.Signals):
    visit = hub.visit()
    assert visit.enter().status_code == 200
    hub.wait_for_pool(1)
    before = hub.temporary_users()
    hub.restart(how)
    wait_for(lambda: visit.enter().status_code == 200, "the lab to answer again")
    assert visit.browser.submit(TRY, action="start").headers["Location"] == f"{visit.path}lab"
    assert hub.temporary_users() == before
    assert roles_of(hub, visit.name) == {names.VISITOR_ROLE}
    hub.wait_for_pool(1)
    visit.leave()


def worker_pid(hub: VisitedHub) -> int | None:
    said = subprocess.run(
        ["pgrep", "-f", "services/worker.py"], capture_output=True, text=True, check=False
    )
    for pid in map(int, said.stdout.split()):
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if f"SOPHON_DATA_DIR={hub.data}".encode() in environment.split(b"\0"):
            return pid
    return None


def test_a_worker_that_is_killed_while_labs_start_leaves_no_lab_behind(hub: VisitedHub):
    hub.wait_for_pool(1)
    visit = hub.visit()
    wait_for(lambda: hub.numbers()["starting"] == 1, "a start to be under way")
    pid = worker_pid(hub)
    assert pid
    os.kill(pid, signal.SIGKILL)
    hub.wait_for_pool(1)
    visit.leave()

    def settled() -> Any:
        numbers = hub.numbers()
        total = sum(numbers[state] for state in ("starting", "ready", "claimed", "ending"))
        busy = numbers["starting"] + numbers["ending"]
        return not busy and len(hub.temporary_users()) == total

    wait_for(settled, "as many hub users as temporary labs")


def test_a_lab_that_dies_in_the_pool_is_replaced(hub: VisitedHub, visit: Visit, docker: APIClient):
    hub.wait_for_pool(1)
    visited = docker.inspect_container(visit.container())["Id"]
    before = containers(hub, docker) - {visited}
    assert before
    for container in before:
        docker.kill(container)
    wait_for(
        # until the worker has noticed, the dead one is still said to be ready
        lambda: containers(hub, docker) - before - {visited} and hub.numbers()["ready"] == 1,
        "another lab to be ready",
    )


def containers(hub: VisitedHub, docker: APIClient) -> set[str]:
    """Those of temporary labs that run."""
    label = f"org.sophon.namespace={hub.namespace}"
    found = docker.containers(filters={"label": [label, "org.sophon.kind=temporary"]})
    return {container["Id"] for container in found}


def test_the_capacity_is_never_exceeded_and_who_waits_gets_the_next(hub: VisitedHub):
    visits = [hub.visit() for _ in range(4 - hub.numbers()["claimed"])]
    waiting = hub.browser()
    assert waiting.submit(TRY, action="start").headers["Location"] == TRY
    page = waiting.page(TRY)
    assert page.status_code == 503
    assert "All temporary labs are in use" in page.text
    assert len(hub.temporary_users()) == 4
    visits.pop().leave()
    visits.append(Visit.begin(hub, waiting))
    assert visits[-1].enter().status_code == 200
    assert len(hub.temporary_users()) <= 4
    for visit in visits:
        visit.leave()


def test_the_numbers_add_up_for_machines(hub: VisitedHub):
    numbers = hub.numbers()
    assert json.loads(json.dumps(numbers)) == numbers
    assert numbers["capacity"] == 4


def image_of(visit: Visit, docker: APIClient) -> str:
    return str(docker.inspect_container(visit.container())["Image"])


def test_jupyterlab_is_told_when_the_visit_ends_by_nobody_but_the_hub(
    hub: VisitedHub, visit: Visit
):
    ends = f"{visit.path}sophon/visit"

    def told() -> dict[str, Any]:
        found: dict[str, Any] = visit.browser.page(ends).json()
        return found

    wait_for(lambda: told()["ends_in"], "the lab to be told")
    found = told()
    assert 0 < found["idle_ends_in"] <= found["ends_in"] <= 4 * 3600
    assert found["keep_url"] == TRY

    token = {"X-XSRFToken": visit.browser.cookies.get("_xsrf", path=visit.path) or ""}
    answer = visit.browser.post(
        f"{hub.url}{visit.path}sophon/visit-ends",
        json={"ends_in": 1e9, "idle_ends_in": 1e9, "keep_url": "https://evil.example"},
        headers=token,
        timeout=PATIENCE,
    )
    assert answer.status_code == 403
    assert told()["keep_url"] == TRY
    stranger = requests.get(f"{hub.url}{ends}", allow_redirects=False, timeout=PATIENCE)
    assert stranger.status_code in (302, 403)


def test_an_image_made_anew_reaches_the_next_visitor_and_visits_go_on(
    hub: VisitedHub, docker: APIClient
):
    visit = hub.visit()
    assert visit.enter().status_code == 200
    hub.wait_for_pool(1)
    usual = image_of(visit, docker)

    following = make_image(docker, f"{hub.namespace}:latest", "org.sophon.made=anew")

    made_of_it = {"ancestor": following}
    wait_for(lambda: docker.containers(filters=made_of_it), "the pool to be replaced")
    hub.wait_for_pool(1)
    assert visit.enter().status_code == 200
    assert image_of(visit, docker) == usual != following
    other = hub.visit()
    assert image_of(other, docker) == following
    other.leave()
    visit.leave()


def test_a_script_takes_a_lab_by_the_api_and_enters_it(hub: VisitedHub):
    with requests.Session() as script:
        address = f"{hub.url}/services/sophon/api/v1/temporary/visit"

        def take() -> requests.Response | None:
            answer = script.post(address, json={"project": None}, timeout=PATIENCE)
            assert answer.status_code == 200 or int(answer.headers["Retry-After"]) > 0
            return answer if answer.status_code == 200 else None

        taken = wait_for(take, "a lab").json()
        page = script.get(f"{hub.url}{taken['url']}", timeout=PATIENCE)
        assert (page.status_code, "JupyterLab" in page.text) == (200, True)
        assert script.delete(address, timeout=PATIENCE).status_code == 204
        assert script.get(address, timeout=PATIENCE).status_code == 404


def test_crawlers_find_what_they_are_to_leave_alone(hub: VisitedHub):
    answer = requests.get(f"{hub.url}/robots.txt", timeout=PATIENCE)
    assert answer.status_code == 200
    assert "Disallow: /services/sophon/try\n" in answer.text
    assert "Disallow: /user/\n" in answer.text
