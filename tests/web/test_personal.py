"""My lab, through the API and on its page."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from sophon_hub.clock import utcnow
from sophon_hub.models import LabState, PersonalLab
from sophon_hub.settings import Sophon
from tests import make
from tests.web import world
from tests.web.conftest import PREFIX, Site
from tests.web.test_pages import doors, landed, send, soup_of

LAB = "api/v1/me/lab"
GIB = 1024**3


@pytest.fixture
def quotas(busy_site: Site) -> Iterator[Site]:
    """Soft 1G, hard 2G, and a second image."""
    before = busy_site.portal.settings
    images = {**before.images, "geo": {"image": "geo:1", "title": "Maps"}}
    busy_site.portal.settings = Sophon(
        data_dir=before.data_dir, home_soft_quota="1G", home_hard_quota="2G", images=images
    )
    yield busy_site
    busy_site.portal.settings = before


def put(site: Site, **values: Any) -> None:
    """Give Grace a personal lab."""
    with site.rows() as session:
        made = make.personal_lab(session, world.person(session, "grace"))
        for name, value in values.items():
            setattr(made, name, value)


def own(site: Site) -> PersonalLab:
    with site.rows() as session:
        found = session.scalars(select(PersonalLab)).one()
        session.expunge(found)
        return found


async def test_who_never_used_it_has_a_stopped_one(quotas: Site):
    assert (await quotas.client("grace").get(LAB)).json == {
        "state": "stopped",
        "message": "",
        "url": "/user/grace/lab",
        "image": "lab",
        "clean_up": False,
        "started_at": None,
        "stopped_at": None,
        "stop_reason": "",
        "stops_at": None,
        "last_activity": None,
        "restart_needed": [],
        "datasets": [],
        "disk": {
            "bytes": None,
            "trash_bytes": None,
            "measured_at": None,
            "soft_quota": GIB,
            "hard_quota": 2 * GIB,
            "state": "unknown",
        },
    }


async def test_start_and_stop_say_whether_anything_begins(quotas: Site):
    grace = quotas.client("grace")
    started = [await grace.post(f"{LAB}/start") for _ in range(2)]
    assert [answer.status for answer in started] == [202, 200]
    assert {answer.json["state"] for answer in started} == {"starting"}
    stopped = [await grace.post(f"{LAB}/stop") for _ in range(2)]
    assert [answer.status for answer in stopped] == [202, 200]
    assert (await grace.post(f"{LAB}/start")).status == 409
    assert (await grace.get("api/v1/me")).json["personal_lab"]["state"] == "stopping"


@pytest.mark.parametrize(("path", "back"), [("", ""), ("lab", "lab")])
async def test_ones_own_lab_that_is_about_to_be_stopped_is_kept_from_home_and_from_its_page(
    quotas: Site, path: str, back: str
):
    put(quotas, state=LabState.RUNNING, stops_at=utcnow() + timedelta(minutes=9))
    grace = quotas.browser("grace")
    button = soup_of(await grace.get(path)).select_one("#live button[value=keep]")
    assert button is not None
    address = str(button.find_parent("form")["action"]).removeprefix(PREFIX)

    assert landed(await send(grace, address, action="keep")) == back
    assert own(quotas).stops_at is None
    assert "keep" not in doors(await grace.get(path))
    assert (await quotas.client("grace").post(f"{LAB}/stop")).status == 202
    assert (await send(grace, address, action="keep")).status == 409


async def test_a_running_lab_says_that_a_new_image_needs_a_restart(quotas: Site):
    put(quotas, state=LabState.RUNNING, started_with={"image": None})
    grace = quotas.client("grace")
    assert (await grace.get(LAB)).json["restart_needed"] == []
    changed = await grace.patch(LAB, {"image": "geo"})
    assert changed.json["image"] == "geo"
    assert changed.json["restart_needed"] == ["the image was changed"]
    assert (await grace.patch(LAB, {"image": "sophon"})).wrong_fields == {"image"}


async def test_a_full_home_is_refused_with_a_way_out(quotas: Site):
    put(quotas, disk_bytes=2 * GIB + 1, trash_bytes=GIB, disk_measured_at=utcnow())
    grace = quotas.client("grace")
    assert (await grace.get(LAB)).json["disk"]["state"] == "full"
    refused = await grace.post(f"{LAB}/start")
    assert refused.status == 409
    assert "empty its trash" in refused.json["detail"]
    assert "2G" in refused.json["detail"]
    assert (await grace.post(f"{LAB}/empty-trash")).status == 202
    started = await grace.post(f"{LAB}/start", {"clean_up": True})
    assert started.status == 202
    assert started.json["clean_up"] is True


async def test_nobody_is_told_of_the_home_of_another(quotas: Site):
    put(quotas, disk_bytes=7)
    assert (await quotas.client("ada").get(LAB)).json["disk"]["bytes"] is None
    assert (await quotas.client("root").get(LAB)).json["disk"]["bytes"] is None


async def test_what_a_labs_home_holds_is_told_to_the_group_only(busy_site: Site):
    with busy_site.rows() as session:
        world.corner(session, "public").lab.disk_bytes = 7
    address = "api/v1/projects/public-work/labs/bench"
    assert (await busy_site.client("alan").get(address)).json["disk"]["bytes"] == 7
    assert (await busy_site.client("barbara").get(address)).json["disk"] is None
    assert (await busy_site.client().get(address)).json["disk"] is None


BENCH = "projects/private-work/labs/bench"


async def test_a_full_lab_of_a_project_is_refused_with_a_way_out(quotas: Site):
    with quotas.rows() as session:
        world.corner(session, "private").lab.disk_bytes = 2 * GIB + 1
    grace = quotas.client("grace")
    assert (await grace.get(f"api/v1/{BENCH}")).json["disk"]["state"] == "full"
    refused = await grace.post(f"api/v1/{BENCH}/start")
    assert refused.status == 409
    assert "The files of this lab take more than the 2G" in refused.json["detail"]
    assert (await grace.post(f"api/v1/{BENCH}/empty-trash")).status == 202
    started = await grace.post(f"api/v1/{BENCH}/start", {"clean_up": True})
    assert (started.status, started.json["clean_up"]) == (202, True)


@pytest.mark.parametrize(
    ("size", "said"), [(GIB, None), (GIB + 1, "does not start any more"), (2 * GIB + 1, "allows")]
)
async def test_the_page_of_a_projects_lab_warns_before_it_refuses(
    quotas: Site, size: int, said: str | None
):
    with quotas.rows() as session:
        lab = world.corner(session, "private").lab
        lab.disk_bytes, lab.trash_bytes = size, 0
    for name, may_start in (("grace", True), ("alan", False)):
        page = await quotas.browser(name).get(BENCH)
        text = soup_of(page).get_text(" ")
        for sentence in ("does not start any more", "allows"):
            assert (sentence in text) is (sentence == said)
        assert ("start" in doors(page)) is may_start
        assert ("empty-trash" in doors(page)) is may_start


@pytest.mark.parametrize("path", [BENCH, "lab"])
async def test_who_was_stopped_for_filling_the_disk_is_told_why_and_what_to_do(
    quotas: Site, path: str
):
    put(quotas, filled_disk=True)
    with quotas.rows() as session:
        world.corner(session, "private").lab.filled_disk = True
    grace = quotas.browser("grace")
    soup = soup_of(await grace.get(path))
    assert "hardly any room left" in soup.select_one(".message-danger").get_text(" ")
    assert soup.select("input[name=clean_up]")
    refused = await send(grace, path, action="start")
    assert (refused.status, "hardly any room left" in refused.text) == (409, True)
    assert landed(await send(grace, path, action="start", clean_up="true")) == f"{path}/start"


async def test_a_full_lab_of_a_project_is_started_to_clean_up_from_the_page(quotas: Site):
    with quotas.rows() as session:
        lab = world.corner(session, "private").lab
        lab.disk_bytes, lab.trash_bytes = 2 * GIB + 1, 0
    grace = quotas.browser("grace")
    assert landed(await send(grace, BENCH, action="empty-trash")) == BENCH
    refused = await send(grace, BENCH, action="start")
    assert refused.status == 409
    assert "clean up" in soup_of(refused).get_text(" ")
    started = await send(grace, BENCH, action="start", clean_up="true")
    assert landed(started) == f"{BENCH}/start"
    assert "to clean up" in soup_of(await grace.get(BENCH)).select_one(".tags").get_text()


@pytest.mark.parametrize(
    ("state", "size", "wanted"),
    [
        (LabState.STOPPED, None, {"start", "edit", "datasets"}),
        (LabState.STOPPED, 7, {"start", "edit", "empty-trash", "datasets"}),
        (LabState.STOPPED, 2 * GIB + 1, {"start", "edit", "empty-trash", "datasets"}),
        (LabState.FAILED, 7, {"start", "edit", "empty-trash", "datasets"}),
        (LabState.STARTING, None, {"start", "stop", "edit", "datasets"}),
        (LabState.RUNNING, None, {"open", "stop", "edit", "datasets"}),
        (LabState.STOPPING, None, {"edit", "datasets"}),
    ],
)
async def test_the_page_has_the_buttons_of_its_state(
    quotas: Site, state: LabState, size: int | None, wanted: set[str]
):
    put(quotas, state=state, disk_bytes=size, trash_bytes=size and 0, message="Words")
    page = await quotas.browser("grace").get("lab")
    assert doors(page) == wanted
    full = size is not None and size > 2 * GIB
    assert bool(soup_of(page).select("input[name=clean_up]")) is full


@pytest.mark.parametrize(
    ("size", "said"), [(GIB, None), (GIB + 1, "does not start any more"), (2 * GIB + 1, "allows")]
)
async def test_the_page_warns_before_it_refuses(quotas: Site, size: int, said: str | None):
    put(quotas, disk_bytes=size, trash_bytes=0)
    text = soup_of(await quotas.browser("grace").get("lab")).get_text(" ")
    for sentence in ("does not start any more", "allows"):
        assert (sentence in text) is (sentence == said)


async def test_every_button_of_the_page_does_what_it_says(quotas: Site):
    grace = quotas.browser("grace")
    assert landed(await send(grace, "lab", action="edit", image="geo")) == "lab"
    assert own(quotas).image == "geo"
    assert landed(await send(grace, "lab", action="empty-trash")) == "lab"
    assert landed(await send(grace, "lab", action="start")) == "lab/start"
    assert own(quotas).state is LabState.STARTING
    assert (await send(grace, "lab", action="open")).status == 409
    assert landed(await send(grace, "lab", action="stop")) == "lab"
    assert own(quotas).state is LabState.STOPPING


async def test_a_full_home_is_started_to_clean_up_from_the_page(quotas: Site):
    put(quotas, disk_bytes=2 * GIB + 1, trash_bytes=0)
    grace = quotas.browser("grace")
    refused = await send(grace, "lab", action="start")
    assert refused.status == 409
    assert "clean up" in soup_of(refused).get_text(" ")
    assert landed(await send(grace, "lab", action="start", clean_up="true")) == "lab/start"
    assert own(quotas).clean_up


async def test_a_running_lab_is_opened_at_the_hub(quotas: Site):
    put(quotas, state=LabState.RUNNING)
    opened = await send(quotas.browser("grace"), "lab", action="open")
    assert (opened.status, opened.headers["Location"]) == (303, "/user/grace/lab")


@pytest.mark.parametrize(
    "fields",
    [{"action": "burn"}, {}, {"action": "edit", "image": "sophon"}, {"action": "start", "x": "1"}],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    quotas: Site, fields: dict[str, str]
):
    assert (await send(quotas.browser("grace"), "lab", **fields)).status == 422
    assert quotas.count_events() == 0


async def test_an_image_that_is_not_offered_any_more_is_shown_as_such(quotas: Site):
    put(quotas, image="gone")
    page = await quotas.browser("grace").get("lab")
    assert "gone: not offered any more" in soup_of(page).get_text()


@pytest.mark.parametrize("state", list(LabState))
async def test_the_page_of_a_start_shows_each_state(quotas: Site, state: LabState):
    put(quotas, state=state, message="Some words")
    soup = soup_of(await quotas.browser("grace").get("lab/start"))
    assert bool(soup.select("[data-progress]")) is (state in (LabState.STARTING, LabState.STOPPING))
    assert bool(soup.select("[data-enter]")) is (state is LabState.STARTING)


async def test_the_navigation_leads_to_it_for_those_who_have_one(busy_site: Site):
    for name, there in ((None, False), ("grace", True)):
        client = busy_site.browser(name) if name else busy_site.client()
        nav = soup_of(await client.get("groups")).select("nav[aria-label=Main] a[href$='/lab']")
        assert bool(nav) is there
