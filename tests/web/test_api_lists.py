"""Lists: pages, cursors, totals, filters, the trash; and how often they ask the database."""

import asyncio
import base64
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from sophon_hub import audit
from sophon_hub.models import AccessMode, LabState, MemberRole, Visibility
from sophon_hub.policy.actor import Actor
from sophon_hub.store.engine import make_engine, writing
from tests import make
from tests.database import statements
from tests.web import world
from tests.web.conftest import Client, Site, load

LISTS = {
    "groups": "api/v1/groups",
    "projects": "api/v1/projects",
    "labs": "api/v1/projects/public-work/labs",
    "datasets": "api/v1/datasets",
    "members": "api/v1/groups/public/members",
    "requests": "api/v1/groups/public/requests",
    "events": "api/v1/groups/public/events",
    "events of a project": "api/v1/projects/public-work/events",
    "users": "api/v1/users?q=newcomer",
    "images": "api/v1/images",
}
KEY = {"events": "id", "events of a project": "id", "images": "name"}
KEY |= dict.fromkeys(("members", "requests", "users"), "username")


IMAGES = {f"image{number}": {"image": "x"} for number in range(8)} | {"lab": {"image": "y"}}


def grow(session: Session, numbers: range) -> None:
    """One more of everything that is listed, for each number."""
    corner = world.corner(session, "public")
    ada = corner.person("ada")
    for number in numbers:
        newcomer = make.person(session, f"newcomer{number:03}")
        make.membership(session, corner.group, newcomer, added_by=ada)
        make.request(session, corner.group, make.person(session, f"asker{number}"))
        group = make.group(session, f"g{number}")
        make.membership(session, group, ada, MemberRole.OWNER)
        make.project(session, group, f"p{number}", visibility=Visibility.INTERNAL)
        lab = make.lab(session, corner.project, f"l{number}", state=LabState.RUNNING, locked_by=ada)
        lab.dataset_uids = [make.dataset(session, f"d{number}", group=corner.group).uid]
        audit.record(session, Actor(), "test:it", corner.project)


@pytest.fixture(scope="module")
def grown(populated: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Databases with so many more of everything, to load."""
    directory = tmp_path_factory.mktemp("grown")
    files = {}
    for count in (7, 8, 40):
        files[count] = directory / f"{count}.sqlite"
        engine = make_engine(f"sqlite:///{files[count]}")
        load(engine, populated)
        with writing(engine) as session:
            grow(session, range(count))
        engine.dispose()
    return files


@pytest.fixture
def long(busy_site: Site, grown: dict[int, Path], monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site on which every list has some items."""
    load(busy_site.portal.engine, grown[7])
    monkeypatch.setattr(busy_site.portal.settings, "images", IMAGES)
    return busy_site


def paged(path: str, **arguments: object) -> str:
    given = "&".join(f"{name}={value}" for name, value in arguments.items())
    return f"{path}{'&' if '?' in path else '?'}{given}"


async def walk(client: Client, path: str, limit: int, cursor: str | None = "") -> list:
    """Every item of a list, page by page."""
    items = []
    while cursor is not None:
        answer = await client.get(paged(path, limit=limit, cursor=cursor))
        assert answer.status == 200
        assert len(answer.json["items"]) <= limit
        items += answer.json["items"]
        cursor = answer.json["next"]
    return items


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_in_pages_is_the_whole_list_in_order(long: Site, name: str):
    ada = long.client("ada")
    whole = (await ada.get(LISTS[name])).json
    assert whole["next"] is None
    assert whole["total"] == len(whole["items"]) >= 7
    keys = [item[KEY.get(name, "slug")] for item in whole["items"]]
    assert keys == sorted(set(keys), reverse=name.startswith("events"))
    for limit in (1, 3, len(keys)):
        assert await walk(ada, LISTS[name], limit) == whole["items"]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("limit", ["0", "201", "-1", "", "1.0", "1e2", "ten", "%D9%A3", "9" * 40])
async def test_a_limit_that_is_none_is_422(busy_site: Site, name: str, limit: str):
    answer = await busy_site.client("ada").get(paged(LISTS[name], limit=limit))
    assert answer.wrong_fields == {"limit"}


async def test_two_hundred_is_the_most(busy_site: Site):
    assert (await busy_site.client("ada").get(paged(LISTS["groups"], limit=200))).status == 200


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "cursor",
    ["x", "%00", "%F0%9F%92%A9", *map(encoded, ["{}", "null", "[1]", '"\\u0000"', "NaN", "-1"])],
)
async def test_a_cursor_that_no_list_gave_out_is_422(busy_site: Site, name: str, cursor: str):
    answer = await busy_site.client("ada").get(paged(LISTS[name], cursor=cursor))
    assert answer.wrong_fields == {"cursor"}


