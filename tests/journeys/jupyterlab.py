"""Using JupyterLab as a person does: opening notebooks, typing, running cells, reading."""

import re

from playwright.sync_api import Locator, Page, expect

LAB_READY = 40_000
"""Milliseconds until JupyterLab is drawn on a busy machine."""


def enter(page: Page, lab_url: str, notebook: str | None = None) -> None:
    """Go to a lab, or to a notebook in it, and wait until JupyterLab is drawn."""
    page.goto(f"{lab_url}/tree/{notebook}" if notebook else lab_url)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible(timeout=LAB_READY)
    if notebook:
        expect(cells(page).first).to_be_visible(timeout=LAB_READY)


def new_notebook(page: Page) -> str:
    """Make a notebook from the launcher; gives its file name."""
    card = page.locator('.jp-LauncherCard[data-category="Notebook"]').first
    card.click(timeout=LAB_READY)
    expect(cells(page).first).to_be_visible(timeout=LAB_READY)
    wait_for_kernel(page)
    match = re.search(r"/tree/([^?#]+\.ipynb)", page.url)
    assert match, page.url
    return match[1]


def wait_for_kernel(page: Page) -> None:
    """Wait until the notebook's kernel is connected and idle, as the status bar says."""
    status = page.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle"))
    expect(status).to_be_visible(timeout=LAB_READY)


def cells(page: Page) -> Locator:
    """The cells of the notebook on screen."""
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")


def type_in_cell(page: Page, number: int, text: str, *, at_end: bool = True) -> None:
    """Click into a cell and type, key by key."""
    # whose window is not in front has no caret, neither here nor on a person's screen
    page.bring_to_front()
    cells(page).nth(number).locator(".cm-content").click()
    if at_end:
        page.keyboard.press("Control+End")
    page.keyboard.type(text)


def replace_cell(page: Page, number: int, text: str) -> None:
    """Click into a cell and type over everything in it."""
    cells(page).nth(number).locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def run_cell(page: Page, number: int) -> None:
    """Run a cell and stay on it."""
    cells(page).nth(number).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")


def output(page: Page, number: int) -> Locator:
    """The output below a cell."""
    return cells(page).nth(number).locator(".jp-OutputArea-output")


def save(page: Page) -> None:
    """Save the notebook and wait until that is done."""
    with page.expect_response(
        lambda answer: "/api/contents/" in answer.url or "/save" in answer.url, timeout=15_000
    ):
        page.keyboard.press("Control+s")


def carets(page: Page) -> Locator:
    """The carets of others in the cells on screen."""
    return page.locator(".jp-remote-cursor")


def point_at(page: Page, target: Locator) -> None:
    """Move the mouse onto something, from a little beside it."""
    box = target.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 40, y)
    page.mouse.move(x - 1, y, steps=4)


def caret_name(page: Page) -> Locator:
    """The name at the caret that the mouse is near."""
    return page.locator(".jp-remote-userFlag-name").first
