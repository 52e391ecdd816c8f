"""What is on pages, and that it works: nobody is shown a button that does nothing for them."""

from urllib.parse import urljoin

import pytest

from sophon_hub import clock
from sophon_hub.models import LabState
from tests.web import world
from tests.web.conftest import PREFIX
from tests.web.test_pages import (
    EVERYBODY,
    GROUP,
    LAB,
    PROJECT,
    client_of,
    doors,
    landed,
    send,
    soup_of,
)

GROUP_DOORS = {
    "guest": set(),
    "barbara": {"join"},
    "alan": {"leave"},
    "grace": {"leave", "new", "events"},
    "ada": {"new", "events", "edit"},  # its only owner stays
    "root": {"join", "new", "events", "edit"},
}
PROJECT_DOORS = {
    "guest": set(),
    "barbara": set(),
    "alan": set(),
    "grace": {"new", "edit", "material", "events", "start"},
    "ada": {"new", "edit", "material", "events", "start"},
    "root": {"new", "edit", "material", "events", "start"},
}
LAB_DOORS = {
    "guest": set(),
    "barbara": set(),
    "alan": {"look"},
    "grace": {"start", "edit", "lock", "datasets", "publish", "look"},
    "ada": {"start", "edit", "lock", "datasets", "publish", "look"},
    "root": {"start", "edit", "lock", "datasets", "publish", "look"},
}
RUNNING_DOORS = {
    name: found - {"start"} | {"open", "stop"} if found else found
    for name, found in LAB_DOORS.items()
} | {"alan": {"open", "look"}}
LOCKED_DOORS = {
    "guest": set(),
    "barbara": set(),
    "alan": {"look"},
    "grace": {"start", "edit", "unlock", "datasets", "publish", "look"},
    "ada": {"unlock", "look"},
    "root": {"unlock", "look"},
}
LOCKED_RUNNING_DOORS = {
    "guest": set(),
    "barbara": set(),
    "alan": {"open", "look"},
    "grace": {"open", "stop", "edit", "unlock", "datasets", "publish", "look"},
    "ada": {"open", "unlock", "look"},
    "root": {"open", "unlock", "look"},
}
PEOPLE_DOORS = {
    "barbara": set(),
    "alan": set(),
    "grace": set(),
    "ada": {"add", "change", "remove", "requests"},
    "root": {"add", "change", "remove", "requests"},
}
DATASET_DOORS = {
    "guest": set(),
    "barbara": set(),
    "alan": set(),
    "grace": {"edit", "verify", "refresh"},
    "ada": {"edit", "verify", "refresh", "delete"},
    "root": {"edit", "verify", "refresh", "delete"},
}
RESTORE_DOORS = {"ada": {"restore"}, "root": {"restore"}}

ON_PAGES = [
    ("groups/public", GROUP_DOORS, world.as_it_is),
    ("projects/public-work", PROJECT_DOORS, world.as_it_is),
    ("projects/public-work/labs/bench", LAB_DOORS, world.as_it_is),
    ("projects/public-work/labs/bench", RUNNING_DOORS, world.running),
    ("projects/public-work/labs/bench", LOCKED_DOORS, world.locked_by_grace),
    ("projects/public-work/labs/bench", LOCKED_RUNNING_DOORS, world.running_and_locked_by_grace),
    ("groups/public/people", PEOPLE_DOORS, world.as_it_is),
    ("projects/public-work/labs/bench", RESTORE_DOORS, world.lab_in_trash),
    ("datasets/public-data", DATASET_DOORS, world.as_it_is),
    ("datasets/public-data", RESTORE_DOORS, world.dataset_in_trash),
]


@pytest.mark.parametrize(("path", "expected", "state"), ON_PAGES)
async def test_people_are_offered_what_they_may_do(busy_site, path, expected, state):
    with busy_site.rows() as session:
        state(world.corner(session, "public"))
    for name, wanted in expected.items():
        answer = await client_of(busy_site, name).get(path)
        assert answer.status == 200
        assert doors(answer) == wanted, name


