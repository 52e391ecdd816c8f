"""The lessons in the portal: for everybody, without scripts, and only what can be shown safely."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sophon_hub.models import LabState, PersonalLab
from sophon_hub.pages import lessons
from sophon_hub.settings import Sophon
from tests import make
from tests.web import world
from tests.web.conftest import Site, eventually
from tests.web.test_pages import EVERYBODY, client_of, landed, send, soup_of

STORED = Path(Sophon(data_dir="/nowhere").lessons_dir)
NAMES = [
    "scatter-plot",
    "time-series",
    "heat-map",
    "binary-tree",
    "map-with-markers",
    "choropleth-map",
    "voronoi-map",
]


@pytest.fixture
def folder(busy_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of lessons of the site's own, with one lesson in it."""
    shutil.copytree(STORED / "heat-map", tmp_path / "heat-map")
    monkeypatch.setattr(busy_site.portal.settings, "lessons_dir", str(tmp_path))
    return tmp_path


def change(folder: Path, **fields: Any) -> None:
    """Write other fields into the lesson."""
    file = folder / "heat-map" / "lesson.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


async def test_all_lessons_are_listed_in_order_with_objective_licence_and_picture(busy_site):
    page = soup_of(await busy_site.client().get("lessons"))
    tiles = page.select("ol.lessons > li")

    addresses = [tile.select_one("a")["href"].rpartition("/")[2] for tile in tiles]
    assert addresses == NAMES
    for tile in tiles:
        assert "You will learn to" in tile.text
        assert "CC BY 4.0" in tile.text
        assert tile.select_one("img[width][height]")["alt"] == ""  # the title says it


async def test_a_lesson_chooses_which_of_its_pictures_stands_for_it(busy_site):
    page = soup_of(await busy_site.client().get("lessons"))
    covers = [str(one["src"]).rpartition("lessons/")[2] for one in page.select(".lesson-cover")]

    assert "binary-tree/1.png" in covers  # marked
    assert "map-with-markers/3.png" in covers  # not marked: the last one


async def test_the_navigation_leads_to_the_lessons_and_says_where_one_is(busy_site):
    home = soup_of(await busy_site.client().get(""))
    lessons = soup_of(await busy_site.client().get("lessons/heat-map"))

    (entry,) = [link for link in home.select(".site-nav a") if link.text == "Lessons"]
    assert str(entry["href"]).endswith("/services/sophon/lessons")
    assert not entry.get("aria-current")
    assert lessons.select_one(".site-nav a[aria-current]").text == "Lessons"


@pytest.mark.parametrize("name", NAMES)
async def test_a_lesson_shows_text_code_outputs_pictures_and_where_data_come_from(busy_site, name):
    stored = json.loads((STORED / name / "lesson.json").read_text())
    page = soup_of(await busy_site.client().get(f"lessons/{name}"))
    article = page.select_one("article.lesson")

    assert article.h1.text == stored["title"]
    assert stored["objective"] in article.text
    assert len(article.select(".lesson-text h2")) >= 5
    code = [one.text for one in article.select(".lesson-code code")]
    assert code == [
        "".join(words for _, words in part["code"])
        for part in stored["parts"]
        if part["kind"] == "code"
    ]
    pictures = article.select("img.lesson-picture")
    assert pictures
    assert all(len(picture["alt"]) > 40 for picture in pictures)
    for one in stored["data"]:
        assert one["source"] in article.select_one(".lesson-sources").text
        assert one["licence"] in article.select_one(".lesson-sources").text


async def test_a_solution_is_shown_only_when_asked_for(busy_site):
    page = soup_of(await busy_site.client().get("lessons/heat-map"))
    (solution,) = page.select("details.lesson-solution")

    assert not solution.has_attr("open")
    assert solution.select_one("summary").text == "Show a solution"
    assert "sum()" in solution.select_one("code").text


async def test_lessons_lead_to_each_other_in_order(busy_site):
    path, seen = f"lessons/{NAMES[0]}", []
    while path:
        page = soup_of(await busy_site.client().get(path))
        seen.append(path.rpartition("/")[2])
        link = page.select_one(".lesson-next a")
        path = str(link["href"]).removeprefix("/services/sophon/") if link else ""

    assert seen == NAMES


@pytest.mark.parametrize("name", [None, "grace"])
async def test_a_lesson_has_no_button_that_does_nothing(busy_site, name):
    client = busy_site.browser(name) if name else busy_site.client()
    page = soup_of(await client.get("lessons/heat-map"))

    assert page.select("article button, article .btn, article form") == []


