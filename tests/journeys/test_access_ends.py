"""Access to a lab ends where people see it end: in what they have open, from the portal on."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sophon_hub.clock import rfc3339, utcnow
from tests.journeys.conftest import Workplace, in_both_modes
from tests.journeys.site import Api, Site
from tests.lab_visitor import (
    EMPTY,
    KINDS,
    NO_ACCESS,
    NOTEBOOK,
    Visitor,
    all_alive,
    close_codes,
)
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

TOLD_SECONDS = 2.0
"""The worker takes the change to the Hub first, and then tells the lab."""
END_SECONDS = 10.0
"""The worker looks every five seconds for memberships that have ended."""


@pytest.fixture
def owner(site: Site, ada: Api, workplace: Workplace) -> Iterator[Visitor]:
    """Ada in the running lab, with a notebook."""
    ada.start(workplace.lab)
    visit = site.visit("ada", workplace.lab)
    assert visit.enter() == 200
    with Visitor(visit.url, visit.session) as visitor:
        notebook = {"type": "notebook", "format": "json", "content": EMPTY}
        visitor.expect("PUT", f"/api/contents/{NOTEBOOK}", json=notebook)
        yield visitor


def enter(site: Site, workplace: Workplace, username: str) -> Visitor:
    visit = site.visit(username, workplace.lab)
    wait_for(lambda: visit.enter() == 200, f"{username} to be let in")
    return Visitor(visit.url, visit.session)


@in_both_modes
def test_whoever_an_owner_removes_loses_what_is_open_and_others_work_on(
    site: Site, workplace: Workplace, owner: Visitor
):
    workplace.add("grace")
    with enter(site, workplace, "grace") as grace:
        paths = owner.paths_of_every_kind()
        hers, others = grace.open_all(paths), owner.open_all(paths)

        workplace.remove("grace")

        assert close_codes(hers, TOLD_SECONDS) == dict.fromkeys(KINDS, NO_ACCESS)
        assert grace.request("GET", "/api/contents").status_code == 403
        assert all_alive(others)


def test_whose_membership_ends_loses_what_is_open(site: Site, workplace: Workplace, owner: Visitor):
    workplace.add("alan")
    with enter(site, workplace, "alan") as alan:
        sockets = alan.open_all(owner.paths_of_every_kind())

        workplace.add("alan", expires_at=rfc3339(utcnow() + timedelta(seconds=2)))

        assert close_codes(sockets, END_SECONDS) == dict.fromkeys(KINDS, NO_ACCESS)


def test_a_lab_that_is_set_to_restarts_and_ends_what_the_removed_person_left_running(
    site: Site, ada: Api, workplace: Workplace, owner: Visitor
):
    workplace.add("grace")
    with enter(site, workplace, "grace") as grace:
        grace.expect("POST", "/api/kernels", json={"name": "python3"})
        ada.expect(200, "PATCH", workplace.lab, json={"restart_on_removal": True})

        workplace.remove("grace")

        def restarts() -> int:
            events = ada.expect(200, "GET", f"projects/{workplace.project}/events")["items"]
            return [event["action"] for event in events].count("lab:restart")

        wait_for(lambda: restarts() == 1, "the lab to be restarted")
        ada.wait_for_state(workplace.lab, "running")
        assert grace.request("GET", "/api/contents").status_code == 403
    visit = site.visit("ada", workplace.lab)
    wait_for(lambda: visit.enter() == 200, "Ada to be let in")
    with Visitor(visit.url, visit.session) as again:
        assert again.expect("GET", "/api/kernels") == []
        assert again.expect("GET", f"/api/contents/{NOTEBOOK}")["content"] == EMPTY

    workplace.add("grace")
    workplace.add("alan")
    ada.wait_for_state(workplace.lab, "running")
    assert restarts() == 1
