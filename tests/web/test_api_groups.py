"""Research groups through the API: creating, changing, joining, people, requests, trash."""

import asyncio
import re
from datetime import timedelta

import pytest

from sophon_hub.models import AccessMode, MemberRole
from tests import make
from tests.database import actions, jobs
from tests.web import world
from tests.web.conftest import Site

GROUPS = "api/v1/groups"
PUBLIC = f"{GROUPS}/public"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_a_group_is_made_with_its_defaults(site: Site):
    created = await site.client("ada").post(GROUPS, {"name": " Optics & Light "})
    assert created.status == 201
    group = created.json
    assert TIME.fullmatch(group.pop("created_at"))
    assert group == {
        "slug": "optics-light",
        "name": "Optics & Light",
        "description": "",
        "description_html": "",
        "visibility": "public",
        "access": "manual",
        "member_count": 1,
        "project_count": 0,
        "role": "owner",
        "can": [
            "group:see",
            "group:edit",
            "group:people",
            "group:delete",
            "project:create",
            "dataset:create",
            "events:see",
        ],
        "deleted_at": None,
    }
    assert (await site.client("ada").get(f"{GROUPS}/optics-light")).json == created.json


async def test_a_slug_that_is_taken_is_409_and_one_made_from_the_name_gets_a_number(site: Site):
    ada = site.client("ada")
    assert (await ada.post(GROUPS, {"name": "Optics"})).json["slug"] == "optics"
    taken = await ada.post(GROUPS, {"name": "Other", "slug": "optics"})
    assert (taken.status, taken.json["field"]) == (409, "slug")
    assert (await ada.post(GROUPS, {"name": "Optics"})).json["slug"] == "optics-2"


async def test_of_parallel_requests_for_a_slug_one_gets_it(site_on_any: Site):
    people = [site_on_any.client(name) for name in ("ada", "grace", "alan", "barbara")]
    for person in people:
        await person.get("api/v1/me")
    answers = await asyncio.gather(
        *(person.post(GROUPS, {"name": "Optics", "slug": "optics"}) for person in people * 2)
    )
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert (await people[0].get(GROUPS)).json["total"] == 1
    assert site_on_any.count_events() == 1


async def test_parallel_groups_of_one_name_get_different_slugs(site_on_any: Site):
    ada = site_on_any.client("ada")
    await ada.get("api/v1/me")
    answers = await asyncio.gather(*(ada.post(GROUPS, {"name": "Optics"}) for _ in range(6)))
    slugs = sorted(answer.json["slug"] for answer in answers if answer.status == 201)
    # whoever met others again and again is told to try again, and nothing is half made
    assert all(answer.status in {201, 409} for answer in answers)
    assert len(set(slugs)) == len(slugs) >= 3
    assert (await ada.get(GROUPS)).json["total"] == len(slugs)


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({}, {}),
        ({"name": " New "}, {"name": "New"}),
        ({"description": "a\r\nb"}, {"description": "a\nb"}),
        ({"description": ""}, {"description": "", "description_html": ""}),
        ({"access": "request"}, {"access": "request"}),
    ],
)
async def test_a_patch_changes_what_is_sent_and_nothing_else(
    busy_site: Site, changes: dict, seen: dict
):
    ada = busy_site.client("ada")
    before = (await ada.get(PUBLIC)).json
    after = await ada.patch(PUBLIC, changes)
    assert after.status == 200
    if "description" in changes:
        seen = {"description_html": after.json["description_html"], **seen}
    assert after.json == {**before, **seen}
    assert busy_site.count_events() == 1


@pytest.mark.parametrize("field", ["name", "description", "visibility", "access"])
@pytest.mark.parametrize("value", [None, 1, True, [], {}])
async def test_a_patch_refuses_what_is_no_text(busy_site: Site, field: str, value: object):
    answer = await busy_site.client("ada").patch(PUBLIC, {field: value})
    assert answer.wrong_fields == {field}


async def test_every_wrong_field_is_named_at_once(busy_site: Site):
    wrong = {"name": "", "visibility": "open", "access": 1, "slug": "other", "created_at": "now"}
    assert (await busy_site.client("ada").patch(PUBLIC, wrong)).wrong_fields == set(wrong)
    assert busy_site.count_events() == 0


