"""Whatever is killed, whenever: portal, Hub and engine end up saying the same."""

from datetime import timedelta
from itertools import count

import pytest
import requests
from docker.api.client import APIClient

from sophon_hub.clock import rfc3339, utcnow
from tests.journeys.conftest import Workplace, in_both_modes
from tests.journeys.site import Api, Site
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

DOOR_SECONDS = 5
"""After this time at the latest a removed person is refused."""
END_SECONDS = 10
"""After this time at the latest somebody is whose membership has ended."""


def containers_of(engine: APIClient, site: Site, project: str) -> list[str]:
    """Names of the containers of a project's labs."""
    labels = [f"org.sophon.namespace={site.namespace}", f"org.sophon.project={project}"]
    found = engine.containers(all=True, filters={"label": labels})
    return [container["Names"][0].lstrip("/") for container in found]


def test_files_are_there_after_a_stop_and_a_start(site: Site, ada: Api, workplace: Workplace):
    ada.start(workplace.lab)
    visit = site.visit("ada", workplace.lab)
    assert visit.enter() == 200
    visit.write("thesis.txt", "chapter one")

    ada.stop(workplace.lab)
    ada.start(workplace.lab)

    again = site.visit("ada", workplace.lab)
    assert again.enter() == 200
    assert again.read("thesis.txt") == "chapter one"


@in_both_modes
def test_who_is_removed_is_refused_within_five_seconds_and_others_stay(
    site: Site, ada: Api, workplace: Workplace
):
    ada.start(workplace.lab)
    workplace.add("grace")
    owner, member = site.visit("ada", workplace.lab), site.visit("grace", workplace.lab)
    # the Hub learns of a new member from the worker, a moment after the portal does
    wait_for(lambda: member.enter() == 200, "Grace to be let in")
    assert owner.enter() == 200
    assert member.status() == 200

    workplace.remove("grace")

    wait_for(lambda: member.status() == 403, "the door to shut", DOOR_SECONDS)
    assert owner.status() == 200
    assert site.visit("grace", workplace.lab).enter() in (403, 404)


def test_who_was_a_member_until_a_date_is_refused_after_it(
    site: Site, ada: Api, workplace: Workplace
):
    ada.start(workplace.lab)
    end = utcnow() + timedelta(seconds=8)
    workplace.add("alan", expires_at=rfc3339(end))
    alan, visit = site.api("alan"), site.visit("alan", workplace.lab)
    wait_for(lambda: visit.enter() == 200, "Alan to be let in")

    wait_for(lambda: utcnow() > end, "the membership to end")
    alan.expect(404, "GET", f"projects/{workplace.project}")
    wait_for(lambda: visit.status() == 403, "the door to shut", END_SECONDS)


@pytest.mark.parametrize("victim", ["worker", "portal"])
def test_killing_a_service_anywhere_in_a_start_or_stop_leaves_one_truth(
    site: Site, ada: Api, workplace: Workplace, engine_client: APIClient, victim: str
):
    """The kill comes at another moment in every round: right away, or some looks later."""
    for looks in (0, 2, 5):
        answer = ada.request("POST", f"{workplace.lab}/start")
        assert answer.status_code in (200, 202), answer.text
        _look_then_kill(site, ada, workplace, victim, looks)
        wait_for(site.is_healthy, "the portal to be back")
        ada.wait_for_state(workplace.lab, "running")
        assert len(containers_of(engine_client, site, workplace.project)) == 1

        answer = ada.request("POST", f"{workplace.lab}/stop")
        assert answer.status_code in (200, 202), answer.text
        _look_then_kill(site, ada, workplace, victim, looks)
        wait_for(site.is_healthy, "the portal to be back")
        ada.wait_for_state(workplace.lab, "stopped")
        assert containers_of(engine_client, site, workplace.project) == []


def _look_then_kill(site: Site, ada: Api, workplace: Workplace, victim: str, looks: int) -> None:
    for _ in range(looks):
        ada.lab_state(workplace.lab)
    site.kill_service(victim)


def test_a_group_made_and_deleted_while_the_worker_dies_leaves_nothing_running(
    site: Site, ada: Api, engine_client: APIClient
):
    number = count()
    for _ in range(2):
        slug = f"short-lived-{next(number)}"
        ada.expect(201, "POST", "groups", json={"name": slug, "slug": slug})
        site.kill_service("worker")
        ada.expect(201, "POST", "projects", json={"group": slug, "name": slug, "slug": slug})
        ada.expect(201, "POST", f"projects/{slug}/labs", json={"name": "main"})
        ada.start(f"projects/{slug}/labs/main")
        ada.expect(204, "DELETE", f"groups/{slug}")
        site.kill_service("worker")

        wait_for(
            lambda slug=slug: containers_of(engine_client, site, slug) == [],
            "the lab of a deleted group to stop",
        )
        labs = ada.expect(200, "GET", f"projects/{slug}/labs")
        assert [lab["state"] for lab in labs["items"]] in ([], ["stopped"])


def test_a_container_that_is_killed_is_seen_and_can_be_started_again(
    site: Site, ada: Api, workplace: Workplace, engine_client: APIClient
):
    ada.start(workplace.lab)
    (container,) = containers_of(engine_client, site, workplace.project)
    engine_client.kill(container)

    ada.wait_for_state(workplace.lab, "stopped", 90)
    assert "ended by itself" in ada.expect(200, "GET", workplace.lab)["message"]
    events = ada.expect(200, "GET", f"projects/{workplace.project}/events")
    assert events["items"][0]["action"] == "lab:ended"
    ada.start(workplace.lab)


def test_what_is_changed_by_hand_at_the_hub_is_put_right(
    site: Site, ada: Api, workplace: Workplace
):
    workplace.add("grace")
    hub = site.api("admin").session
    group = f"{site.url}/hub/api/groups/sophon-{workplace.group}-people"

    def people() -> set[str]:
        return set(hub.get(group, timeout=30).json().get("users", ()))

    wait_for(lambda: people() == {"ada", "grace"}, "both to be in the hub group")
    strangers = {"users": ["barbara"]}
    assert hub.post(f"{group}/users", json=strangers, timeout=30).status_code == 200
    gone = {"users": ["grace"]}
    assert hub.delete(f"{group}/users", json=gone, timeout=30).status_code == 200

    wait_for(lambda: people() == {"ada", "grace"}, "the hub group to be repaired")


def test_no_member_holds_the_right_to_start_or_delete_servers_at_the_hub(
    site: Site, ada: Api, workplace: Workplace
):
    ada.start(workplace.lab)
    account = f"project-{workplace.project}"
    server = f"{site.url}/hub/api/users/{account}/servers/main"
    for method, body in (("POST", {}), ("DELETE", {"remove": True}), ("PATCH", {"name": "x"})):
        answer = ada.session.request(method, server, json=body, timeout=30)
        assert answer.status_code in (403, 404), f"{method}: {answer.status_code}"
    assert ada.lab_state(workplace.lab) == "running"
    scopes = requests.get(
        f"{site.url}/hub/api/user", headers=dict(ada.session.headers), timeout=30
    ).json()["scopes"]
    assert not [
        scope
        for scope in scopes
        if "servers!group" in scope and "access" not in scope and not scope.startswith("read:")
    ]
