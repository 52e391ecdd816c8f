"""The same creation with the same Idempotency-Key makes one object."""

import asyncio

import pytest

from sophon_hub.models import Membership, ResearchGroup
from tests.web.conftest import Answer, Client, Site

GROUPS = "api/v1/groups"
OPTICS = {"name": "Optics"}
CREATIONS = {
    "group": (GROUPS, {"name": "New"}),
    "project": ("api/v1/projects", {"name": "New", "group": "public"}),
    "lab": ("api/v1/projects/public-work/labs", {"name": "New"}),
}


def keyed(key: str = "k1") -> dict[str, str]:
    return {"Idempotency-Key": key}


@pytest.mark.parametrize("kind", CREATIONS)
async def test_the_same_request_twice_makes_one_object(busy_site: Site, kind: str):
    path, body = CREATIONS[kind]
    ada = busy_site.client("ada")
    first = await ada.post(path, body, headers=keyed())
    again = await ada.post(path, body, headers=keyed())
    assert first.status == again.status == 201
    assert first.json == again.json
    assert busy_site.count_events() == 1
    assert (await ada.get(path)).json["total"] == (2 if kind == "lab" else 4)


async def test_the_same_request_in_parallel_makes_one_object(site_on_any: Site):
    ada = site_on_any.client("ada")
    await ada.get("api/v1/me")
    answers = await asyncio.gather(*(ada.post(GROUPS, OPTICS, headers=keyed()) for _ in range(8)))
    assert {answer.status for answer in answers} == {201}
    assert {answer.json["slug"] for answer in answers} == {"optics"}
    assert (await ada.get(GROUPS)).json["total"] == 1
    assert site_on_any.count_events() == 1


async def test_without_a_key_or_with_another_each_request_makes_an_object(site: Site):
    ada = site.client("ada")
    slugs = [
        (await ada.post(GROUPS, OPTICS, headers=headers)).json["slug"]
        for headers in ({}, {}, keyed("a"), keyed("b"))
    ]
    assert slugs == ["optics", "optics-2", "optics-3", "optics-4"]


async def test_a_key_used_for_something_else_is_409(busy_site: Site):
    ada = busy_site.client("ada")
    assert (await ada.post(GROUPS, OPTICS, headers=keyed())).status == 201
    others: list[Answer] = [
        await ada.post(GROUPS, {"name": "Other"}, headers=keyed()),
        await ada.post("api/v1/projects", {**OPTICS, "group": "public"}, headers=keyed()),
        await ada.post("api/v1/projects/public-work/labs", OPTICS, headers=keyed()),
    ]
    assert [answer.status for answer in others] == [409] * 3
    assert busy_site.count_events() == 1


async def test_keys_of_different_people_have_nothing_to_do_with_one_another(site: Site):
    people: list[Client] = [site.client("ada"), site.client("grace")]
    slugs = [(await one.post(GROUPS, OPTICS, headers=keyed())).json["slug"] for one in people]
    assert slugs == ["optics", "optics-2"]


async def test_a_creation_that_failed_can_be_tried_again_with_its_key(site: Site):
    ada, grace = site.client("ada"), site.client("grace")
    body = {**OPTICS, "slug": "optics"}
    await grace.post(GROUPS, body)
    assert (await ada.post(GROUPS, body, headers=keyed())).status == 409
    with site.rows() as session:
        session.execute(Membership.__table__.delete())
        session.execute(ResearchGroup.__table__.delete())
    assert (await ada.post(GROUPS, body, headers=keyed())).status == 201


async def test_a_key_is_forgotten_after_a_day(site: Site, stopped_clock):
    ada = site.client("ada")
    first = await ada.post(GROUPS, OPTICS, headers=keyed())
    stopped_clock.forward(hours=23)
    assert (await ada.post(GROUPS, OPTICS, headers=keyed())).json == first.json
    stopped_clock.forward(hours=2)
    again = await ada.post(GROUPS, OPTICS, headers=keyed())
    assert again.json["slug"] == "optics-2"


@pytest.mark.parametrize("key", ["", "a" * 201, "a\xa0b"])
async def test_a_key_that_cannot_be_is_422(site: Site, key: str):
    answer = await site.client("ada").post(GROUPS, OPTICS, headers=keyed(key))
    assert answer.wrong_fields == {"Idempotency-Key"}
    assert site.count_events() == 0


async def test_a_guest_with_a_key_is_asked_to_sign_in(site: Site):
    assert (await site.client().post(GROUPS, OPTICS, headers=keyed())).status == 401