async def test_a_cursor_of_numbers_does_not_fit_names(long: Site):
    ada = long.client("ada")
    of_events = (await ada.get(paged(LISTS["events"], limit=1))).json["next"]
    assert (await ada.get(paged(LISTS["groups"], cursor=of_events))).wrong_fields == {"cursor"}


async def test_nothing_comes_twice_or_is_left_out_while_things_are_added(site: Site):
    ada = site.client("ada")

    async def add(name: str) -> None:
        assert (await ada.post(LISTS["groups"], {"name": name})).status == 201

    for number in range(6):
        await add(f"m{number}")
    first = (await ada.get(paged(LISTS["groups"], limit=3))).json
    await add("a-new-one")
    await add("z-new-one")
    rest = await walk(ada, LISTS["groups"], 2, first["next"])
    seen = [item["slug"] for item in first["items"] + rest]
    assert seen == ["m0", "m1", "m2", "m3", "m4", "m5", "z-new-one"]


async def test_totals_count_what_the_caller_may_see(busy_site: Site):
    expected = {None: 1, "barbara": 2, "alan": 3, "ada": 3, "root": 3}
    for who, count in expected.items():
        for name in ("groups", "projects"):
            answer = (await busy_site.client(who).get(paged(LISTS[name], limit=1))).json
            assert answer["total"] == count, (who, name)
            group = (await busy_site.client(who).get("api/v1/groups/public")).json
            assert group["project_count"] == 1


async def test_a_private_project_is_not_counted_for_who_does_not_see_it(busy_site: Site):
    with busy_site.rows() as session:
        make.project(session, world.corner(session, "public").group, "secret")
    for who, count in {None: 1, "barbara": 1, "alan": 2, "root": 2}.items():
        group = (await busy_site.client(who).get("api/v1/groups/public")).json
        assert group["project_count"] == count
        found = (await busy_site.client(who).get("api/v1/projects?group=public")).json
        assert found["total"] == count


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ("q=PUB", ["public"]),
        ("q=%20intern%20", ["internal"]),
        ("q=nothing", []),
        ("q=%25", []),
        ("q=_", []),
        ("q=%00", []),
        ("q=", ["internal", "private", "public"]),
        ("access=open", ["internal", "public"]),
        ("access=manual", ["private"]),
        ("mine=true", ["internal"]),
        ("mine=false", ["internal", "private", "public"]),
        ("mine=true&access=manual", []),
    ],
)
async def test_groups_are_found_by(busy_site: Site, query: str, slugs: list[str]):
    with busy_site.rows() as session:
        world.corner(session, "private").group.access = AccessMode.MANUAL
        internal = world.corner(session, "internal")
        make.membership(session, internal.group, internal.person("root"))
    found = (await busy_site.client("root").get(f"{LISTS['groups']}?{query}")).json
    assert [group["slug"] for group in found["items"]] == slugs
    assert found["total"] == len(slugs)


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ("q=work", ["internal-work", "private-work", "public-work"]),
        ("visibility=private", ["private-work"]),
        ("visibility=public", ["public-work"]),
        ("group=internal", ["internal-work"]),
        ("group=nowhere", []),
        ("group=INTERNAL", []),
        ("group=%00", []),
        ("mine=true", ["internal-work", "private-work", "public-work"]),
        ("mine=true&group=public&visibility=public&q=pub", ["public-work"]),
    ],
)
async def test_projects_are_found_by(busy_site: Site, query: str, slugs: list[str]):
    found = (await busy_site.client("alan").get(f"{LISTS['projects']}?{query}")).json
    assert [project["slug"] for project in found["items"]] == slugs


