"""The activity of the whole hub with its filters, and who entered one's labs."""

from datetime import timedelta

import pytest

from sophon_hub import audit, clock
from sophon_hub.models import LabState
from sophon_hub.policy.actor import Actor
from tests.web import world
from tests.web.conftest import Site
from tests.web.test_pages import soup_of

BENCH = "projects/public-work/labs/bench"


@pytest.fixture
async def busy(busy_site: Site) -> Site:
    """Grace has renamed a lab by a page, Ada has opened it and Root a private one."""
    with busy_site.rows() as session:
        for kind in ("public", "private"):
            world.running(world.corner(session, kind))
    grace, ada = busy_site.client("grace"), busy_site.client("ada")
    assert (await grace.patch(f"api/v1/{BENCH}", {"name": "Table"})).status == 200
    assert (await ada.post(f"api/v1/{BENCH}/open")).status == 200
    root = busy_site.client("root")
    private = BENCH.replace("public", "private")
    assert (await root.post(f"api/v1/{private}/open")).status == 200
    with busy_site.rows() as session:
        long_ago = audit.record(session, Actor(via="system"), "lab:ended", audit.Where("old/lab"))
        long_ago.at = clock.utcnow() - timedelta(days=400)
    return busy_site


FILTERS = {
    "": {"lab:edit", "lab:open", "lab:ended"},
    "actor=grace": {"lab:edit"},
    "actor=grac": set(),
    "action=lab:open": {"lab:open"},
    "action=lab": {"lab:edit", "lab:open", "lab:ended"},
    "action=la": set(),
    "action=%25": set(),
    "subject=PUBLIC": {"lab:edit", "lab:open"},
    "group=public": {"lab:edit", "lab:open"},
    "group=private": {"lab:open"},
    "group=nothing": set(),
    "group=%2F": set(),
    "via=system": {"lab:ended"},
    "until=2026-06-01": {"lab:ended"},
    "since=2999-01-01": set(),
    "since=2026-06-01T00:00:00Z&actor=ada": {"lab:open"},
    "actor=%00": set(),
    "action=%00": set(),
    "subject=%00": set(),
}


@pytest.mark.parametrize("query", FILTERS)
async def test_administrators_find_events_by_who_what_where_when_and_how(busy: Site, query: str):
    root = busy.client("root")
    found = (await root.get(f"api/v1/events?{query}")).json
    assert {one["action"] for one in found["items"]} == FILTERS[query]
    assert found["total"] == len(found["items"])
    page = soup_of(await root.get(f"events?{query}"))
    assert len(page.select(".timeline > li")) == found["total"]
    assert bool(page.select_one(".empty")) == (not FILTERS[query])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("via=mail", "via"),
        ("since=yesterday", "since"),
        ("until=2027-13-01", "until"),
        ("until=9999-12-31", "until"),
        ("actor=a&actor=b", "actor"),
        ("limit=0", "limit"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(busy: Site, query: str, field: str):
    root = busy.client("root")
    assert (await root.get(f"api/v1/events?{query}")).wrong_fields == {field}
    if field != "limit":
        assert (await root.get(f"events?{query}")).status == 422


async def test_the_filter_stays_while_turning_pages(busy: Site):
    with busy.rows() as session:
        for number in range(30):
            audit.record(session, Actor(via="cli"), "lab:edit", audit.Where(f"lens/l{number}"))
    root = busy.client("root")
    page = soup_of(await root.get("events?via=cli&subject=lens"))
    assert page.select_one("#via option[selected]")["value"] == "cli"
    link = str(page.select_one(".pager a")["href"])
    assert "via=cli" in link
    rest = soup_of(await root.get(f"events{link}"))
    assert len(rest.select(".timeline > li")) == 10


async def test_people_see_who_entered_the_labs_they_work_in_and_no_others(busy: Site):
    entries = {
        name: [
            (one["actor"], one["subject"])
            for one in (await busy.client(name).get("api/v1/me/entries")).json["items"]
        ]
        for name in ("ada", "grace", "alan", "barbara", "root")
    }
    both = [("root", "private-work/bench"), ("ada", "public-work/bench")]
    assert entries == {"ada": both, "grace": both, "alan": [], "barbara": [], "root": []}
    page = soup_of(await busy.client("grace").get("entries"))
    assert "ada opened the lab" in " ".join(page.main.text.split())
    assert "Nothing has happened yet" in (await busy.client("barbara").get("entries")).text


async def test_who_came_by_the_address_of_the_lab_is_told_with_who_says_so(busy: Site):
    with busy.rows() as session:
        lab = world.lab(session, "public-work", "bench")
        audit.record(session, Actor(username="alan", via="lab"), "lab:enter", lab, mode="watch")
    grace = busy.client("grace")
    latest = (await grace.get("api/v1/me/entries")).json["items"][0]
    assert (latest["actor"], latest["action"], latest["via"]) == ("alan", "lab:enter", "lab")
    for path in ("entries", "groups/public/events", "projects/public-work/events"):
        line = soup_of(await grace.get(path)).select_one(".timeline > li")
        told = " ".join(line.text.split())
        assert told.startswith("alan entered the lab to watch · public-work/bench"), path
        assert told.endswith("as the lab says"), path
    assert (await busy.client("root").get("api/v1/events?via=lab")).json["total"] == 1


async def test_who_only_watched_is_told_from_who_worked(busy: Site):
    alan = busy.client("alan")
    assert (await alan.post(f"api/v1/{BENCH}/open")).status == 200
    page = soup_of(await busy.client("ada").get("entries"))
    assert "alan opened the lab to watch" in " ".join(page.main.text.split())
    with busy.rows() as session:
        assert world.lab(session, "public-work", "bench").state is LabState.RUNNING
