"""The lessons of the course: all cells run, all plots show, nothing is asked from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Browser

from tests.browser import running_chromium
from tests.images import gallery
from tests.images.comparing import difference, picture_of
from tests.images.conftest import build
from tests.images.gallery import GALLERY
from tests.images.lab_container import Lab
from tests.images.lessons import FOLDER, NOTEBOOKS, TOKEN_IN_URL, Lesson, Visit, prepare, visit
from tests.images.stub_hub import StubHub

LESSONS = [Lesson(file) for file in NOTEBOOKS]
WANTED = {"scatter-plot", "time-series", "heat-map", "binary-tree"} | {
    "map-with-markers",
    "choropleth-map",
    "voronoi-map",
}


@pytest.fixture(params=LESSONS, ids=lambda lesson: lesson.name, scope="module")
def lesson(request: pytest.FixtureRequest) -> Lesson:
    """Each lesson."""
    found: Lesson = request.param
    return found


# As files ---------------------------------------------------------------------------------------


def test_there_is_a_lesson_for_each_kind_of_plot_and_map() -> None:
    assert {lesson.name for lesson in LESSONS} == WANTED


def test_a_lesson_begins_with_its_objective_data_and_licence(lesson: Lesson) -> None:
    about = lesson.notebook["metadata"]["sophon"]
    first = lesson.source(0)

    assert first.startswith(f"# {about['title']}\n")
    assert about["objective"] in first
    assert "CC BY 4.0" in first
    assert about["data"]
    for one in about["data"]:
        assert one["source"] in first
        assert one["licence"] in first


def test_a_lesson_has_small_steps_an_exercise_and_a_summary(lesson: Lesson) -> None:
    cells = lesson.notebook["cells"]
    text = "".join(lesson.source(number) for number in range(len(cells)))
    code = [lesson.source(n) for n, cell in enumerate(cells) if cell["cell_type"] == "code"]

    assert text.count("## Step ") >= 3
    assert "## Your turn" in text
    assert "## What you have learned" in text
    assert max(source.count("\n") for source in code) < 40
    assert all(len(lesson.numbers(tag)) == 1 for tag in ("exercise", "check", "solution"))


def test_a_lesson_is_shipped_without_outputs(lesson: Lesson) -> None:
    for cell in lesson.notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_every_picture_has_words_for_those_who_do_not_see_it(lesson: Lesson) -> None:
    assert lesson.numbers("picture")
    for number in lesson.numbers("picture"):
        assert len(lesson.notebook["cells"][number]["metadata"]["sophon"]["alt"]) > 40


def test_the_licences_of_all_data_are_listed_beside_the_lessons() -> None:
    listed = (FOLDER / "LICENCES.md").read_text()

    for lesson in LESSONS:
        for one in lesson.notebook["metadata"]["sophon"]["data"]:
            if one["licence"].startswith("CC BY 4.0"):
                continue
            assert one["licence"].partition(";")[0] in listed, one
    assert "Made with Natural Earth" in listed


def test_the_portal_shows_the_lessons_as_they_are(lesson: Lesson) -> None:
    """After a lesson was changed: make lessons."""
    stored = json.loads((GALLERY / lesson.name / "lesson.json").read_text())
    pictures = {
        number: picture_of(GALLERY / lesson.name / f"{place}.png").size
        for place, number in enumerate(lesson.numbers("picture"), start=1)
    }
    made = gallery.rendered(lesson, lesson.notebook, pictures)
    for page in (stored, made):
        for part in page["parts"]:
            part["outputs"] = [
                output for output in part.get("outputs", []) if output["kind"] == "picture"
            ]

    assert stored == made


# The comparison of pictures ---------------------------------------------------------------------


def altered(picture: Path, target: Path, how: str) -> bytes:
    """Return a picture with something wrong with it."""
    image = picture_of(picture).convert("RGB")
    if how == "empty":
        image = Image.new("RGB", image.size, "white")
    elif how == "other colours":
        red, green, blue = image.split()
        image = Image.merge("RGB", (blue, red, green))
    elif how == "other data":
        image = ImageOps.mirror(image)
    elif how == "no data":
        inner = (70, 40, image.width - 90, image.height - 60)
        image.paste(image.getpixel((inner[0], inner[1])), inner)  # type: ignore[arg-type]
    elif how == "another size":
        image = image.resize((image.width, image.height // 2))
    elif how == "other letters":
        # half a dot to the right and a little softer, as letters of another machine are
        image = image.resize((image.width * 2, image.height * 2))
        image = image.transform(image.size, Image.Transform.AFFINE, (1, 0, -1, 0, 1, 0))
        image = image.resize((image.width // 2, image.height // 2))
    image.save(target)
    return target.read_bytes()


PICTURES = sorted(GALLERY.glob("*/*.png"))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_broken_plot_is_found_and_other_letters_are_not(picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "altered.png"

    assert difference(picture.read_bytes(), picture) == ""
    assert difference(altered(picture, target, "other letters"), picture) == ""
    for how in ("empty", "other data", "no data", "another size"):
        assert difference(altered(picture, target, how), picture), how


@pytest.mark.parametrize("name", ["heat-map/1", "voronoi-map/1", "choropleth-map/1"])
def test_other_colours_are_found(name: str, tmp_path: Path) -> None:
    picture = GALLERY / f"{name}.png"

    assert difference(altered(picture, tmp_path / "altered.png", "other colours"), picture)


# In a lab, with a browser ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course_lab(hub: StubHub) -> Iterator[Lab]:
    """A lab of the course, with the lessons in its home."""
    with Lab(build("course"), hub, TOKEN_IN_URL) as running:
        prepare(running)
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def seen(browser: Browser, course_lab: Lab, lesson: Lesson) -> Visit:
    """Each lesson, run from its menu."""
    return visit(browser, course_lab, lesson)


@pytest.mark.docker
@pytest.mark.browser
def test_every_cell_runs_and_its_output_is_what_the_portal_shows(seen: Visit) -> None:
    stored = json.loads((GALLERY / seen.lesson.name / "lesson.json").read_text())
    ran = seen.notebook
    outputs: list[Any] = [one for cell in ran["cells"] for one in cell.get("outputs", [])]

    assert [one for one in outputs if one["output_type"] == "error"] == []
    assert [one["text"] for one in outputs if one.get("name") == "stderr"] == []
    made = gallery.rendered(seen.lesson, ran, {})
    for page in (stored, made):
        for part in page["parts"]:
            part["outputs"] = [
                output for output in part.get("outputs", []) if output["kind"] != "picture"
            ]
    assert stored == made


@pytest.mark.docker
@pytest.mark.browser
def test_plots_look_as_they_should_and_ask_nothing_from_outside_the_lab(
    seen: Visit, tmp_path: Path
) -> None:
    assert len(seen.pictures) == len(seen.lesson.numbers("picture"))
    for place, picture in enumerate(seen.pictures, start=1):
        shown = tmp_path / f"{place}.png"
        shown.write_bytes(picture)
        found = difference(shown.read_bytes(), GALLERY / seen.lesson.name / f"{place}.png")
        assert found == "", f"{shown}: {found}"

    assert any("/oer-assets/" in address for address in seen.asked)
    assert seen.from_elsewhere == []


@pytest.mark.docker
def test_the_check_refuses_the_empty_answer_and_accepts_the_solution(
    course_lab: Lab, lesson: Lesson
) -> None:
    """Both ways through the exercise, with everything above it."""
    (exercise,), (check,) = lesson.numbers("exercise"), lesson.numbers("check")
    before = [
        lesson.source(number)
        for number, cell in enumerate(lesson.notebook["cells"][:exercise])
        if cell["cell_type"] == "code"
    ]
    told = []
    for answer in (lesson.source(exercise), lesson.solution):
        script = "\n".join([*before, answer, "print('-- checked --')", lesson.source(check)])
        course_lab.sh(f"cat > /tmp/lesson.py << 'END-OF-LESSON'\n{script}\nEND-OF-LESSON")
        printed = course_lab.sh("cd ~/lessons && ipython --quiet /tmp/lesson.py")
        told.append(printed.rpartition("-- checked --")[2].strip())

    assert told[0].startswith("Not yet: ")
    assert told[1] == "Right! Well done."


WRONG = [
    ("scatter-plot", "None"),
    ("time-series", "'2016-01-01'"),
    ("time-series", "'no day'"),
    ("heat-map", "10"),
    ("heat-map", "12"),
    ("binary-tree", "lambda node: 1"),
    ("binary-tree", "lambda node: 0"),
    ("map-with-markers", "oer.new_map()"),
    ("choropleth-map", "'Japan'"),
    ("choropleth-map", "'Monaco'"),
    ("voronoi-map", "'Fort William'"),
    ("voronoi-map", "'Paris'"),
    ("no-lesson", "1"),
]


@pytest.mark.docker
def test_wrong_answers_are_answered_with_a_hint(course_lab: Lab) -> None:
    lines = [f"oer.check({name!r}, {answer})" for name, answer in WRONG]
    script = "\n".join(["import oer", *lines])

    told = course_lab.sh(f'python -c "{script}"').splitlines()

    assert len(told) == len(WRONG)
    assert all(line.startswith("Not yet: ") for line in told[:-1]), told
    assert told[-1].startswith("There is no exercise called 'no-lesson'")


@pytest.mark.docker
def test_markers_on_the_wrong_side_of_the_world_get_their_own_hints(course_lab: Lab) -> None:
    script = """
import folium, oer
for place in ((55.95, 3.19), (-3.19, 55.95), (57.15, -2.1), (55.95, -3.19)):
    answer = oer.new_map()
    folium.Marker(place).add_to(answer)
    oer.check("map-with-markers", answer)
"""
    east, exchanged, elsewhere, unnamed = course_lab.sh(f"python -c '{script}'").splitlines()

    assert "West is negative" in east
    assert "latitude comes first" in exchanged
    assert "57.15" in elsewhere
    assert "tooltip" in unnamed


@pytest.mark.docker
def test_the_licences_of_what_maps_load_are_beside_it(course_lab: Lab) -> None:
    root = "/opt/lab/share/jupyter/labextensions/oer-assets/static"
    packages = set(gallery.IMAGES.joinpath("course/collect.py").read_text().split('"'))

    licences = course_lab.sh(f"cd {root} && find . -iname 'LICENSE*' | sort").splitlines()

    assert len(licences) == 7
    assert all(line.removeprefix("./").rpartition("/")[0] in packages for line in licences)
    assert course_lab.sh("head -c 100 /opt/course/lessons/LICENCES.md").startswith("# Licences")