async def test_lowering_a_group_below_its_projects_is_409_with_their_list(busy_site: Site):
    with busy_site.rows() as session:
        make.project(session, world.corner(session, "public").group, "hidden")
    ada = busy_site.client("ada")
    refused = await ada.patch(PUBLIC, {"visibility": "internal"})
    assert (refused.status, refused.json["projects"]) == (409, ["public-work"])
    assert refused.json["datasets"] == ["public-data"]
    for path in ("api/v1/projects/public-work", "api/v1/datasets/public-data"):
        assert (await ada.patch(path, {"visibility": "private"})).status == 200
    assert (await ada.patch(PUBLIC, {"visibility": "private"})).status == 200
    assert (await busy_site.client("barbara").get(PUBLIC)).status == 404


async def test_joining_an_open_group_makes_a_member(busy_site: Site):
    joined = await busy_site.client("barbara").post(f"{PUBLIC}/join")
    assert joined.status == 200
    assert joined.json["role"] == "member"
    assert (await busy_site.client("barbara").get(PUBLIC)).json["role"] == "member"
    again = await busy_site.client("barbara").post(f"{PUBLIC}/join")
    assert again.status == 409


async def test_asking_to_join_makes_a_request_that_owners_decide(busy_site: Site):
    with busy_site.rows() as session:
        world.taking_requests(world.corner(session, "public"))
    ada, edsger = busy_site.client("ada"), busy_site.client("edsger")
    asked = await edsger.post(f"{PUBLIC}/join", {"message": " Please\nme "})
    assert asked.status == 202
    assert asked.json["message"] == "Please\nme"
    assert (await edsger.post(f"{PUBLIC}/join")).status == 409
    requests = (await ada.get(f"{PUBLIC}/requests")).json["items"]
    assert [request["username"] for request in requests] == ["barbara", "edsger"]
    approved = await ada.post(f"{PUBLIC}/requests/edsger/approve")
    assert (approved.status, approved.json["role"]) == (200, "member")
    assert (await ada.post(f"{PUBLIC}/requests/edsger/approve")).status == 404
    approved = await ada.post(f"{PUBLIC}/requests/barbara/approve", {"role": "viewer"})
    assert approved.json["role"] == "viewer"
    assert (await ada.get(f"{PUBLIC}/requests")).json["total"] == 0


async def test_a_request_can_be_declined_or_withdrawn_and_made_again(busy_site: Site):
    with busy_site.rows() as session:
        world.taking_requests(world.corner(session, "public"))
    ada, barbara = busy_site.client("ada"), busy_site.client("barbara")
    assert (await ada.post(f"{PUBLIC}/requests/barbara/decline")).status == 204
    assert (await barbara.post(f"{PUBLIC}/join")).status == 202
    assert (await ada.delete(f"{PUBLIC}/requests/barbara")).status == 409
    assert (await barbara.delete(f"{PUBLIC}/requests/barbara")).status == 204
    assert (await barbara.delete(f"{PUBLIC}/requests/barbara")).status == 404


async def test_a_group_that_owners_add_people_to_cannot_be_joined(busy_site: Site):
    with busy_site.rows() as session:
        world.by_hand(world.corner(session, "public"))
    assert (await busy_site.client("barbara").post(f"{PUBLIC}/join")).status == 403
    assert (await busy_site.client().post(f"{PUBLIC}/join")).status == 401


@pytest.mark.parametrize("access", list(AccessMode))
async def test_nobody_joins_what_they_cannot_see(busy_site: Site, access: AccessMode):
    with busy_site.rows() as session:
        world.corner(session, "private").group.access = access
    for who in (None, "barbara"):
        client = busy_site.client(who)
        hidden, missing = [
            await client.post(f"{GROUPS}/{slug}/join") for slug in ("private", "nowhere")
        ]
        assert hidden.status == 404
        assert hidden.told == missing.told


