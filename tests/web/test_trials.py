"""Trying public projects: the owners' switch, the visitors' button, and who is refused."""

from collections.abc import Iterator
from urllib.robotparser import RobotFileParser

import pytest
from sqlalchemy import select

from sophon_hub.actions.keeping import note_kept
from sophon_hub.actions.temporary import note_brought
from sophon_hub.models import Material, ResearchProject, TemporaryLab, TemporaryState, Visibility
from tests import make
from tests.web import world
from tests.web.conftest import PREFIX, Answer, Client, Site
from tests.web.test_pages import doors, landed, send, soup_of
from tests.web.test_temporary import Visitor, fill, labs, told, two_labs, waiting

PROJECT = "projects/public-work"
PAGE = f"{PROJECT}/material"
MATERIAL = f"api/v1/{PAGE}"


@pytest.fixture
def tried(busy_site: Site) -> Iterator[Site]:
    """A site with two labs that wait for visitors, and a public project that offers material."""
    with busy_site.rows() as session:
        corner = world.corner(session, "public")
        make.material(session, corner.project, lab_uid=corner.lab.uid, for_visitors=True)
    with two_labs(busy_site):
        fill(busy_site)
        yield busy_site


def brought(site: Site, folder: str = "", trouble: str = "") -> None:
    """What the worker says of the only visitor's wish."""
    with site.rows() as session:
        lab = session.scalars(select(TemporaryLab).filter_by(state=TemporaryState.CLAIMED)).one()
        assert lab.wish_id
        note_brought(session, lab.name, lab.wish_id, folder=folder, trouble=trouble)


def wishes(site: Site) -> list[str]:
    """Slugs of the projects that visitors want in their labs."""
    with site.rows() as session:
        query = select(ResearchProject.slug).join(
            TemporaryLab, TemporaryLab.wish_id == ResearchProject.id
        )
        return list(session.scalars(query))


async def press(visitor: Visitor, slug: str = "public-work") -> str:
    """Press the button of a project; where that leads."""
    return landed(await visitor.press(project=slug))


# the switch


async def test_a_member_lets_visitors_try_and_the_project_gets_a_button(tried: Site):
    grace = tried.browser("grace")
    assert await tried.client("grace").patch(MATERIAL, {"for_visitors": False})
    assert "start" not in doors(await tried.client().get(PROJECT))
    page = await grace.get(PAGE)
    assert "visitors" in doors(page)
    assert "Let visitors try it" in told(page)
    assert landed(await send(grace, PAGE, action="visitors", for_visitors="true")) == PAGE
    assert "Anybody, without an account" in told(await grace.get(PAGE))
    assert "start" in doors(await tried.client().get(PROJECT))
    assert "start" in doors(await tried.client().get(PAGE))
    assert landed(await send(grace, PAGE, action="visitors", for_visitors="")) == PAGE
    assert "start" not in doors(await tried.client().get(PROJECT))
    text = told(await grace.get(f"{PROJECT}/events"))
    assert "let visitors try the material" in text
    assert "let visitors try the material no longer" in text


async def test_who_may_not_edit_the_project_has_no_switch(tried: Site):
    for name in ("alan", "barbara"):
        browser = tried.browser(name)
        assert "visitors" not in doors(await browser.get(PAGE))
        answer = await send(browser, PAGE, action="visitors", for_visitors="")
        assert answer.status == 403
        assert (await tried.client(name).patch(MATERIAL, {"for_visitors": False})).status == 403
    assert (await tried.client().get(MATERIAL)).json["for_visitors"] is True


async def test_where_it_cannot_be_tried_the_switch_says_why(tried: Site):
    tried.portal.settings.temporary_material_size = "200"
    page = await tried.browser("grace").get(PAGE)
    assert "cannot try it just now" in told(page)
    assert "holds more than 200" in told(page)
    found = (await tried.client("ada").get(MATERIAL)).json
    assert "holds more than 200" in found["visitors_message"]
    assert "start" not in doors(await tried.client().get(PROJECT))
    await tried.client("grace").patch(MATERIAL, {"for_visitors": False})
    page = await tried.browser("grace").get(PAGE)
    assert "visitors" not in doors(page)
    assert "holds more than 200" in told(page)
    refused = await tried.client("grace").patch(MATERIAL, {"for_visitors": True})
    assert refused.status == 409
    assert "holds more than 200" in refused.json["detail"]


