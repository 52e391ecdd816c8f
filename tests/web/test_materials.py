"""Course material through the API and on pages."""

from typing import Any

import pytest
from sqlalchemy import select

from sophon_hub.models import (
    DatasetState,
    Delivery,
    DeliveryState,
    DeliveryVerb,
    Material,
    MaterialKind,
    PersonalLab,
)
from tests.web import world
from tests.web.conftest import Site
from tests.web.test_pages import doors, landed, send, soup_of

MATERIAL = "api/v1/projects/public-work/material"
PAGE = "projects/public-work/material"
URL = "https://git.example.org/course.git"


@pytest.fixture
def taught(busy_site: Site) -> Site:
    """A site whose public project has material, which everybody has got."""
    with busy_site.rows() as session:
        world.material_in_homes(world.corner(session, "public"))
    return busy_site


def change(site: Site, table: type[Material] | type[Delivery], /, **values: Any) -> None:
    with site.rows() as session:
        for row in session.scalars(select(table)):
            for name, value in values.items():
                setattr(row, name, value)


async def test_material_is_shown_with_its_source_only_to_those_who_may_change_it(taught: Site):
    found = (await taught.client("grace").get(MATERIAL)).json
    assert found.pop("published_at").endswith("Z")
    assert found == {
        "kind": "folder",
        "location": "course",
        "branch": "",
        "lab": "bench",
        "state": "ready",
        "message": "",
        "version": 1,
        "file_count": 2,
        "size_bytes": 300,
        "folder": "public-work",
        "for_visitors": False,
        "visitors_message": "This hub has no temporary labs for visitors.",
    }
    change(taught, Material, state=DatasetState.FAILED, message="There is no folder course.")
    for name in ("alan", "barbara", None):
        found = (await taught.client(name).get(MATERIAL)).json
        assert (found["location"], found["branch"], found["lab"]) == (None, None, None)
        assert (found["message"], found["visitors_message"]) == ("", "")
    assert "no folder" in (await taught.client("ada").get(MATERIAL)).json["message"]


async def test_what_became_of_ones_own_files_is_told_to_oneself(taught: Site):
    found = (await taught.client("barbara").get(f"{MATERIAL}/delivery")).json
    assert (found["state"], found["version"], found["can_undo"]) == ("done", 1, True)
    assert found["counts"] == {"conflict": 1, "kept": 1, "added": 2, "deleted": 1}
    assert found["files"][0] == {
        "path": "week 1/intro.ipynb",
        "became": "conflict",
        "other_name": "intro.new-2026-11-22.ipynb",
    }


async def test_who_never_got_it_is_told_so(busy_site: Site):
    found = (await busy_site.client("barbara").get(f"{MATERIAL}/delivery")).json
    assert (found["state"], found["files"], found["counts"]) == ("never", [], {})
    assert (await busy_site.client("barbara").get(MATERIAL)).status == 404


async def test_asking_through_the_api_does_not_wait(taught: Site):
    grace = taught.client("grace")
    asked = await grace.post(f"{MATERIAL}/delivery/fresh", {"path": "notes.md"})
    assert asked.status == 202
    assert (asked.json["state"], asked.json["verb"], asked.json["path"]) == (
        "waiting",
        "fresh",
        "notes.md",
    )
    assert (await grace.post(f"{MATERIAL}/delivery")).status == 409


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "folder", "lab": "bench", "folder": "../x"}, "folder"),
        ({"kind": "folder", "lab": "nothing", "folder": "x"}, "lab"),
        ({"kind": "repository", "url": "file:///etc"}, "url"),
        ({"kind": "repository", "url": URL, "branch": "-x"}, "branch"),
        ({"kind": "floppy"}, "kind"),
    ],
)
async def test_a_source_that_cannot_be_is_refused_by_api_and_page(
    busy_site: Site, fields: dict[str, str], wrong: str
):
    answer = await busy_site.client("grace").put(MATERIAL, fields)
    assert answer.wrong_fields == {wrong}
    page = await send(busy_site.browser("grace"), f"{PAGE}/edit", **fields)
    assert page.status == 422
    assert soup_of(page).select(f"#{wrong}-error")
    assert busy_site.count_events() == 0


# -- pages


