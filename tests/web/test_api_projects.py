"""Projects through the API: creating, changing, moving, explaining, trash."""

import asyncio
import re

import pytest

from sophon_hub.models import MemberRole, Visibility
from sophon_hub.policy.permissions import Permission
from tests import make
from tests.database import actions
from tests.web import world
from tests.web.conftest import Site

PROJECTS = "api/v1/projects"
WORK = f"{PROJECTS}/public-work"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_a_project_is_made_with_its_defaults(busy_site: Site):
    created = await busy_site.client("grace").post(PROJECTS, {"group": "public", "name": "Lens"})
    assert created.status == 201
    project = created.json
    assert TIME.fullmatch(project.pop("created_at"))
    assert TIME.fullmatch(project.pop("updated_at"))
    assert project == {
        "slug": "lens",
        "group": "public",
        "name": "Lens",
        "description": "",
        "description_html": "",
        "visibility": "internal",
        "lab_count": 0,
        "can": ["project:see", "project:edit", "lab:create", "events:see"],
        "deleted_at": None,
    }


@pytest.mark.parametrize(
    ("group", "visibility"),
    [("public", "internal"), ("internal", "internal"), ("private", "private")],
)
async def test_a_project_is_internal_or_as_its_group_when_that_is_stricter(
    busy_site: Site, group: str, visibility: str
):
    created = await busy_site.client("ada").post(PROJECTS, {"group": group, "name": "Lens"})
    assert created.json["visibility"] == visibility


async def test_a_project_is_never_made_more_visible_than_its_group(busy_site: Site):
    body = {"group": "internal", "name": "Lens", "visibility": "public"}
    assert (await busy_site.client("ada").post(PROJECTS, body)).wrong_fields == {"visibility"}


@pytest.mark.parametrize("group", ["nowhere", "", "PRIVATE", "../private", "a" * 1000, "\x00"])
async def test_a_group_that_is_hidden_is_as_wrong_as_one_that_is_not(busy_site: Site, group: str):
    barbara = busy_site.client("barbara")
    missing = await barbara.post(PROJECTS, {"group": group, "name": "Lens"})
    hidden = await barbara.post(PROJECTS, {"group": "private", "name": "Lens"})
    assert missing.wrong_fields == {"group"}
    assert missing.told == hidden.told