async def test_a_switch_takes_true_or_false(tried: Site):
    grace = tried.client("grace")
    assert (await grace.patch(MATERIAL, {})).wrong_fields == {"for_visitors"}
    assert (await grace.patch(MATERIAL, {"for_visitors": "no"})).wrong_fields == {"for_visitors"}
    page = await send(tried.browser("grace"), PAGE, action="visitors", for_visitors="perhaps")
    assert page.status == 422


async def test_where_there_are_no_temporary_labs_nobody_hears_of_visitors(busy_site: Site):
    with busy_site.rows() as session:
        world.material_in_homes(world.corner(session, "public"))
    assert "visitors" not in doors(await busy_site.browser("grace").get(PAGE))


# the button


async def test_the_button_leads_into_a_lab_with_the_notebooks(tried: Site):
    visitor = Visitor(tried)
    assert await press(visitor) == "try?enter=true"
    assert wishes(tried) == ["public-work"]
    page = await visitor.look("try?enter=true")
    assert page.status == 200
    assert "being copied into it" in told(page)
    assert soup_of(page).select_one('meta[http-equiv="refresh"]')
    brought(tried, folder="public-work (2)")
    entered = await visitor.look("try?enter=true")
    assert entered.status == 303
    assert entered.headers["Location"].startswith("/user/tmp-")
    assert entered.headers["Location"].endswith("/lab/tree/public-work%20%282%29")
    page = await visitor.look()
    assert "in the folder “public-work (2)”" in told(page)


async def test_who_has_the_notebooks_is_led_to_them_again(tried: Site):
    visitor = Visitor(tried)
    await press(visitor)
    brought(tried, folder="public-work")
    assert (await press(visitor)).endswith("/lab")
    link = soup_of(await visitor.look()).select_one("main a.btn-primary")
    assert str(link["href"]).endswith("/lab/tree/public-work")


async def test_a_copy_that_failed_is_told_and_the_lab_is_there(tried: Site):
    visitor = Visitor(tried)
    await press(visitor)
    brought(tried, trouble="There was no room for <b>it</b>.")
    for path in ("try?enter=true", "try"):
        page = await visitor.look(path)
        assert page.status == 200
        assert "There was no room for <b>it</b>. The lab is there all the same." in told(page)
        link = soup_of(page).select_one("main a.btn-primary")
        assert str(link["href"]).endswith("/lab")
    assert await press(visitor) == "try?enter=true"