async def test_a_project_leads_to_its_material(taught: Site):
    assert "material" in doors(await taught.client("barbara").get("projects/public-work"))
    assert "material" not in doors(await taught.client("alan").get("projects/internal-work"))
    assert "material" in doors(await taught.client("grace").get("projects/internal-work"))


async def test_a_folder_is_published_on_the_page(busy_site: Site):
    grace = busy_site.browser("grace")
    empty = await grace.get(PAGE)
    assert "edit" in doors(empty)
    assert "No material yet" in soup_of(empty).get_text()
    form = soup_of(await grace.get(f"{PAGE}/edit"))
    assert [one["value"] for one in form.select("select[name=lab] option")] == ["", "bench"]
    sent = {"kind": "folder", "lab": "bench", "folder": "course", "url": "", "branch": ""}
    assert landed(await send(grace, f"{PAGE}/edit", **sent)) == PAGE
    page = soup_of(await grace.get(PAGE)).get_text(" ", strip=True)
    assert "A new version is being published" in page
    assert "The first version is not published yet" in page
    again = soup_of(await grace.get(f"{PAGE}/edit"))
    assert again.select_one("input[name=folder]")["value"] == "course"
    assert again.select_one("option[selected]")["value"] == "bench"


async def test_a_repository_is_published_on_the_page(busy_site: Site):
    grace = busy_site.browser("grace")
    sent = {"kind": "repository", "lab": "", "folder": "", "url": URL, "branch": "main"}
    assert landed(await send(grace, f"{PAGE}/edit", **sent)) == PAGE
    assert URL in soup_of(await grace.get(PAGE)).get_text()
    form = soup_of(await grace.get(f"{PAGE}/edit"))
    assert form.select_one("input[name=url]")["value"] == URL
    assert form.select_one("input[name=branch]")["value"] == "main"


async def test_the_page_shows_each_file_with_what_can_be_done(taught: Site):
    page = soup_of(await taught.browser("barbara").get(PAGE))
    titles = [heading.get_text(" ", strip=True) for heading in page.select(".outcome h3")]
    assert titles == [
        "Changed by you and in the material 1",
        "Added 2",
        "Kept as you changed them 1",
        "Deleted by you 1",
    ]
    fresh = {str(one["value"]) for one in page.select("input[name=path]")}
    assert fresh == {"week 1/intro.ipynb", "notes.md", "old.txt"}
    assert "week 2/<b>.ipynb" in page.get_text()
    assert {"get", "undo", "fresh"} <= doors(await taught.browser("barbara").get(PAGE))


async def test_who_may_not_change_the_project_finds_only_what_is_for_them(taught: Site):
    assert not {"publish", "remove", "edit"} & doors(await taught.browser("alan").get(PAGE))
    assert {"publish", "remove", "edit"} <= doors(await taught.browser("grace").get(PAGE))


@pytest.mark.parametrize(
    ("button", "fields", "verb"),
    [
        ("get", {}, DeliveryVerb.GET),
        ("undo", {}, DeliveryVerb.UNDO),
        ("fresh", {"path": "notes.md"}, DeliveryVerb.FRESH),
    ],
)
async def test_every_button_asks_for_what_it_says_once(
    taught: Site, button: str, fields: dict[str, str], verb: DeliveryVerb
):
    barbara = taught.browser("barbara")
    assert landed(await send(barbara, PAGE, action=button, **fields)) == PAGE
    with taught.rows() as session:
        waiting = session.scalars(select(Delivery).filter_by(state=DeliveryState.WAITING)).one()
        assert waiting.verb is verb
    page = await barbara.get(PAGE)
    assert not {"get", "undo", "fresh"} & doors(page)
    assert "This page shows what became of each" in soup_of(page).get_text()
    again = await send(barbara, PAGE, action=button, **fields)
    assert again.status == 409
    assert "wait for that to end" in soup_of(again).get_text()


@pytest.mark.parametrize(("button", "status"), [("publish", 303), ("remove", 303), ("burn", 422)])
async def test_the_buttons_of_those_who_teach(taught: Site, button: str, status: int):
    assert (await send(taught.browser("grace"), PAGE, action=button)).status == status
    expected = 403 if status == 303 else 422
    assert (await send(taught.browser("alan"), PAGE, action=button)).status in {expected, 404}


