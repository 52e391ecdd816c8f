"""The lessons of the course in a real JupyterLab and a real browser, as a beginner has them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.images.building import IMAGES
from tests.images.lab_container import Lab
from tests.images.stub_hub import PREFIX
from tests.journeys.jupyterlab import LAB_READY, cells, wait_for_kernel
from tests.waiting import wait_for

FOLDER = IMAGES / "course" / "lessons"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

ALL_CELLS = "lab/user-settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
"""Below ~/.jupyter: the setting by which JupyterLab keeps cells that are out of sight."""

TOKEN_IN_URL = "--HubOAuth.allow_token_in_url=True"
"""Lets a browser into a lab without a Hub that signs people in."""

SECONDS_TO_RUN = 90

DRAWN = """
drawing => {
  if (drawing.tagName !== 'IFRAME') {
    return Bokeh.documents.length > 0 && Bokeh.documents.every(one => one.is_idle);
  }
  const page = drawing.contentDocument;
  const land = page?.querySelector('.leaflet-outlines-pane path');
  const legend = page?.querySelector('.legend');
  return page?.readyState === 'complete' && land && (!legend || legend.querySelector('text'));
}
"""
"""Whether a plot or map is on screen as a whole."""


@dataclass
class Lesson:
    """A notebook of the course, as its file has it."""

    file: Path

    @property
    def name(self) -> str:
        """What the lesson is called in addresses: ``scatter-plot`` of ``01-scatter-plot.ipynb``."""
        return self.file.stem.partition("-")[2]

    @property
    def notebook(self) -> dict[str, Any]:
        """The notebook's content."""
        return dict(json.loads(self.file.read_text()))

    def numbers(self, tag: str) -> list[int]:
        """Positions of the cells with this tag."""
        found = enumerate(self.notebook["cells"])
        return [number for number, cell in found if tag in cell["metadata"].get("tags", [])]

    def source(self, number: int) -> str:
        """The text of a cell."""
        return "".join(self.notebook["cells"][number]["source"])

    @property
    def solution(self) -> str:
        """The code that the lesson shows as a solution."""
        (number,) = self.numbers("solution")
        found = re.search(r"```python\n(.*?)\n```", self.source(number), re.DOTALL)
        assert found, self.file
        return found[1]


@dataclass
class Visit:
    """A lesson that is open in a browser, and what the browser asked for meanwhile."""

    page: Page
    lab: Lab
    lesson: Lesson
    host: str
    notebook: dict[str, Any] = field(default_factory=dict)
    """What was saved, with outputs."""
    pictures: list[bytes] = field(default_factory=list)
    """What the cells tagged picture have drawn (PNG)."""
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def look_at_everything(self) -> None:
        """Run all cells; keep what was saved and what is on screen."""
        self._run()
        self.notebook = self._saved()
        self.pictures = [self._picture(number) for number in self.lesson.numbers("picture")]

    def _run(self) -> None:
        """Run all cells, from the menu, and wait until the last one has."""
        page = self.page
        wait_for_kernel(page)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name=re.compile("^Run All Cells")).click()
        last = max(
            number
            for number, cell in enumerate(self.lesson.notebook["cells"])
            if cell["cell_type"] == "code"
        )
        expect(self.cell(last).locator(".jp-InputArea .jp-InputPrompt").last).to_have_text(
            re.compile(r"\[\d+\]"), timeout=SECONDS_TO_RUN * 1000
        )

    def cell(self, number: int) -> Locator:
        """One cell."""
        return cells(self.page).nth(number)

    def _picture(self, number: int) -> bytes:
        """Return a picture (PNG) of what a cell has drawn, once all of it is there."""
        drawing = self.cell(number).locator("iframe, .bk-Column, .bk-Figure").first
        drawing.scroll_into_view_if_needed(timeout=LAB_READY)
        self.page.wait_for_function(DRAWN, arg=drawing.element_handle(), timeout=LAB_READY)
        return drawing.screenshot(animations="disabled")

    def _saved(self) -> dict[str, Any]:
        """Return the notebook with its outputs, once the lab has written it to the volume.

        The file is read as it is: the server's contents API takes a notebook that is being written
        for a broken one, moves it away (``.invalid``) and brings the version before back.
        """
        path = f"lessons/{self.lesson.file.name}"
        counts: list[int | None] = []
        found: dict[str, Any] = {}

        def complete() -> bool:
            try:
                found.update(json.loads(self.lab.sh(f"cat ~/{path}")))
            except ValueError:  # while it is being written
                return False
            code = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
            counts[:] = [cell["execution_count"] for cell in code]
            return all(counts)

        try:
            wait_for(complete, f"{path} to be saved with its outputs")
        except AssertionError as error:
            prompts = self.page.locator(".jp-InputPrompt").all_inner_texts()
            said = f"saved {counts}, shown {prompts}, {self.complaints}\n{self.lab.log()[-3000:]}"
            raise AssertionError(f"{error}: {said}") from None
        return found

    @property
    def from_elsewhere(self) -> list[str]:
        """Addresses outside the lab that the browser asked for."""
        return [
            address
            for address in self.asked
            if urlsplit(address).scheme not in ("data", "blob", "about")
            and urlsplit(address).netloc != self.host
        ]


def prepare(lab: Lab) -> None:
    """Give a lab's home the lessons."""
    lab.wait_until_it_answers()
    lab.sh(
        "cp -r /opt/course/lessons ~/lessons"
        f" && mkdir -p ~/.jupyter/{ALL_CELLS.rpartition('/')[0]}"
        f""" && echo '{{"windowingMode": "none"}}' > ~/.jupyter/{ALL_CELLS}"""
    )


def visit(browser: Browser, lab: Lab, lesson: Lesson) -> Visit:
    """Go through a lesson."""
    host = f"{lab.address}:8888"
    with _new_page(browser, lab) as page:
        seen = Visit(page, lab, lesson, host)
        page.on("request", lambda request: seen.asked.append(request.url))
        page.on(
            "console",
            lambda one: seen.complaints.append(one.text) if one.type == "error" else None,
        )
        address = f"http://{host}{PREFIX}lab/tree/lessons/{lesson.file.name}"
        page.goto(f"{address}?reset&token={lab.hub.token}")
        expect(cells(page).first).to_be_visible(timeout=LAB_READY)
        seen.look_at_everything()
        return seen


@contextmanager
def _new_page(browser: Browser, lab: Lab) -> Iterator[Page]:
    """A window of its own; its kernels are ended with it."""
    size = ViewportSize(width=1280, height=1000)
    context = browser.new_context(viewport=size, device_scale_factor=1, reduced_motion="reduce")
    context.set_default_timeout(LAB_READY)
    try:
        yield context.new_page()
    finally:
        context.close()
        for session in lab.ask("api/sessions").json():
            lab.ask(f"api/sessions/{session['id']}", method="DELETE")