@pytest.mark.parametrize("name", EVERYBODY)
async def test_every_link_on_every_page_leads_somewhere(busy_site, name):
    client = client_of(busy_site, name)
    todo, seen = [""], set()
    while todo:
        path = todo.pop()
        answer = await client.get(path)
        assert answer.status == 200, path
        for link in soup_of(answer).select("a[href]"):
            address = urljoin(f"{PREFIX}{path}", str(link["href"])).partition("#")[0]
            below = address.removeprefix(PREFIX)
            is_page = address.startswith(PREFIX) and not below.startswith(("log", "static"))
            if is_page and below not in seen:
                seen.add(below)
                todo.append(below)
    assert len(seen) > 5


STATES = [world.as_it_is, world.running, world.locked_by_grace, world.taking_requests]


@pytest.mark.parametrize("name", EVERYBODY)
@pytest.mark.parametrize("path", ["groups/public", "projects/public-work", LAB, f"{GROUP}/people"])
@pytest.mark.parametrize("state", STATES)
async def test_every_button_on_a_page_works(busy_site, path, name, state):
    with busy_site.rows() as session:
        state(world.corner(session, "public"))
        state(world.corner(session, "private"))
    client = client_of(busy_site, name)
    page = await client.get(path)
    if page.status != 200:
        return
    for form in soup_of(page).select("main form[method=post]"):
        fields = {str(one["name"]): str(one.get("value", "")) for one in form.select("input[name]")}
        fields |= {
            str(one["name"]): str((one.select_one("option[selected]") or one.option)["value"])
            for one in form.select("select[name]")
        }
        button = form.select_one("button[name=action]")
        if button["value"] == "add":
            fields["username"] = "charles"
            busy_site.hub.accounts.add("charles")
        address = str(form.get("action") or f"{PREFIX}{path}").removeprefix(PREFIX)
        answer = await send(client, address, action=str(button["value"]), **fields)
        # what an earlier button did may stand in the way of a later one, but nothing is refused
        assert answer.status in {303, 404, 409}, (button["value"], answer.text)


async def test_opening_a_running_lab_leads_into_it(busy_site):
    with busy_site.rows() as session:
        world.running(world.corner(session, "private"))
    answer = await send(busy_site.client("grace"), LAB, action="open")
    assert answer.headers["Location"] == "/user/project-private-work/bench/lab/workspaces/grace"


async def test_starting_leads_to_the_progress_and_stopping_back_to_the_lab(busy_site):
    grace = busy_site.client("grace")
    assert landed(await send(grace, LAB, action="start")) == f"{LAB}/start"
    page = await grace.get(f"{LAB}/start")
    assert "is starting" in soup_of(page).h1.text
    assert 'http-equiv="refresh"' in page.text
    with busy_site.rows() as session:
        assert world.corner(session, "private").lab.state is LabState.STARTING
    assert landed(await send(grace, LAB, action="stop")) == LAB


async def test_a_script_that_has_the_newest_state_hears_nothing(busy_site):
    grace = busy_site.client("grace")
    for path in ("", PROJECT, LAB):
        live = soup_of(await grace.get(path)).select_one("#live")
        mark = str(live["hx-get"]).rpartition("?seen=")[2]
        asked = f"{path}?seen={mark}"
        assert (await grace.get(asked, headers={"HX-Request": "true"})).status == 204
        assert (await grace.get(asked)).status == 200
        with busy_site.rows() as session:
            world.running(world.corner(session, "private"))
        assert (await grace.get(asked, headers={"HX-Request": "true"})).status == 200
        with busy_site.rows() as session:
            world.corner(session, "private").lab.state = LabState.STOPPED


PEOPLE = [
    {"username": f"p{n}", "display_name": f"Person <{n}>", "watching": n == 1} for n in range(7)
]