async def test_who_waits_for_a_lab_waits_for_one_with_the_notebooks(tried: Site):
    others = [Visitor(tried) for _ in range(2)]
    for other in others:
        await other.press()
    visitor = Visitor(tried)
    assert await press(visitor) == "try"
    await others[0].press("end")
    with tried.rows() as session:
        for lab in session.scalars(select(TemporaryLab).filter_by(state=TemporaryState.ENDING)):
            session.delete(lab)
    fill(tried)
    assert landed(await visitor.look()) == "try?enter=true"
    assert wishes(tried) == ["public-work"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_at_a_project_takes_nothing(tried: Site, method: str):
    for path in (PROJECT, PAGE, "try?project=public-work&action=start&enter=true"):
        answer = await Visitor(tried).look(path, method)
        assert answer.status == 200
        assert "sophon-visit" not in str(answer.headers)
    assert labs(tried) == [TemporaryState.READY] * 2
    assert waiting(tried) == 0


@pytest.mark.parametrize("slug", ["internal-work", "private-work", "nothing", "No slug", "../x"])
async def test_a_project_that_cannot_be_tried_is_not_there_and_costs_nothing(
    tried: Site, slug: str
):
    with tried.rows() as session:
        for visibility in ("internal", "private"):
            corner = world.corner(session, visibility)
            make.material(session, corner.project, for_visitors=True)
    tried.portal.settings.temporary_claims = 1
    visitor = Visitor(tried)
    answers = {slug: await visitor.press(project=slug) for slug in (slug, "missing", slug)}
    assert {answer.status for answer in answers.values()} == {404}
    assert len({told(answer) for answer in answers.values()}) == 1
    assert labs(tried) == [TemporaryState.READY] * 2
    assert await press(visitor) == "try?enter=true"


@pytest.mark.parametrize("how", ["hidden", "deleted", "withheld", "removed", "grown"])
async def test_what_is_withdrawn_cannot_be_tried_any_more(tried: Site, how: str):
    visitor = Visitor(tried)
    await visitor.look(PROJECT)
    with tried.rows() as session:
        corner = world.corner(session, "public")
        material = session.scalars(select(Material)).one()
        if how == "hidden":
            corner.project.visibility = Visibility.INTERNAL
        elif how == "deleted":
            world.project_in_trash(corner)
        elif how == "withheld":
            material.for_visitors = False
        elif how == "removed":
            session.delete(material)
        else:
            material.size_bytes = 51 * 1024**2
    assert (await visitor.press(project="public-work")).status == 404
    page = await visitor.look(PROJECT)
    assert page.status == 404 or "start" not in doors(page)
    assert labs(tried) == [TemporaryState.READY] * 2


async def test_who_is_signed_in_has_the_material_and_no_temporary_lab(tried: Site):
    barbara = tried.browser("barbara")
    page = await barbara.get(PROJECT)
    assert "start" not in doors(page)
    assert "material" in doors(page)
    answer = await send(barbara, "try", action="start", project="public-work")
    assert answer.status == 409
    assert labs(tried) == [TemporaryState.READY] * 2


async def test_what_another_site_sends_does_not_try_a_project(tried: Site):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"action=start&project=public-work"
    answer = await Visitor(tried).client().post("try", body=body, headers=form)
    assert answer.status == 403
    assert labs(tried) == [TemporaryState.READY] * 2


async def test_the_button_of_a_project_is_within_the_frame_of_forms(tried: Site):
    """It leads to the page of visitors, on every page that has it."""
    for path in (PROJECT, PAGE):
        form = soup_of(await tried.client().get(path)).select_one(f"form[action='{PREFIX}try']")
        assert form is not None
        assert form.select_one("input[name=project]")["value"] == "public-work"


# the same by the API


VISIT = "api/v1/temporary/visit"


async def call(visitor: Visitor, method: str, body: object = None) -> Answer:
    return visitor.keep(await visitor.client().request(method, VISIT, body))


async def test_a_script_takes_a_lab_and_leaves_it(tried: Site):
    visitor = Visitor(tried)
    taken = await call(visitor, "POST", {"project": None})
    assert (taken.status, taken.json["state"], taken.json["folder"]) == (200, "ready", None)
    assert taken.json["url"].startswith("/user/tmp-")
    assert taken.json["idle_ends_at"] < taken.json["ends_at"]
    assert (await call(visitor, "POST", {"project": None})).json == taken.json
    assert (await call(visitor, "GET")).json == taken.json
    assert "ends_at" not in (await Visitor(tried).look(VISIT)).text
    head = await call(visitor, "HEAD")
    assert (head.status, head.text) == (200, "")
    assert labs(tried) == [TemporaryState.CLAIMED, TemporaryState.READY]
    assert (await call(visitor, "DELETE")).status == 204
    assert (await call(visitor, "GET")).status == 404
    assert labs(tried) == [TemporaryState.ENDING, TemporaryState.READY]


async def test_a_script_tries_a_project(tried: Site):
    visitor = Visitor(tried)
    taken = await call(visitor, "POST", {"project": "public-work"})
    assert (taken.status, taken.json["state"]) == (200, "filling")
    brought(tried, folder="public-work")
    shown = (await call(visitor, "GET")).json
    assert (shown["state"], shown["folder"]) == ("ready", "public-work")
    assert shown["url"].endswith("/lab/tree/public-work")
    assert (await call(Visitor(tried), "POST", {"project": "internal-work"})).status == 404


async def test_a_script_that_waits_is_told_when_to_ask_again_and_keeps_its_place(tried: Site):
    for _ in range(2):
        await call(Visitor(tried), "POST", {"project": None})
    first, second = Visitor(tried), Visitor(tried)
    for visitor, place in ((first, 1), (second, 2), (first, 1)):
        answer = await call(visitor, "POST", {"project": None})
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "All temporary labs are in use" in answer.json["detail"]
        shown = (await call(visitor, "GET")).json
        assert (shown["state"], shown["place"], shown["url"]) == ("waiting", place, None)
    assert (await call(first, "DELETE")).status == 204
    assert waiting(tried) == 1


async def test_a_script_is_told_that_a_lab_is_being_started(tried: Site):
    with tried.rows() as session:
        for lab in session.scalars(select(TemporaryLab)):
            session.delete(lab)
    answer = await call(Visitor(tried), "POST", {"project": None})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert "being started" in answer.json["detail"]


async def test_a_script_that_asks_too_often_is_told_when_to_come_again(tried: Site):
    tried.portal.settings.temporary_claims = 1
    assert (await call(Visitor(tried), "POST", {"project": None})).status == 200
    answer = await call(Visitor(tried), "POST", {"project": None})
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert labs(tried) == [TemporaryState.CLAIMED, TemporaryState.READY]


async def test_what_a_browser_sends_for_another_site_takes_no_lab_by_the_api(tried: Site):
    """A form of any site can send an empty body, or one that is no JSON."""
    client = Visitor(tried).client()
    assert (await client.post(VISIT)).wrong_fields == {"project"}
    form = {"Content-Type": "text/plain"}
    answer = await client.post(VISIT, body=b'{"project": null}', headers=form)
    assert answer.status == 415
    assert labs(tried) == [TemporaryState.READY] * 2


async def test_who_is_signed_in_takes_no_lab_by_the_api(tried: Site):
    answer = await tried.client("barbara").post(VISIT, {"project": None})
    assert answer.status == 409
    assert labs(tried) == [TemporaryState.READY] * 2


async def test_crawlers_are_asked_to_leave_labs_and_what_gives_them_alone(site: Site):
    root = Client(site.url.removesuffix(PREFIX))
    for method in ("GET", "HEAD"):
        answer = await root.request(method, "/robots.txt")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain")
    answer = await root.get("/robots.txt")
    rules = RobotFileParser()
    rules.parse(answer.text.splitlines())
    for path in (f"{PREFIX}try", "/user/tmp-x/lab", "/hub/login", f"{PREFIX}api/v1/temporary"):
        assert not rules.can_fetch("anybot", path), path
    for path in (PREFIX, f"{PREFIX}projects/optics", f"{PREFIX}lessons"):
        assert rules.can_fetch("anybot", path), path


async def test_a_script_keeps_the_work_of_a_visit_in_a_new_project(tried: Site):
    visitor = Visitor(tried)
    await call(visitor, "POST", {"project": None})
    grace = tried.client("grace")
    grace.headers["Cookie"] = f"sophon-visit={visitor.jar['sophon-visit']}"

    async def keep(**wish: object) -> Answer:
        return await grace.post(f"{VISIT}/keep", wish)

    assert (await visitor.client().post(f"{VISIT}/keep", {})).status == 401
    assert (await keep(group="public")).wrong_fields == {"name"}
    assert (await keep(name="Kept")).wrong_fields == {"group"}
    assert (await keep(group="unheard-of", name="Kept")).wrong_fields == {"group"}
    began = await keep(group="public", name="Kept")
    assert (began.status, began.json["keeping"]) == (202, True)
    assert began.json["kept_as"].startswith("From a temporary lab ")
    assert (await keep()).status == 409
    with tried.rows() as session:
        note_kept(session, began.json["url"].split("/")[-2], folder="x")
    shown = (await grace.get(VISIT)).json
    assert (shown["keeping"], shown["kept_as"], shown["keep_message"]) == (False, "x", "")
    assert (await keep(again=True)).status == 202
    assert (await grace.get("api/v1/projects/kept/labs/lab")).json["state"] == "starting"