async def test_of_parallel_requests_for_a_slug_one_gets_it(site_on_any: Site):
    ada = site_on_any.client("ada")
    await ada.post("api/v1/groups", {"name": "Optics"})
    body = {"group": "optics", "name": "Lens", "slug": "lens"}
    answers = await asyncio.gather(*(ada.post(PROJECTS, body) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert (await ada.get(PROJECTS)).json["total"] == 1


@pytest.mark.parametrize(
    ("who", "changes", "status"),
    [
        ("grace", {}, 200),
        ("grace", {"name": "New", "description": "*new*"}, 200),
        ("grace", {"visibility": "public"}, 200),
        ("grace", {"group": "public"}, 200),
        ("grace", {"visibility": "private"}, 403),
        ("grace", {"group": "internal"}, 403),
        ("ada", {"visibility": "private"}, 200),
        ("ada", {"visibility": None}, 422),
        ("ada", {"group": None}, 422),
        ("ada", {"name": ""}, 422),
        ("ada", {"slug": "other"}, 422),
        ("ada", {"can": []}, 422),
        ("ada", {"group": "nowhere"}, 422),
    ],
)
async def test_a_patch_is_answered(busy_site: Site, who: str, changes: dict, status: int):
    client = busy_site.client(who)
    before = (await client.get(WORK)).json
    answer = await client.patch(WORK, changes)
    assert answer.status == status
    after = (await client.get(WORK)).json
    if status == 200:
        assert answer.json == after
        assert {name: after[name] for name in changes} == changes
    else:
        assert after == before
    # what was changed, or refused, is on record
    assert busy_site.count_events() == (1 if status in (200, 403) else 0)


async def test_moving_into_a_stricter_group_asks_first_and_then_lowers(busy_site: Site):
    ada = busy_site.client("ada")
    asked = await ada.patch(WORK, {"group": "internal"})
    assert (asked.status, asked.json["visibility"]) == (409, "internal")
    assert "internal" in asked.json["detail"]
    assert (await ada.patch(WORK, {"group": "internal", "visibility": "public"})).status == 422
    moved = await ada.patch(WORK, {"group": "internal", "visibility": "internal"})
    assert (moved.status, moved.json["group"]) == (200, "internal")
    moved = await ada.patch(WORK, {"group": "private", "visibility": "private"})
    assert (moved.status, moved.json["group"]) == (200, "private")
    moved = await ada.patch(WORK, {"group": "public"})
    assert moved.json["visibility"] == "private"
    with busy_site.rows() as session:
        assert actions(session) == ["project:edit"] * 3


async def test_a_project_is_moved_into_own_groups_only(busy_site: Site):
    with busy_site.rows() as session:
        make.group(session, "others")
    assert (await busy_site.client("ada").patch(WORK, {"group": "others"})).status == 403


async def test_a_project_in_the_trash_is_gone_but_for_owners_until_it_is_restored(busy_site: Site):
    ada, grace = busy_site.client("ada"), busy_site.client("grace")
    assert (await ada.delete(WORK)).status == 204
    assert (await ada.delete(WORK)).status == 409
    gone = await grace.get(WORK)
    assert gone.told == (await grace.get(f"{PROJECTS}/nowhere")).told
    assert TIME.fullmatch((await ada.get(WORK)).json["deleted_at"])
    assert (await ada.get(WORK)).json["can"] == ["project:see", "project:delete", "events:see"]
    assert (await ada.patch(WORK, {"name": "Other"})).status == 403
    assert (await ada.post(f"{WORK}/labs", {"name": "Other"})).status == 403
    restored = await ada.post(f"{WORK}/restore")
    assert (restored.status, restored.json["deleted_at"]) == (200, None)
    assert (await ada.post(f"{WORK}/restore")).status == 409
    assert (await grace.get(f"{WORK}/labs/bench")).status == 200


def ask(permission: str, username: str = "") -> str:
    return f"{WORK}/explain?permission={permission}" + (username and f"&username={username}")


@pytest.mark.parametrize("permission", list(Permission))
async def test_every_permission_can_be_asked_about(busy_site: Site, permission: str):
    answer = await busy_site.client("grace").get(ask(permission))
    assert answer.status == 200
    assert (answer.json["source"], answer.json["until"]) == ("membership:member", None)
    of_owner = await busy_site.client("ada").get(ask(permission))
    assert of_owner.json["allowed"] is True


@pytest.mark.parametrize("who", ["alan", "grace", "ada", "root"])
async def test_what_is_explained_is_what_one_can(busy_site: Site, who: str):
    client = busy_site.client(who)
    project = (await client.get(WORK)).json
    for permission in Permission:
        answer = (await client.get(ask(permission))).json
        if permission.partition(":")[0] == "project" and permission != "project:create":
            assert answer["allowed"] == (permission in project["can"])
        assert (await busy_site.client("ada").get(ask(permission, who))).json == answer


async def test_the_end_of_a_membership_is_the_end_of_what_it_permits(
    busy_site: Site, stopped_clock
):
    with busy_site.rows() as session:
        corner = world.corner(session, "public")
        end = stopped_clock.now.replace(year=2028)
        make.membership(
            session, corner.group, corner.person("barbara"), MemberRole.VIEWER, expires_at=end
        )
    assert (await busy_site.client("barbara").get(ask("lab:watch"))).json == {
        "allowed": True,
        "rule": "at least viewer of the group",
        "source": "membership:viewer",
        "until": "2028-03-01T12:00:00.000Z",
    }


async def test_owners_ask_about_anyone_and_others_about_themselves(busy_site: Site):
    busy_site.hub.accounts.add(world.HUB_ONLY)
    for who, username, status in (
        ("ada", "grace", 200),
        ("ada", "barbara", 200),
        ("ada", "charles", 200),
        ("ada", "nobody", 422),
        ("root", "grace", 200),
        ("grace", "grace", 200),
        ("grace", "ada", 403),
        ("grace", "nobody", 403),
        ("alan", "ada", 403),
        ("barbara", "barbara", 403),
        (None, "ada", 401),
        (None, "", 401),
    ):
        answer = await busy_site.client(who).get(ask("lab:open", username))
        assert answer.status == status, (who, username)
    assert (await busy_site.client("ada").get(ask("lab:open", "barbara"))).json["allowed"] is False


@pytest.mark.parametrize("permission", ["", "lab", "lab:fly", "LAB:OPEN", "%00"])
async def test_a_permission_that_there_is_not_is_422(busy_site: Site, permission: str):
    assert (await busy_site.client("ada").get(ask(permission))).wrong_fields == {"permission"}


async def test_without_permission_explain_is_422(busy_site: Site):
    assert (await busy_site.client("ada").get(f"{WORK}/explain")).wrong_fields == {"permission"}


async def test_a_lab_can_be_asked_about_and_its_lock_is_in_the_answer(busy_site: Site):
    path = ask("lab:open") + "&lab=bench"
    ada, grace = busy_site.client("ada"), busy_site.client("grace")
    assert (await ada.get(path)).json == (await ada.get(ask("lab:open"))).json
    await grace.post(f"{WORK}/labs/bench/lock")
    assert (await ada.get(path)).json == {
        "allowed": False,
        "rule": "in a locked lab nobody edits but who locked it",
        "source": "lock",
        "until": None,
    }
    assert (await ada.get(f"{path}&username=grace")).json["allowed"] is True
    assert (await ada.get(ask("lab:open"))).json["allowed"] is True


@pytest.mark.parametrize("lab", ["nothing", "Bench", "%00", "other"])
async def test_a_lab_that_is_not_in_the_project_is_422(busy_site: Site, lab: str):
    with busy_site.rows() as session:
        make.lab(session, world.corner(session, "private").project, "other")
    grace = busy_site.client("grace")
    assert (await grace.get(f"{ask('lab:open')}&lab=bench")).status == 200
    assert (await grace.get(f"{ask('lab:open')}&lab={lab}")).wrong_fields == {"lab"}


async def test_a_lab_in_the_trash_is_none_but_for_owners(busy_site: Site):
    with busy_site.rows() as session:
        world.lab_in_trash(world.corner(session, "public"))
    path = ask("lab:start") + "&lab=bench"
    assert (await busy_site.client("grace").get(path)).wrong_fields == {"lab"}
    assert (await busy_site.client("ada").get(path)).json["source"] == "trash"


async def test_events_of_a_project_are_told_to_its_members(busy_site: Site):
    ada = busy_site.client("ada")
    await ada.patch(WORK, {"name": "Other"})
    await ada.post(f"{WORK}/labs/bench/start")
    seen = (await busy_site.client("grace").get(f"{WORK}/events")).json["items"]
    assert [(event["action"], event["subject"]) for event in seen] == [
        ("lab:start", "public-work/bench"),
        ("project:edit", "public-work"),
    ]


@pytest.mark.parametrize("visibility", list(Visibility))
async def test_lab_names_are_seen_by_who_sees_the_project(busy_site: Site, visibility: str):
    path = f"{PROJECTS}/{visibility}-work"
    for who in (None, "barbara", "alan"):
        client = busy_site.client(who)
        labs = await client.get(f"{path}/labs")
        assert labs.status == (await client.get(path)).status
        if labs.status == 200:
            assert [lab["name"] for lab in labs.json["items"]] == ["Bench"]