@pytest.mark.parametrize("path", ["", PROJECT, LAB])
async def test_who_is_in_a_lab_is_shown_live_to_the_people_of_the_group(busy_site, path):
    grace = busy_site.client("grace")
    with busy_site.rows() as session:
        lab = world.corner(session, "private").lab
        lab.state = LabState.RUNNING
    live = soup_of(await grace.get(path)).select_one("#live")
    assert "Person" not in live.text
    mark = str(live["hx-get"]).rpartition("?seen=")[2]
    with busy_site.rows() as session:
        world.corner(session, "private").lab.people = PEOPLE

    answer = await grace.get(f"{path}?seen={mark}", headers={"HX-Request": "true"})

    assert answer.status == 200
    shown = " ".join(soup_of(answer).select_one("#live").text.split())
    assert "Person <0> Person <1> (watching) Person <2>" in shown
    assert ("Person <6>" in shown) is (path == LAB)
    assert ("and 2 more" in shown) is (path != LAB)


@pytest.mark.parametrize("path", ["projects/public-work", "projects/public-work/labs/bench"])
async def test_strangers_do_not_see_who_is_in_a_lab_or_started_it(busy_site, path):
    with busy_site.rows() as session:
        corner = world.corner(session, "public")
        corner.lab.state, corner.lab.people = LabState.RUNNING, PEOPLE
        corner.lab.started_by_id, corner.lab.started_at = corner.person("ada").id, clock.utcnow()
    signs = ("Person", "In the lab now", "Started")
    seen = (await busy_site.client("alan").get(path)).text
    assert any(sign in seen for sign in signs)
    for stranger in (None, "barbara"):
        text = (await busy_site.client(stranger).get(path)).text
        assert not any(sign in text for sign in signs), stranger


@pytest.mark.parametrize("path", ["groups/public", LAB, PROJECT, f"{GROUP}/people"])
async def test_a_button_that_is_none_is_refused(busy_site, path):
    assert (await send(busy_site.client("ada"), path, action="explode")).status == 422


async def test_a_move_into_a_stricter_group_asks_first(busy_site):
    with busy_site.rows() as session:
        world.corner(session, "public")
    ada, path = busy_site.client("ada"), "projects/public-work/edit"
    for nowhere in ({}, {"group": ""}, {"group": "nothing"}):
        refused = await send(ada, path, action="move", **nowhere)
        assert refused.status == 422
        assert soup_of(refused).select_one("#group-error")
    asked = await send(ada, path, action="move", group="private")
    assert asked.status == 409
    form = soup_of(asked).select_one("#move form")
    assert form.select_one("input[name=visibility]")["value"] == "private"
    assert form.select_one("input[name=group][checked]")["value"] == "private"
    done = await send(ada, path, action="move", group="private", visibility="private")
    assert landed(done) == "projects/public-work"


async def test_visibilities_that_the_group_forbids_are_not_offered(busy_site):
    ada = busy_site.client("ada")
    for path in ("projects/new?group=internal", "projects/internal-work/edit"):
        found = soup_of(await ada.get(path)).select("input[name=visibility][type=radio]")
        assert [one["value"] for one in found] == ["internal", "private"]


@pytest.mark.parametrize(
    ("path", "word"), [("groups/private", "private"), (PROJECT, "private-work"), (LAB, "bench")]
)
async def test_deleting_takes_the_typed_address(busy_site, path, word):
    ada = busy_site.client("ada")
    wrong = await send(ada, f"{path}/delete", address="something")
    assert wrong.status == 422
    assert f"Type {word}" in soup_of(wrong).select_one("#address-error").text
    assert landed(await send(ada, f"{path}/delete", address=f" {word} ")) in {"trash", PROJECT}
    assert doors(await ada.get(path)) >= {"restore"}
    assert landed(await send(ada, path, action="restore")) == path


async def test_the_trash_shows_what_one_owns(busy_site):
    with busy_site.rows() as session:
        world.group_in_trash(world.corner(session, "private"))
    assert "Private" in (await busy_site.client("ada").get("trash")).text
    assert "Private" not in soup_of(await busy_site.client("grace").get("trash")).main.text
