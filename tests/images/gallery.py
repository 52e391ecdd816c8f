"""Writes the lessons as the portal shows them: ``make lessons``, after a lesson was changed.

Each lesson is run in the real image, in a real JupyterLab and browser; what came out of its cells
goes to sophon_hub/static/lessons, plots as pictures. The tests compare with the same pictures.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from PIL import Image
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Number, String

from tests.browser import running_chromium
from tests.images.building import IMAGES
from tests.images.conftest import build
from tests.images.lab_container import Lab, bridge_gateway
from tests.images.lessons import NOTEBOOKS, TOKEN_IN_URL, Lesson, prepare, visit
from tests.images.stub_hub import StubHub

GALLERY = IMAGES.parent / "sophon_hub" / "static" / "lessons"

KINDS = {Keyword: "keyword", String: "text", Comment: "comment", Number: "number"}
"""What pieces of code are, for colouring; all else is plain."""

Json = dict[str, Any]


def tokens(code: str) -> list[list[str]]:
    """Split code into pieces with their kinds; neighbours of one kind are one piece."""
    pieces: list[list[str]] = []
    for token, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(code):
        kind = next((name for family, name in KINDS.items() if token in family), "")
        if pieces and (pieces[-1][0] == kind or text.isspace()):
            pieces[-1][1] += text
        else:
            pieces.append([kind, text])
    return pieces


def table(html: str) -> Json:
    """Return a table of pandas as rows of words."""
    soup = BeautifulSoup(html, "html5lib")
    cells = [[one.text for one in row.find_all(["th", "td"])] for row in soup.find_all("tr")]
    head, rows = cells[0], cells[1:]
    if rows and not any(rows[0][1:]):  # pandas puts the name of the index into a row of its own
        head, rows = [rows[0][0], *head[1:]], rows[1:]
    return {"kind": "table", "head": head, "rows": rows}


def words(outputs: Iterable[Json]) -> list[Json]:
    """Return what cells have put out in letters and tables, without plots."""
    found: list[Json] = []
    for output in outputs:
        data = output.get("data", {})
        if output["output_type"] == "stream" and output["name"] == "stdout":
            found.append({"kind": "words", "words": "".join(output["text"])})
        elif "<table" in "".join(data.get("text/html", "")):
            found.append(table("".join(data["text/html"])))
        elif output["output_type"] == "execute_result" and "text/html" not in data:
            found.append({"kind": "words", "words": "".join(data["text/plain"])})
    return found


def rendered(lesson: Lesson, ran: Json, pictures: dict[int, tuple[int, int]]) -> Json:
    """Return a lesson as `sophon_hub.content.lessons` reads it.

    ``ran`` is the notebook with outputs; ``pictures`` are the sizes of what cells have drawn. The
    first cell is left out, since the page says title, objective and data by itself.
    """
    notebook = lesson.notebook
    parts: list[Json] = []
    for number, cell in list(enumerate(notebook["cells"]))[1:]:
        tags = cell["metadata"].get("tags", [])
        if "solution" in tags:
            parts.append({"kind": "code", "code": tokens(lesson.solution), "solution": True})
        elif cell["cell_type"] == "markdown":
            parts.append({"kind": "text", "text": lesson.source(number)})
        else:
            outputs = [] if {"exercise", "check", "picture"} & set(tags) else None
            if outputs is None:
                outputs = words(ran["cells"][number]["outputs"])
            if number in pictures:
                width, height = pictures[number]
                file = f"{list(pictures).index(number) + 1}.png"
                picture = {"kind": "picture", "file": file, "width": width, "height": height}
                words_for_it = {"alt": cell["metadata"]["sophon"]["alt"]}
                outputs.append(picture | words_for_it | {"cover": "cover" in tags})
            code = tokens(lesson.source(number))
            parts.append({"kind": "code", "code": code, "outputs": outputs})
    return {**notebook["metadata"]["sophon"], "notebook": lesson.file.name, "parts": parts}


def smaller(picture: bytes) -> Image.Image:
    """Return the picture in 256 colours: plots have few more, and it takes a third of the room."""
    return Image.open(io.BytesIO(picture)).convert("RGB").quantize(256, dither=Image.Dither.NONE)


def write(folder: Path, lesson: Lesson, ran: Json, pictures: dict[int, bytes]) -> None:
    """Write one lesson's folder anew."""
    target = folder / lesson.name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    images = {number: smaller(picture) for number, picture in pictures.items()}
    for place, image in enumerate(images.values(), start=1):
        image.save(target / f"{place}.png", optimize=True)
    page = rendered(lesson, ran, {number: image.size for number, image in images.items()})
    text = json.dumps(page, indent=1, ensure_ascii=False)
    (target / "lesson.json").write_text(text + "\n")


def main() -> None:
    """Write all lessons, and remove those that are gone."""
    with (
        StubHub(bridge_gateway()) as hub,
        Lab(build("course"), hub, TOKEN_IN_URL) as lab,
        running_chromium() as browser,
    ):
        prepare(lab)
        lessons = [Lesson(file) for file in NOTEBOOKS]
        for lesson in lessons:
            seen = visit(browser, lab, lesson)
            pictures = dict(zip(lesson.numbers("picture"), seen.pictures, strict=True))
            write(GALLERY, lesson, seen.notebook, pictures)
    for folder in GALLERY.iterdir():
        if folder.name not in {lesson.name for lesson in lessons}:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