async def test_a_group_keeps_an_owner(busy_site: Site):
    ada = busy_site.client("ada")
    for answer in (
        await ada.post(f"{PUBLIC}/leave"),
        await ada.delete(f"{PUBLIC}/members/ada"),
        await ada.put(f"{PUBLIC}/members/ada", {"role": "member"}),
        await ada.put(
            f"{PUBLIC}/members/ada", {"role": "owner", "expires_at": "2099-01-01T00:00:00Z"}
        ),
    ):
        assert answer.status == 409
    assert (await ada.put(f"{PUBLIC}/members/grace", {"role": "owner"})).status == 200
    assert (await ada.post(f"{PUBLIC}/leave")).status == 204


async def test_putting_somebody_is_201_and_putting_them_again_200(busy_site: Site):
    ada = busy_site.client("ada")
    path = f"{PUBLIC}/members/barbara"
    added = await ada.put(path, {"role": "viewer"})
    assert added.status == 201
    assert TIME.fullmatch(added.json["added_at"])
    assert (added.json["added_by"], added.json["expires_at"]) == ("ada", None)
    changed = await ada.put(path, {"role": "member", "expires_at": "2099-01-31T12:00:00+02:00"})
    assert (changed.status, changed.json["role"]) == (200, "member")
    assert changed.json["expires_at"] == "2099-01-31T10:00:00.000Z"
    assert changed.json["added_at"] == added.json["added_at"]
    members = (await ada.get(f"{PUBLIC}/members")).json["items"]
    assert changed.json in members
    with busy_site.rows() as session:
        assert actions(session) == ["member:add", "member:change"]


@pytest.mark.parametrize(
    "expires_at",
    [
        "2020-01-01T00:00:00Z",
        "2099-01-01",
        "2099-01-01T00:00:00",
        "tomorrow",
        "",
        0,
        True,
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "2099-02-30T00:00:00Z",
    ],
)
async def test_an_end_that_is_no_time_to_come_is_422(busy_site: Site, expires_at: object):
    body = {"role": "viewer", "expires_at": expires_at}
    answer = await busy_site.client("ada").put(f"{PUBLIC}/members/barbara", body)
    assert answer.wrong_fields == {"expires_at"}


@pytest.mark.parametrize("role", [None, "", "admin", "Owner", 1, ["owner"]])
async def test_a_role_that_there_is_not_is_422(busy_site: Site, role: object):
    answer = await busy_site.client("ada").put(f"{PUBLIC}/members/barbara", {"role": role})
    assert answer.wrong_fields == {"role"}
    assert (await busy_site.client("ada").put(f"{PUBLIC}/members/barbara")).wrong_fields == {"role"}


async def test_somebody_with_an_account_is_added_before_they_ever_came(busy_site: Site):
    busy_site.hub.accounts.add(world.HUB_ONLY)
    added = await busy_site.client("ada").put(f"{PUBLIC}/members/charles", {"role": "member"})
    assert added.status == 201
    assert added.json["username"] == "charles"


@pytest.mark.parametrize(
    "name", ["nobody", "a" * 129, "a" * 600, "project-public-work", "tmp-1", "Ada", "ada%20", "%40"]
)
async def test_somebody_without_an_account_is_422_on_username(busy_site: Site, name: str):
    busy_site.hub.accounts |= {"project-public-work", "tmp-1"}
    answer = await busy_site.client("ada").put(f"{PUBLIC}/members/{name}", {"role": "member"})
    assert answer.wrong_fields == {"username"}


async def test_only_who_may_add_people_has_the_hub_asked_for_accounts(busy_site: Site):
    busy_site.hub.accounts.add(world.HUB_ONLY)
    for who in (None, "barbara", "grace"):
        client = busy_site.client(who)
        await client.put(f"{PUBLIC}/members/charles", {"role": "member"})
        await client.get("api/v1/projects/public-work/explain?permission=lab:open&username=charles")
    assert "/hub/api/users/charles" not in busy_site.hub.requests
    assert (await busy_site.client("ada").get("api/v1/users?q=charles")).json["total"] == 0


async def test_without_the_hub_unknown_people_are_503_and_known_ones_are_added(busy_site: Site):
    ada = busy_site.client("ada")
    await ada.get("api/v1/me")
    for broken in (403, 500):
        busy_site.hub.broken_accounts = broken
        answer = await ada.put(f"{PUBLIC}/members/charles", {"role": "member"})
        assert answer.status == 503
    assert (await ada.put(f"{PUBLIC}/members/barbara", {"role": "member"})).status == 201


