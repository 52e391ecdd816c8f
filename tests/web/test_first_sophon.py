"""What the first Sophon promised or got wrong, where no other test shows how it is here.

Each test is named after a number of `docs/decisions/0004-first-sophon.md`, which lists all of them.
"""

from urllib.parse import quote

import pytest
from sqlalchemy import delete, select

from sophon_hub.models import AccessMode, LabState, MemberRole, Membership, Person
from tests import make
from tests.cast import STANDINGS
from tests.web import world
from tests.web.conftest import Site
from tests.web.test_pages import client_of, landed, send, soup_of

API = "api/v1"
GROUPS = f"{API}/groups"
PROJECTS = f"{API}/projects"
ODD_NAMES = ("grace.hopper", "ada@example.org", "0123", "o'neill", "a+b", "x_y", "ärzte")


async def test_t04_people_are_found_in_the_order_of_their_names(busy_site: Site):
    with busy_site.rows() as session:
        for name in ("zeno.same", "anna.same", "mary.same"):
            make.person(session, name)
    found = (await busy_site.client("grace").get(f"{API}/users?q=same")).json
    assert [one["username"] for one in found["items"]] == ["anna.same", "mary.same", "zeno.same"]
    assert found["total"] == 3


async def test_t06_nobody_is_found_by_a_name_that_nobody_has(busy_site: Site):
    found = await busy_site.client("grace").get(f"{API}/users?q=nobody")
    assert (found.status, found.json["items"]) == (200, [])
    for path in ("users/grace", "users/by-id/1", "users/by-username/grace"):
        assert (await busy_site.client("root").get(f"{API}/{path}")).status == 404


async def test_t08_a_guest_reads_a_group_as_the_list_shows_it(busy_site: Site):
    with busy_site.rows() as session:
        make.group(session, "closed", description="By hand", access=AccessMode.MANUAL)
    guest = busy_site.client()
    listed = (await guest.get(GROUPS)).json["items"]
    assert [(one["slug"], one["access"]) for one in listed] == [
        ("closed", "manual"),
        ("public", "open"),
    ]
    for one in listed:
        assert (await guest.get(f"{GROUPS}/{one['slug']}")).json == one


async def test_t09_what_was_never_made_is_not_found_also_when_it_is_a_number(busy_site: Site):
    for slug in ("nowhere", "1", "-1", "1.0"):
        assert (await busy_site.client("root").get(f"{GROUPS}/{slug}")).status == 404


async def test_t24_who_was_added_by_an_owner_may_leave_at_any_time(busy_site: Site):
    with busy_site.rows() as session:
        world.by_hand(world.corner(session, "public"))
    grace = busy_site.client("grace")
    assert (await grace.post(f"{GROUPS}/public/leave")).status == 204
    left = (await busy_site.client("ada").get(f"{GROUPS}/public/members")).json["items"]
    assert [one["username"] for one in left] == ["ada", "alan"]
    assert (await grace.post(f"{GROUPS}/public/join")).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "groups/public",
        "projects/public-work",
        "projects/public-work/labs/bench",
        "datasets/public-data",
    ],
)
async def test_d04_an_address_never_changes(busy_site: Site, path: str):
    ada = busy_site.client("ada")
    slug = path.rpartition("/")[2]
    for other in ("other", slug):
        assert (await ada.patch(f"{API}/{path}", {"slug": other})).wrong_fields == {"slug"}
    renamed = await ada.patch(f"{API}/{path}", {"name": "Another name"})
    assert (renamed.json["slug"], renamed.json["name"]) == (slug, "Another name")


@pytest.mark.parametrize(
    ("given", "who", "status"),
    [
        (world.as_it_is, "grace", 403),
        (world.as_it_is, "ada", 204),
        (world.running, "ada", 409),
        (world.locked_by_grace, "ada", 409),
    ],
    ids=["member", "owner", "running", "locked"],
)
async def test_d12_a_lab_is_deleted_by_an_owner_while_it_is_stopped_and_unlocked(
    busy_site: Site, given, who: str, status: int
):
    with busy_site.rows() as session:
        given(world.corner(session, "public"))
    bench = f"{PROJECTS}/public-work/labs/bench"
    assert (await busy_site.client(who).delete(bench)).status == status
    assert (await busy_site.client().get(bench)).status == (404 if status == 204 else 200)


async def test_d16_the_list_of_people_says_what_each_one_is_and_who_one_is_oneself(busy_site: Site):
    for who in ("alan", "ada"):
        page = soup_of(await client_of(busy_site, who).get("groups/public/people"))
        people = {
            row.select_one(".row-note span").text: [tag.text.strip() for tag in row.select(".tag")]
            for row in page.select("main .row-item")
        }
        expected = {"ada": ["owner"], "alan": ["viewer"], "grace": ["member"]}
        expected[who] = [*expected[who], "you"]
        assert people == expected


async def test_d22_the_trail_leads_back_and_an_address_that_is_none_leads_to_the_start(
    busy_site: Site,
):
    grace = client_of(busy_site, "grace")
    lab = "projects/private-work/labs/bench"
    trail = soup_of(await grace.get(lab)).select("nav[aria-label=Breadcrumb] a")
    assert [link.text for link in trail] == ["Groups", "Private", "Private-Work", "Bench"]
    assert [link.get("aria-current") for link in trail] == [None, None, None, "page"]
    for link in trail:
        assert (await grace.get(link["href"].removeprefix("/services/sophon/"))).status == 200
    lost = await grace.get("projects/private-work/labs/nowhere")
    assert lost.status == 404
    assert soup_of(lost).select_one("main a[href]")


