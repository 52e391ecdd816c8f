"""Forms offer what is accepted and nothing else: each choice is looked up on the page, then sent.

Allowed and refused differ in one value only, so a form that offers too much fails here, and so
does one that offers too little.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from sophon_hub import clock
from sophon_hub.models import LabState, MemberRole, Membership, MembershipSource, Visibility
from tests import make
from tests.conftest import StoppedClock
from tests.web import world
from tests.web.conftest import Site
from tests.web.test_pages import send, soup_of

NOON = timedelta(hours=12)
PEOPLE = "groups/public/people"


def own_form(page: BeautifulSoup, name: str) -> BeautifulSoup | None:
    """The form that changes somebody of a group."""
    fields = page.select(f".confirm-box > input[name=username][value={name}]")
    return next((one.parent for one in fields if one.parent.select("[name=role]")), None)


def membership(corner: world.Corner, name: str) -> Membership:
    query = select(Membership).where(
        Membership.group_id == corner.group.id, Membership.person_id == corner.person(name).id
    )
    return corner.session.scalars(query).one()


def second_owner(corner: world.Corner) -> None:
    membership(corner, "grace").role = MemberRole.OWNER


def by_sign_on(corner: world.Corner) -> None:
    membership(corner, "grace").source = MembershipSource.SIGN_ON


def only_a_dataset(corner: world.Corner) -> None:
    """Nothing but a dataset is seen by everybody signed in."""
    corner.project.visibility = Visibility.PRIVATE
    corner.dataset.visibility = Visibility.INTERNAL


def only_in_trash(corner: world.Corner) -> None:
    """What could come back counts."""
    corner.dataset.visibility = Visibility.PRIVATE
    corner.project.deleted_at = clock.utcnow()


def all_private(corner: world.Corner) -> None:
    corner.project.visibility = corner.dataset.visibility = Visibility.PRIVATE


GROUP_STATES: list[tuple[Callable[[world.Corner], None], dict[str, list[str]]]] = [
    (
        world.as_it_is,
        {
            "internal": ["public-work", "public-data"],
            "private": ["public-work", "public-data"],
        },
    ),
    (only_a_dataset, {"private": ["public-data"]}),
    (only_in_trash, {"internal": ["public-work"], "private": ["public-work"]}),
    (all_private, {}),
]


@pytest.mark.parametrize(("state", "in_the_way"), GROUP_STATES)
@pytest.mark.parametrize("visibility", Visibility)
async def test_a_group_is_offered_a_visibility_unless_more_people_see_something_in_it(
    busy_site: Site, state, in_the_way, visibility
):
    with busy_site.rows() as session:
        state(world.corner(session, "public"))
    ada, path = busy_site.client("ada"), "groups/public/edit"
    field = soup_of(await ada.get(path)).select_one(f"input[value={visibility}]")
    refused = in_the_way.get(visibility, [])
    assert field.has_attr("disabled") is bool(refused)
    if refused:
        why = field.find_parent("div").select_one(f"#{field['aria-describedby']}")
        assert [link.text for link in why.select("a")] == refused
        for link in why.select("a"):
            assert (await ada.get(f"datasets/{link.text}")).status == 200 or (
                await ada.get(f"projects/{link.text}")
            ).status == 200
    answer = await send(ada, path, name="Public", visibility=visibility)
    assert answer.status == (409 if refused else 303), answer.text
    if refused:
        # what came in between is not chosen in the form that comes back
        assert [one["value"] for one in soup_of(answer).select("input[name=visibility][checked]")]


@pytest.mark.parametrize("role", MemberRole)
@pytest.mark.parametrize("day", ["", "2100-01-31"])
@pytest.mark.parametrize("state", [world.as_it_is, second_owner])
async def test_the_only_owner_is_offered_no_other_role_and_no_end(
    busy_site: Site, state, role, day
):
    with busy_site.rows() as session:
        state(world.corner(session, "public"))
    root = busy_site.client("root")
    form = own_form(soup_of(await root.get(PEOPLE)), "ada")
    is_only = state is world.as_it_is
    offered = not form.select_one(f"option[value={role}]").has_attr("disabled")
    dated = not form.select_one("input[type=date]").has_attr("disabled")
    assert offered is (role is MemberRole.OWNER or not is_only)
    assert dated is not is_only
    assert ("Make somebody else an owner first" in form.text) is is_only
    answer = await send(root, PEOPLE, action="change", username="ada", role=role, expires_at=day)
    assert answer.status == (303 if offered and (dated or not day) else 409), answer.text


@pytest.mark.parametrize(
    ("who", "state", "may"),
    [
        ("ada", world.as_it_is, False),
        ("ada", second_owner, True),
        ("grace", world.as_it_is, True),
        ("grace", by_sign_on, False),
    ],
)
async def test_nobody_is_offered_to_leave_or_to_be_removed_who_has_to_stay(
    busy_site: Site, who, state, may
):
    with busy_site.rows() as session:
        state(world.corner(session, "public"))
    client, root = busy_site.client(who), busy_site.client("root")
    own = soup_of(await client.get("groups/public"))
    assert bool(own.select("button[value=leave]")) is may
    assert ("You cannot leave now." in own.text) is not may
    removing = f"form:has(button[value=remove]) > input[name=username][value={who}]"
    assert bool(soup_of(await root.get(PEOPLE)).select(removing)) is may
    refused = await send(root, PEOPLE, action="remove", username=who)
    assert refused.status == (303 if may else 409)
    if may:
        with busy_site.rows() as session:
            corner = world.corner(session, "public")
            make.membership(session, corner.group, corner.person(who))
    answer = await send(client, "groups/public", action="leave")
    assert answer.status == (303 if may else 409), answer.text


@pytest.mark.parametrize(("days", "status"), [(-1, 422), (0, 303), (2, 303), (3, 403)])
async def test_an_owner_is_offered_no_day_beyond_the_own_end(
    busy_site: Site, stopped_clock: StoppedClock, days, status
):
    now = clock.utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
    with busy_site.rows() as session:
        corner = world.corner(session, "public")
        second_owner(corner)
        # the last day is not whole, so it cannot be given
        membership(corner, "grace").expires_at = now + timedelta(days=3) + NOON
    grace = busy_site.client("grace")
    page = soup_of(await grace.get(PEOPLE))
    field = own_form(page, "grace").select_one("input[type=date]")
    others = own_form(page, "alan").select_one("input[type=date]")
    day = f"{now + timedelta(days=days):%Y-%m-%d}"
    assert (field["min"] <= day <= field["max"]) is (status == 303)
    assert field.has_attr("required")
    assert field["value"] == field["max"]
    assert not others.has_attr("max")
    fields = {"action": "change", "role": "owner", "expires_at": day}
    other = await send(grace, PEOPLE, username="alan", **fields)
    assert other.status == (303 if days >= 0 else 422)
    answer = await send(grace, PEOPLE, username="grace", **fields)
    assert answer.status == status, answer.text
    assert (
        await send(grace, PEOPLE, username="grace", **fields | {"expires_at": ""})
    ).status == 403


async def test_an_owner_whose_last_day_it_is_changes_nothing_about_it(
    busy_site: Site, stopped_clock: StoppedClock
):
    with busy_site.rows() as session:
        corner = world.corner(session, "public")
        second_owner(corner)
        membership(corner, "grace").expires_at = datetime(2100, 1, 1, tzinfo=UTC)
    grace = busy_site.client("grace")
    assert own_form(soup_of(await grace.get(PEOPLE)), "grace") is not None
    with busy_site.rows() as session:
        corner = world.corner(session, "public")
        membership(corner, "grace").expires_at = clock.utcnow() + timedelta(minutes=1)
    page = soup_of(await grace.get(PEOPLE))
    assert own_form(page, "grace") is None
    assert "Another owner can give you more time." in page.text


@pytest.mark.parametrize("state", LabState)
async def test_a_move_and_a_deletion_are_offered_while_the_lab_has_no_server(
    busy_site: Site, state
):
    with busy_site.rows() as session:
        world.corner(session, "internal").lab.state = state
    ada, project = busy_site.client("ada"), "projects/internal-work"
    page = soup_of(await ada.get(f"{project}/edit"))
    lab = f"{project}/labs/bench"
    may = not state.has_server
    assert bool(page.select("button[value=move]")) is may
    assert ("Stop the labs of the project before moving it: Bench." in page.text) is not may
    assert bool(soup_of(await ada.get(f"{lab}/edit")).select("a[href$=delete]")) is may
    asked = soup_of(await ada.get(f"{lab}/delete"))
    assert bool(asked.select("button[type=submit].btn-danger")) is may
    moved = await send(ada, f"{project}/edit", action="move", group="public")
    assert moved.status == (303 if may else 409)
    deleted = await send(ada, f"{lab}/delete", address="bench")
    assert deleted.status == (303 if may else 409), deleted.text


@pytest.mark.parametrize("group", ["internal", "private", "public"])
async def test_a_move_is_offered_where_one_may_create_projects(busy_site: Site, group):
    with busy_site.rows() as session:
        membership(world.corner(session, "private"), "ada").role = MemberRole.VIEWER
    ada, path = busy_site.client("ada"), "projects/internal-work/edit"
    offered = soup_of(await ada.get(path)).select(f"#move input[value={group}]")
    assert bool(offered) is (group == "public")
    answer = await send(ada, path, action="move", group=group, visibility="private")
    changed = {"internal": 303, "private": 403, "public": 303}
    assert answer.status == changed[group], answer.text


@pytest.mark.parametrize("who", ["grace", "ada"])
async def test_a_lab_that_somebody_else_has_locked_is_not_offered_for_editing(busy_site: Site, who):
    with busy_site.rows() as session:
        world.locked_by_grace(world.corner(session, "private"))
    client, path = busy_site.client(who), "projects/private-work/labs/bench/edit"
    page = soup_of(await client.get(path))
    may = who == "grace"
    assert bool(page.select("input[name=name]")) is may
    assert ("This lab is locked by Grace" in page.text) is not may
    answer = await send(client, path, name="Bench", image="lab", internet="true")
    assert answer.status == (303 if may else 409), answer.text


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("projects/private-work", world.project_in_trash, world.group_in_trash),
        ("projects/private-work/labs/bench", world.lab_in_trash, world.project_in_trash),
        ("datasets/private-data", world.dataset_in_trash, world.group_in_trash),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
async def test_nothing_is_offered_back_before_what_it_is_in(
    busy_site: Site, path, before, after, alone
):
    with busy_site.rows() as session:
        corner = world.corner(session, "private")
        before(corner)
        if not alone:
            after(corner)
    ada = busy_site.client("ada")
    for place in (path, "projects/private-work/trash" if "labs" in path else "trash"):
        page = soup_of(await ada.get(place))
        here = [
            one
            for one in page.select("button[value=restore]")
            if (one.parent.get("action") or "").endswith(path)
        ]
        assert bool(here) is alone, place
        assert ("in the trash; restore the" in page.text) is not alone, place
    answer = await send(ada, path, action="restore")
    assert answer.status == (303 if alone else 409), answer.text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("projects/new?group={group}", {"group": "{group}", "name": "X"}),
        ("projects/{group}-work/edit", {"name": "X"}),
        ("projects/{group}-work/labs/bench/publish", {"name": "X", "folder": "data"}),
        ("datasets/{group}-data/edit", {"name": "X"}),
        (
            "datasets/new?group={group}",
            {"group": "{group}", "name": "X", "kind": "volume", "location": "stars"},
        ),
    ],
)
@pytest.mark.parametrize("group", ["internal", "private"])
@pytest.mark.parametrize("visibility", Visibility)
async def test_what_is_in_a_group_is_offered_to_no_more_people_than_see_the_group(
    busy_site: Site, path, fields, group, visibility
):
    root, path = busy_site.client("root"), path.format(group=group)
    page = soup_of(await root.get(path))
    offered = bool(page.select(f"input[name=visibility][value={visibility}]"))
    assert len(page.select("input[name=visibility][checked]")) == 1
    assert offered is (visibility.openness <= Visibility(group).openness)
    sent = {name: value.format(group=group) for name, value in fields.items()}
    answer = await send(root, path.partition("?")[0], visibility=visibility, **sent)
    assert answer.status == (303 if offered else 422), answer.text


async def test_a_group_is_offered_for_projects_to_those_who_may_create_them_there(busy_site: Site):
    with busy_site.rows() as session:
        membership(world.corner(session, "private"), "grace").role = MemberRole.VIEWER
    grace = busy_site.client("grace")
    found = soup_of(await grace.get("projects/new")).select("select[name=group] option")
    offered = {one["value"] for one in found}
    assert offered == {"public", "internal"}
    for group in ("public", "internal", "private"):
        answer = await send(grace, "projects/new", group=group, name="X")
        assert answer.status == (303 if group in offered else 403), answer.text


@pytest.mark.parametrize("roots", [[], ["/srv/data"]])
async def test_a_directory_is_offered_where_the_hub_allows_some(busy_site: Site, roots):
    settings = busy_site.portal.settings
    before, settings.dataset_roots = settings.dataset_roots, roots
    try:
        root = busy_site.client("root")
        page = soup_of(await root.get("datasets/new"))
        assert bool(page.select("input[value=directory]")) is bool(roots)
        assert len(page.select("input[name=kind][checked]")) == 1
        fields = {"name": "Sky", "kind": "directory", "location": "/srv/data/sky"}
        answer = await send(root, "datasets/new", **fields)
        assert answer.status == (303 if roots else 422), answer.text
    finally:
        settings.dataset_roots = before