async def test_taking_somebody_out_who_is_not_in_is_404(busy_site: Site):
    ada = busy_site.client("ada")
    for name in ("barbara", "nobody"):
        assert (await ada.delete(f"{PUBLIC}/members/{name}")).status == 404


async def test_nobody_prolongs_their_own_membership(busy_site: Site, stopped_clock):
    end = stopped_clock.now + timedelta(days=30)
    with busy_site.rows() as session:
        corner = world.corner(session, "public")
        make.membership(
            session, corner.group, corner.person("barbara"), MemberRole.OWNER, expires_at=end
        )
    barbara = busy_site.client("barbara")
    path = f"{PUBLIC}/members/barbara"
    assert (await barbara.put(path, {"role": "owner"})).status == 403
    later = {"role": "owner", "expires_at": "2027-12-01T00:00:00Z"}
    assert (await barbara.put(path, later)).status == 403
    assert (await busy_site.client("ada").put(path, later)).status == 200


async def test_an_expired_membership_is_as_none(busy_site: Site, stopped_clock):
    with busy_site.rows() as session:
        corner = world.corner(session, "private")
        make.membership(
            session, corner.group, corner.person("barbara"), expires_at=stopped_clock.now
        )
    private = f"{GROUPS}/private"
    assert (await busy_site.client("barbara").get(private)).status == 404
    ada = busy_site.client("ada")
    assert (await ada.get(private)).json["member_count"] == 3
    assert (await ada.delete(f"{private}/members/barbara")).status == 404
    assert (await ada.put(f"{private}/members/barbara", {"role": "viewer"})).status == 201


async def test_guests_get_the_number_of_people_and_not_their_names(busy_site: Site):
    guest = busy_site.client()
    assert (await guest.get(PUBLIC)).json["member_count"] == 3
    assert (await guest.get(f"{PUBLIC}/members")).status == 401
    names = [
        member["username"]
        for member in (await busy_site.client("barbara").get(f"{PUBLIC}/members")).json["items"]
    ]
    assert names == ["ada", "alan", "grace"]


async def test_a_group_in_the_trash_is_gone_but_for_owners_until_it_is_restored(busy_site: Site):
    ada, grace = busy_site.client("ada"), busy_site.client("grace")
    assert (await ada.delete(PUBLIC)).status == 204
    assert (await ada.delete(PUBLIC)).status == 409
    for path in (PUBLIC, "api/v1/projects/public-work", "api/v1/projects/public-work/labs/bench"):
        assert (await grace.get(path)).status == 404
        assert TIME.fullmatch((await ada.get(path)).json["deleted_at"])
    assert (await ada.patch(PUBLIC, {"name": "Other"})).status == 403
    taken = await grace.post(GROUPS, {"name": "Public", "slug": "public"})
    assert taken.status == 409
    assert (await ada.post("api/v1/projects/public-work/restore")).status == 409
    assert (await ada.post(f"{PUBLIC}/restore")).json["deleted_at"] is None
    assert (await ada.post(f"{PUBLIC}/restore")).status == 409
    assert (await grace.get("api/v1/projects/public-work/labs/bench")).status == 200


async def test_events_tell_who_did_what(busy_site: Site):
    ada = busy_site.client("ada")
    told = await ada.patch(PUBLIC, {"name": "Other"})
    await busy_site.client("barbara").post(f"{PUBLIC}/join")
    joined, edited = (await ada.get(f"{PUBLIC}/events")).json["items"]
    assert TIME.fullmatch(edited.pop("at"))
    assert edited == {
        "id": 1,
        "actor": "ada",
        "action": "group:edit",
        "subject": "public",
        "detail": {"before": {"name": "Public"}, "after": {"name": "Other"}},
        "via": "api",
        "request_id": told.headers["X-Request-ID"],
    }
    assert (joined["actor"], joined["action"]) == ("barbara", "group:join")


async def test_a_change_of_people_is_handed_to_the_hub_in_the_same_transaction(busy_site: Site):
    await busy_site.client("barbara").post(f"{PUBLIC}/join")
    with busy_site.rows() as session:
        (job,) = jobs(session)
    assert job[0] == "sync_group"
