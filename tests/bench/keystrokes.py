"""From a key pressed in one browser to the text on the screen of another.

Everybody has a browser context of their own, with an account of their own, and the same notebook
open. The time ends when the other browser has drawn the frame with the new letter.
"""

import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.bench.live import OWNER, Door, Lab, make_labs, prepared_site
from tests.bench.report import Report, Target
from tests.bench.rtc import Typist, typing
from tests.browser import running_chromium
from tests.journeys.jupyterlab import cells, enter
from tests.journeys.site import Site
from tests.waiting import wait_for

TEN, TWENTY = 10, 20
EDITORS = (OWNER, *(f"editor{number}" for number in range(2, TWENTY + 1)))
KEYS = 60
LONG = 180
PAUSE_MS = 150
OTHERS_PAUSE_MS = 400
NOTEBOOK = "measured.ipynb"
LETTER, OTHERS_LETTER = "q", "w"
TARGET = Target("p95", 200)

WRITE = """async ([url, body]) => {
    const xsrf = document.cookie.match(/(?:^|; )_xsrf=([^;]+)/)[1];
    const headers = {"X-XSRFToken": xsrf, "Content-Type": "application/json"};
    return (await fetch(url, {method: "PUT", headers, body})).status;
}"""

NOTE_KEYS = """(letter) => {
    const origin = Date.now() - performance.now();
    const pressed = window.pressed = [];
    const note = (event) => {
        if (event.key === letter) pressed.push(origin + event.timeStamp);
    };
    window.addEventListener("keydown", note, {capture: true});
}"""

NOTE_LETTERS = """(content, letter) => {
    const origin = Date.now() - performance.now();
    const count = () => content.textContent.split(letter).length - 1;
    const before = count();
    const seen = window.seen = [];
    const drawn = () => {
        const letters = count() - before;
        while (seen.length < letters) seen.push(origin + performance.now());
    };
    new MutationObserver(() => requestAnimationFrame(() => setTimeout(drawn)))
        .observe(content, {childList: true, subtree: true, characterData: true});
}"""


def measure(report: Report) -> None:
    """Two editors; ten of whom eight have no browser; ten browsers."""
    with ExitStack() as stack:
        site = stack.enter_context(site_with_editors({}))
        report.say("starting a hub and a lab")
        site.start()
        lab = _started_lab(site)
        browser = stack.enter_context(running_chromium())
        pages = [stack.enter_context(site.browser_of(browser, name)) for name in EDITORS[:2]]
        writer, reader = pages
        enter(writer, f"{lab.url}/lab")
        write_notebook(writer, lab)
        for page in pages:
            enter(page, f"{lab.url}/lab", NOTEBOOK)
        report.add("2_editors", "ms", type_and_read(writer, reader), TARGET)
        with typing(typists(site, lab, TEN)):
            report.add("10_editors", "ms", type_and_read(writer, reader), TARGET)
        typed = [text.count(OTHERS_LETTER) for text in cells(reader).all_inner_texts()[2:]]
        assert min(typed) >= KEYS * PAUSE_MS / OTHERS_PAUSE_MS / 2, typed
        for name in EDITORS[2:TEN]:
            page = stack.enter_context(site.browser_of(browser, name))
            enter(page, f"{lab.url}/lab", NOTEBOOK)
            pages.append(page)
            report.say(f"{len(pages)} browsers")
        report.add("10_browsers.one_types", "ms", type_and_read(writer, reader))
        report.note(f"Chromium {browser.version}; all contexts are in one browser process")
    report.note(
        "10_editors: two browsers, and eight clients that send and take the same messages but"
        f" draw nothing, each typing a letter every {OTHERS_PAUSE_MS} ms: ten browsers on the"
        " machine that also runs the lab would measure their own drawing"
    )
    report.note("10_browsers: as many whole JupyterLab pages on this one machine; one types")


def _started_lab(site: Site) -> Lab:
    """A running lab of a group that all editors belong to."""
    owner = site.api(OWNER)
    (lab,) = make_labs(owner, 1)
    join(site)
    owner.start(lab.path)
    return lab


def join(site: Site) -> None:
    """All editors become members of the group."""
    for name in EDITORS[1:]:
        site.api(name).expect(200, "POST", "groups/measured/join", json={})


def typists(
    site: Site, lab: Lab, editors: int, pause: float = OTHERS_PAUSE_MS / 1000
) -> list[Typist]:
    """All but the first two of so many editors, who have no browser.

    Ten have a cell each; more share these, so that a browser shows as much.
    """
    return [
        Typist.sit_down(
            Door(site, name),
            lab,
            NOTEBOOK,
            cell=2 + (number - 2) % (TEN - 2),
            letter=OTHERS_LETTER,
            pause=pause,
        )
        for number, name in enumerate(EDITORS[2:editors], start=2)
    ]


def type_and_read(writer: Page, reader: Page, keys: int = KEYS) -> list[float]:
    """Milliseconds of each key, from one page to the other, in the first cell."""
    cells(reader).first.locator(".cm-content").evaluate(NOTE_LETTERS, LETTER)
    cells(writer).first.locator(".cm-content").click()
    writer.evaluate(NOTE_KEYS, LETTER)
    for _ in range(keys):
        writer.keyboard.press(LETTER)
        writer.wait_for_timeout(PAUSE_MS)
    wait_for(lambda: reader.evaluate("window.seen.length") == keys, "all keys to arrive", LONG)
    pressed, seen = writer.evaluate("window.pressed"), reader.evaluate("window.seen")
    return [there - here for here, there in zip(pressed, seen, strict=True)]


@contextmanager
def site_with_editors(environment: dict[str, str]) -> Iterator[Site]:
    """A hub with an account for each editor, to be started."""
    passwords = {name: secrets.token_urlsafe(12) for name in EDITORS}
    with tempfile.TemporaryDirectory(prefix="sophon-bench-") as directory:
        accounts = Path(directory) / "accounts.json"
        accounts.touch(mode=0o600)
        rows = [{"username": name, "password": word} for name, word in passwords.items()]
        accounts.write_text(json.dumps(rows))
        with prepared_site({**environment, "SOPHON_ACCOUNTS_FILE": str(accounts)}) as site:
            site.passwords = passwords
            yield site


def write_notebook(page: Page, lab: Lab) -> None:
    """A notebook with an empty cell for each of ten editors."""
    empty: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "source": "",
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": [{**empty, "id": f"cell-{number}"} for number in range(TEN)],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    body = json.dumps({"type": "notebook", "format": "json", "content": notebook})
    status = page.evaluate(WRITE, [f"{lab.url}/api/contents/{NOTEBOOK}", body])
    assert status == 201, status