async def test_what_guests_call_theirs_is_nothing(busy_site: Site):
    for name in ("groups", "projects"):
        assert (await busy_site.client().get(f"{LISTS[name]}?mine=true")).json["total"] == 0


async def test_a_hidden_group_finds_nothing_though_its_name_is_known(busy_site: Site):
    found = await busy_site.client("barbara").get("api/v1/projects?group=private")
    assert found.json == {"items": [], "next": None, "total": 0}


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("groups", world.group_in_trash),
        ("projects", world.project_in_trash),
        ("projects/public-work/labs", world.lab_in_trash),
    ],
)
async def test_the_trash_is_listed_for_owners_and_admins(busy_site: Site, path: str, given):
    with busy_site.rows() as session:
        given(world.corner(session, "public"))
    for who in (None, "barbara", "alan", "grace", "ada", "root"):
        client = busy_site.client(who)
        trash = (await client.get(f"api/v1/{path}?trash=true")).json
        assert trash["total"] == len(trash["items"]) == (1 if who in {"ada", "root"} else 0)
        assert all(item["deleted_at"] for item in trash["items"])
        there = (await client.get(f"api/v1/{path}")).json
        assert all(item["deleted_at"] is None for item in there["items"])
        assert not {str(item["slug"]) for item in trash["items"]} & {
            str(item["slug"]) for item in there["items"]
        }


async def test_users_are_searched_by_signed_in_people_with_two_letters(busy_site: Site):
    assert (await busy_site.client().get("api/v1/users?q=ada")).status == 401
    grace = busy_site.client("grace")
    for query in ("", "q=", "q=a", "q=%20a%20"):
        assert (await grace.get(f"api/v1/users?{query}")).wrong_fields == {"q"}
    found = (await grace.get("api/v1/users?q=AD")).json
    assert found["items"] == [{"username": "ada", "display_name": "Ada"}]


async def test_no_answer_has_an_email_address(site: Site):
    hub = site.hub
    info = {"display_name": "Ada", "email": "ada@example.org", "mail": "ada@example.org"}
    token = hub.token("ada", user_info=info, email="ada@example.org")
    ada = site.bearing(token)
    await ada.post("api/v1/groups", {"name": "Optics"})
    for path in ("me", "users?q=ada", "groups/optics/members", "groups/optics/events"):
        assert "example.org" not in (await ada.get(f"api/v1/{path}")).text


DETAIL = {
    "group": "api/v1/groups/public",
    "project": "api/v1/projects/public-work",
    "lab": "api/v1/projects/public-work/labs/bench",
    "dataset": "api/v1/datasets/public-data",
    "me": "api/v1/me",
}
MOST_STATEMENTS = {"labs": 5}
"""Labs are asked for their datasets with one more."""


@pytest.mark.parametrize("who", [None, "barbara", "grace", "ada", "root"])
@pytest.mark.parametrize("name", ["groups", "projects", "labs", "datasets", *DETAIL])
async def test_no_read_asks_the_database_more_often_when_there_is_more(
    long: Site, grown: dict[int, Path], name: str, who: str | None
):
    client = long.client(who)
    path = LISTS.get(name) or DETAIL[name]
    await client.get(path)
    counts = []
    for count in (8, 40):
        load(long.portal.engine, grown[count])
        with statements(long.portal.engine) as seen:
            assert (await client.get(path)).status == 200
        counts.append(len(seen))
    assert counts[0] == counts[1] <= MOST_STATEMENTS.get(name, 4)


async def test_lists_are_whole_while_others_write(site_on_any: Site):
    ada = site_on_any.client("ada")

    async def add(number: int) -> None:
        assert (await ada.post(LISTS["groups"], {"name": f"n{number}"})).status == 201

    writers = [asyncio.ensure_future(add(number)) for number in range(8)]
    seen: set[str] = set()
    while not all(writer.done() for writer in writers):
        page = (await ada.get(LISTS["groups"])).json
        assert page["total"] == len(page["items"])
        slugs = {item["slug"] for item in page["items"]}
        assert slugs >= seen
        seen = slugs
    await asyncio.gather(*writers)
    assert (await ada.get(LISTS["groups"])).json["total"] == 8