COURSE = {"image": "course:1", "title": "Course", "skeleton": "/opt/course/lessons"}
NOTEBOOK = "03-heat-map.ipynb"


@pytest.fixture
def course(busy_site: Site) -> Iterator[Site]:
    """A hub with software that brings the lessons; it is not the default."""
    before = busy_site.portal.settings
    images = {**before.images, "course": COURSE}
    busy_site.portal.settings = Sophon(data_dir=before.data_dir, images=images)
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


@pytest.mark.parametrize(
    ("state", "image", "buttons", "said"),
    [
        (LabState.STOPPED, "course", [False], "what you changed stays"),
        (LabState.RUNNING, "course", [False], "what you changed stays"),
        (LabState.STOPPED, "lab", [True], "is changed to Course"),
        (LabState.FAILED, None, [True], "is changed to Course"),
        (LabState.RUNNING, "lab", [], "stop your lab"),
    ],
)
async def test_a_lesson_is_opened_with_the_software_that_it_needs(
    course: Site, state: LabState, image: str | None, buttons: list[bool], said: str
):
    put(course, state=state, image=image)
    page = soup_of(await course.browser("grace").get("lessons/heat-map"))
    found = page.select(".lesson-open form")
    assert [bool(form.select("[name=use_image]")) for form in found] == buttons
    assert said in page.select_one(".lesson-open").text


async def test_opening_a_lesson_starts_the_lab_and_leads_to_the_notebook(course: Site):
    put(course, image="lab")
    grace = course.browser("grace")
    refused = await send(grace, "lessons/heat-map", action="open")
    assert refused.status == 409
    assert "Use Course" in soup_of(refused).get_text()
    started = await send(grace, "lessons/heat-map", action="open", use_image="true")
    assert landed(started) == "lab/start?lesson=heat-map"
    assert (own(course).image, own(course).wanted) == ("course", [NOTEBOOK])
    page = soup_of(await grace.get("lab/start?lesson=heat-map"))
    entry = str(page.select_one("form[data-enter]")["action"]).removeprefix("/services/sophon/")

    put_state(course, LabState.RUNNING)
    entered = await send(grace, entry, action="open")
    assert entered.headers["Location"] == f"/user/grace/lab/tree/lessons/{NOTEBOOK}"
    assert (await send(grace, "lab?lesson=no-such", action="open")).status == 404


def put_state(site: Site, state: LabState) -> None:
    with site.rows() as session:
        session.scalars(select(PersonalLab)).one().state = state


async def test_in_a_running_lab_one_waits_until_the_notebook_is_there(course: Site):
    put(course, state=LabState.RUNNING, image="course")
    grace = course.browser("grace")
    opening = asyncio.ensure_future(send(grace, "lessons/heat-map", action="open"))
    await eventually(lambda: own(course).wanted == [NOTEBOOK], "the wish")
    assert not opening.done()
    with course.rows() as session:
        session.scalars(select(PersonalLab)).one().wanted = []
    assert (await opening).headers["Location"] == f"/user/grace/lab/tree/lessons/{NOTEBOOK}"


async def test_one_does_not_wait_for_ever(course: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lessons, "COPY_SECONDS", 0.0)
    put(course, state=LabState.RUNNING, image="course")
    answer = await send(course.browser("grace"), "lessons/heat-map", action="open")
    assert landed(answer) == "lab"


async def test_guests_are_asked_to_sign_in(course: Site):
    answer = await send(course.client(), "lessons/heat-map", action="open")
    assert answer.status in {302, 401, 403}
    assert soup_of(await course.client().get("lessons/heat-map")).select(".lesson-open") == []


@pytest.mark.parametrize("fields", [{"action": "burn"}, {}, {"action": "open", "x": "1"}])
async def test_a_button_that_is_none_is_refused(course: Site, fields: dict[str, str]):
    assert (await send(course.browser("grace"), "lessons/heat-map", **fields)).status == 422
    assert course.count_events() == 0


async def test_a_lesson_is_opened_through_the_api(course: Site):
    grace = course.client("grace")
    opened = await grace.post("api/v1/me/lab/lessons/heat-map", {"use_image": True})
    assert (opened.status, opened.json["state"]) == (202, "starting")
    assert opened.json["image"] == "course"
    assert (await grace.post("api/v1/me/lab/lessons/no-such")).status == 404


async def test_what_scrolls_sideways_is_reached_with_the_keyboard(busy_site):
    page = soup_of(await busy_site.client().get("lessons/heat-map"))

    for one in page.select(".lesson-code, .lesson-output, .lesson-table"):
        assert one["tabindex"] == "0"