async def test_d25_a_program_does_with_a_token_what_a_person_does_on_pages(busy_site: Site):
    program, person = busy_site.client("grace"), busy_site.browser("grace")
    by_program = await program.post(PROJECTS, {"group": "public", "name": "By program"})
    by_person = await send(person, "projects/new", group="public", name="By person", visibility="")
    made = [by_program.json["slug"], landed(by_person).rpartition("/")[2]]
    assert made == ["by-program", "by-person"]
    shown = [(await program.get(f"{PROJECTS}/{slug}")).json for slug in made]
    assert shown[0]["can"] == shown[1]["can"]
    assert shown[0]["visibility"] == shown[1]["visibility"]


async def test_w01_a_lab_is_made_where_the_address_says_and_rights_are_asked_there(
    busy_site: Site,
):
    with busy_site.rows() as session:
        own = make.group(session, "own")
        person = world.person(session, "barbara")
        make.membership(session, own, person, MemberRole.OWNER)
        make.project(session, own, "mine")
    barbara = busy_site.client("barbara")
    victims = {"private-work": 404, "internal-work": 403, "public-work": 403}
    for victim, status in victims.items():
        labs = f"{PROJECTS}/{victim}/labs"
        assert (await barbara.post(labs, {"name": "Intruder"})).status == status
        named = {"name": "Intruder", "project": "mine"}
        assert (await barbara.post(labs, named)).wrong_fields == {"project"}
    assert (await barbara.post(f"{PROJECTS}/mine/labs", {"name": "Bench"})).status == 201
    for victim in victims:
        labs = (await busy_site.client("root").get(f"{PROJECTS}/{victim}/labs")).json
        assert [lab["slug"] for lab in labs["items"]] == ["bench"]


async def test_w09_no_directory_of_files_is_listed(busy_site: Site):
    for path in ("static", "static/", "static/vendor", "static/vendor/"):
        answer = await busy_site.client().get(path)
        assert answer.status in {403, 404}, path
        assert "htmx" not in answer.text.partition("<main")[2]


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_w13_whatever_signs_a_user_name_has_its_owner_takes_part(busy_site: Site, name: str):
    busy_site.hub.accounts.add(name)
    ada, odd = busy_site.client("ada"), busy_site.bearing(busy_site.hub.token("odd", name=name))
    assert (await odd.get(f"{API}/me")).json["username"] == name
    found = (await ada.get(f"{API}/users?q={quote(name)}")).json["items"]
    assert [one["username"] for one in found] == [name]
    member = f"{GROUPS}/public/members/{quote(name, safe='')}"
    assert (await ada.put(member, {"role": "viewer"})).status == 201
    assert (await odd.get(f"{GROUPS}/public")).json["role"] == "viewer"
    assert name in soup_of(await odd.get("groups/public/people")).main.text
    assert (await ada.delete(member)).status == 204
    assert (await odd.get(f"{GROUPS}/public")).json["role"] is None


async def test_w20_what_was_refused_once_can_be_done_the_next_time(busy_site: Site):
    with busy_site.rows() as session:
        world.corner(session, "public").lab.state = LabState.STOPPING
    grace, lab = busy_site.browser("grace"), "projects/public-work/labs/bench"
    refused = await send(grace, lab, action="start")
    assert refused.status == 409
    assert soup_of(refused).select_one("main [role=alert], main .message").text.strip()
    with busy_site.rows() as session:
        world.corner(session, "public").lab.state = LabState.STOPPED
    assert landed(await send(grace, lab, action="start")).startswith(lab)


async def test_w21_editing_a_group_changes_nobodys_role(busy_site: Site):
    with busy_site.rows() as session:
        group = world.corner(session, "public").group
        grace = world.person(session, "grace")
        session.execute(delete(Membership).filter_by(group_id=group.id, person_id=grace.id))
        make.membership(session, group, grace, MemberRole.OWNER)
    answer = await busy_site.client("grace").patch(f"{GROUPS}/public", {"name": "New"})
    assert answer.status == 200
    with busy_site.rows() as session:
        group = world.corner(session, "public").group
        people = select(Person.username, Membership.role).join(Membership.person)
        rows = session.execute(people.where(Membership.group_id == group.id)).all()
    roles = {name: role.value for name, role in rows}
    assert roles == {"ada": "owner", "grace": "owner", "alan": "viewer"}


async def test_w27_what_goes_wrong_here_is_in_the_log(busy_site: Site, monkeypatch, caplog):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the reason")

    monkeypatch.setattr("sophon_hub.web.present.instance", broken)
    client = busy_site.client()
    client.contract = None
    assert (await client.get(f"{API}/instance")).status == 500
    assert "RuntimeError: the reason" in caplog.text


async def test_w30_the_next_page_is_no_address_of_another_protocol(busy_site: Site):
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hub.example.edu"}
    page = await busy_site.client("ada").get(f"{GROUPS}?limit=1", headers=forwarded)
    assert page.json["next"]
    assert "http:" not in page.text
    rest = await busy_site.client("ada").get(f"{GROUPS}?limit=1&cursor={page.json['next']}")
    assert rest.json["items"][0]["slug"] > page.json["items"][0]["slug"]


@pytest.mark.parametrize("actor", sorted(STANDINGS))
async def test_w31_who_looks_at_labs_has_nobody_asked_about_servers(busy_site: Site, actor: str):
    with busy_site.rows() as session:
        world.running(world.corner(session, "public"))
    client, labs = client_of(busy_site, actor), f"{PROJECTS}/public-work/labs"
    assert (await client.get(labs)).json["items"][0]["state"] == "running"
    for path in (f"{labs}/bench", "projects/public-work/labs/bench"):
        assert (await client.get(path)).status == 200
    # whose token it is, and nothing else
    assert set(busy_site.hub.requests) == (set() if actor == "guest" else {"/hub/api/user"})