async def test_following_the_link_changes_nothing(taught: Site):
    for name in (None, "barbara", "grace"):
        assert (await taught.client(name).get(PAGE)).status == 200
    assert taught.count_events() == 0


async def test_guests_are_asked_to_sign_in_to_get_it(taught: Site):
    page = await taught.client().get(PAGE)
    assert "Sign in to get the files" in soup_of(page).get_text()
    assert not {"get", "undo", "fresh"} & doors(page)


async def test_new_material_can_be_had_whenever_the_lab_starts(taught: Site):
    barbara = taught.browser("barbara")
    for wish, other in (("true", ""), ("", "true")):
        page = soup_of(await barbara.get(PAGE))
        assert page.select_one("input[name=on_start]")["value"] == wish
        fields = {"action": "on-start", "on_start": wish}
        assert landed(await send(barbara, PAGE, **fields)) == PAGE
        page = soup_of(await barbara.get(PAGE))
        assert page.select_one("input[name=on_start]")["value"] == other
    refused = await send(barbara, PAGE, action="on-start", on_start="perhaps")
    assert refused.status == 422
    grace = taught.client("grace")
    assert (await grace.get(f"{MATERIAL}/delivery")).json["on_start"] is False
    assert (await grace.patch(f"{MATERIAL}/delivery", {"on_start": True})).json["on_start"] is True


async def test_who_has_no_home_is_sent_to_their_lab(taught: Site):
    with taught.rows() as session:
        for lab in session.scalars(select(PersonalLab)):
            lab.home_uid = None
    page = await taught.browser("barbara").get(PAGE)
    assert "Start it once" in soup_of(page).get_text()
    assert {"lab", "on-start"} <= doors(page)
    assert "get" not in doors(page)


@pytest.mark.parametrize(
    ("material", "delivery", "said"),
    [
        ({"version": 2}, {}, "There is a newer version"),
        (
            {},
            {"report": {"counts": {"same": 4}, "files": {}, "undo": False}},
            "Everything is as in the material: 4 files",
        ),
        (
            {},
            {"state": DeliveryState.FAILED, "message": "The disk is full. Nothing was changed"},
            "The disk is full",
        ),
        (
            {},
            {
                "verb": DeliveryVerb.UNDO,
                "report": {
                    "counts": {"restored": 300, "left": 1},
                    "files": {"restored": [["a", ""]], "left": [["b", ""]]},
                    "undo": False,
                },
            },
            "And 299 more files",
        ),
        ({"state": DatasetState.FAILED, "message": "There is no folder x."}, {}, "no folder x"),
        ({"state": DatasetState.FAILED, "message": "x"}, {}, "People get version 1, as before"),
        ({"lab_uid": "0" * 32}, {}, "of a lab that is gone"),
        ({"kind": MaterialKind.REPOSITORY, "branch": "main"}, {}, "branch main"),
    ],
)
async def test_the_page_says_how_it_stands(
    taught: Site, material: dict[str, Any], delivery: dict[str, Any], said: str
):
    change(taught, Material, **material)
    change(taught, Delivery, **delivery)
    page = soup_of(await taught.browser("grace").get(PAGE))
    assert said in " ".join(page.get_text(" ").split())


async def test_a_script_that_asks_hears_only_of_changes(taught: Site):
    grace = taught.browser("grace")
    live = soup_of(await grace.get(PAGE)).select_one("#live")
    seen = str(live["hx-get"]).rpartition("seen=")[2]
    asking = {"headers": {"HX-Request": "true"}}
    assert (await grace.get(f"{PAGE}?seen={seen}", **asking)).status == 204
    change(taught, Delivery, state=DeliveryState.WAITING)
    assert (await grace.get(f"{PAGE}?seen={seen}", **asking)).status == 200


async def test_what_was_done_is_told_in_the_activity_of_the_project(taught: Site):
    ada = taught.browser("ada")
    sent = {"kind": "repository", "lab": "", "folder": "", "url": URL, "branch": ""}
    await send(ada, f"{PAGE}/edit", **sent)
    await send(ada, PAGE, action="publish")
    await send(ada, PAGE, action="remove")
    text = soup_of(await ada.get("projects/public-work/events")).get_text(" ", strip=True)
    assert f"published the repository {URL} as material" in text
    assert "published the material anew" in text
    assert "took the material from the project" in text