@pytest.mark.parametrize("name", EVERYBODY)
async def test_everybody_gets_the_pictures(busy_site, name):
    answer = await client_of(busy_site, name).get("lessons/heat-map/1.png")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age=3600" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("name", EVERYBODY)
@pytest.mark.parametrize(
    "path", ["lessons/no-such", "lessons/no-such/1.png", "lessons/heat-map/9.png"]
)
async def test_what_is_not_there_is_not_found_by_anybody(busy_site, path, name):
    assert (await client_of(busy_site, name).get(path)).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "lessons/..",
        "lessons/heat-map/lesson.json",
        "lessons/heat-map/../heat-map/1.png.bak",
        "lessons/heat-map/%2e%2e%2f1.png",
        "lessons/heat-map/0001.png",
    ],
)
async def test_no_other_file_can_be_had_through_a_lesson(busy_site, path):
    answer = await busy_site.client().get(path)

    assert answer.status == 404
    assert "parts" not in answer.text


# Lessons of a site's own -------------------------------------------------------------------------


async def test_a_site_shows_its_own_lessons_instead(busy_site, folder):
    change(folder, title="Our own")
    page = soup_of(await busy_site.client().get("lessons"))

    assert [one.text.strip() for one in page.select(".tile-title")] == ["Our own"]
    assert (await busy_site.client().get("lessons/scatter-plot")).status == 404


async def test_without_lessons_the_page_says_so(busy_site, folder):
    shutil.rmtree(folder / "heat-map")
    page = soup_of(await busy_site.client().get("lessons"))

    assert page.select_one(".empty-title").text == "There are no lessons here"
    assert page.select("ol.lessons") == []


async def test_a_lesson_cannot_bring_scripts_styles_or_pictures_from_elsewhere(busy_site, folder):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    link = "![p](https://elsewhere.example/p.png) [l](javascript:alert(1))"
    picture = {"kind": "picture", "file": "1.png", "alt": evil, "width": 1, "height": 1}
    change(
        folder,
        title=evil,
        objective=evil,
        parts=[
            {"kind": "text", "text": evil + link},
            {
                "kind": "code",
                "code": [["", evil], ["text", evil]],
                "outputs": [
                    {"kind": "words", "words": evil},
                    {"kind": "table", "head": [evil], "rows": [[evil]]},
                    picture,
                ],
            },
        ],
    )
    for path in ("lessons", "lessons/heat-map"):
        answer = await busy_site.client().get(path)
        page = soup_of(answer)

        assert "alert(1)" in answer.text
        assert all(script.get("nonce") for script in page.select("script"))
        assert page.select("main script, main style, main iframe, main [onerror]") == []
        assert [one["src"] for one in page.select("main img")] == [
            "/services/sophon/lessons/heat-map/1.png"
        ]
        assert not page.select('main a[href^="javascript"]')


@pytest.mark.parametrize(
    "fields",
    [
        {"parts": [{"kind": "html", "html": "<b>"}]},
        {"parts": [{"kind": "code", "code": [["script", "x"]], "outputs": []}]},
        {"title": 1},
        {"more": "than is known"},
        {"data": [{"title": "t", "source": "s", "url": "javascript:alert(1)", "licence": "l"}]},
    ],
)
async def test_a_lesson_that_cannot_be_read_is_left_out_and_logged(
    busy_site, folder, caplog, fields
):
    change(folder, **fields)
    page = soup_of(await busy_site.client().get("lessons"))

    assert page.select_one(".empty-title")
    assert "Left out the lesson heat-map" in caplog.text
    assert (await busy_site.client().get("lessons/heat-map")).status == 404


@pytest.mark.parametrize("file", ["../../secret.png", "/etc/passwd", "1.svg"])
async def test_a_lesson_cannot_name_a_file_outside_its_folder(busy_site, folder, file):
    picture = {"kind": "picture", "file": file, "alt": "a", "width": 1, "height": 1}
    change(folder, parts=[{"kind": "code", "code": [], "outputs": [picture]}])

    assert (await busy_site.client().get("lessons/heat-map")).status == 404


async def test_a_changed_lesson_is_shown_at_once(busy_site, folder):
    before = await busy_site.client().get("lessons/heat-map")
    change(folder, title="Another title")
    after = await busy_site.client().get("lessons/heat-map")

    assert "Another title" not in before.text
    assert soup_of(after).h1.text == "Another title"
