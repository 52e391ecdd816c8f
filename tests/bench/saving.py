"""How far the file is behind somebody who types without pause, and how long a stop takes."""

import asyncio
import time
from urllib.parse import urlsplit

from tests.bench.live import OWNER, Door, Lab, make_labs, running_site
from tests.bench.report import Report, Target
from tests.editing import Editor, notebook
from tests.journeys.site import Api

TYPING_SECONDS = 60
PAUSE_SECONDS = 0.1
DOCUMENTS = 10
STOPS = 3
BEHIND = Target("max", 10)
STOPPED = Target("max", 15)


def measure(report: Report) -> None:
    """One person types into one notebook; then a lab with ten open notebooks is stopped."""
    with running_site(report) as site:
        owner = site.api(OWNER)
        (lab,) = make_labs(owner, 1)
        owner.start(lab.path)
        report.add("edit_to_disk", "s", asyncio.run(_behind(Door(site), lab)), BEHIND)
        owner.stop(lab.path)
        seconds = []
        for _ in range(STOPS):
            owner.start(lab.path)
            seconds.append(asyncio.run(_stop(Door(site), lab, owner)))
        report.add("stop_with_10_open_documents", "s", seconds, STOPPED)
    report.note(
        f"edit_to_disk: a letter every {PAUSE_SECONDS:g} s for {TYPING_SECONDS} s; at each look the"
        " age of the oldest letter that is not in the file"
    )


async def _behind(door: Door, lab: Lab) -> list[float]:
    door.enter(lab)
    editor = await _open(door, lab, "measured.ipynb")
    typed, ages = [], []
    begin = time.monotonic()
    while time.monotonic() - begin < TYPING_SECONDS:
        await editor.type("x")
        typed.append(time.monotonic())
        found = await asyncio.to_thread(_letters_on_disk, door, lab, "measured.ipynb")
        now = time.monotonic()
        ages.append(now - typed[found] if found < len(typed) else 0)
        await asyncio.sleep(PAUSE_SECONDS)
    await editor.disconnect()
    return ages


async def _stop(door: Door, lab: Lab, owner: Api) -> float:
    door.enter(lab)
    editors = [await _open(door, lab, f"open-{number}.ipynb") for number in range(DOCUMENTS)]
    for editor in editors:
        await editor.type("x")
        await editor.acknowledged()
    begin = time.monotonic()
    await asyncio.to_thread(owner.stop, lab.path)
    seconds = time.monotonic() - begin
    for editor in editors:
        await editor.disconnect()
    return seconds


async def _open(door: Door, lab: Lab, path: str) -> Editor:
    answer = door.session.put(
        f"{lab.url}/api/contents/{path}",
        json={"type": "notebook", "format": "json", "content": notebook("")},
        headers=_word(door, lab),
        timeout=30,
    )
    assert answer.ok, f"{answer.status_code} {answer.text}"
    editor = Editor(door.session, lab.url, path)
    await editor.connect()
    return editor


def _letters_on_disk(door: Door, lab: Lab, path: str) -> int:
    """The lab reads the file for this, not the document that is open."""
    url = f"{lab.url}/api/contents/{path}"
    answer = door.session.get(url, headers=_word(door, lab), timeout=30)
    assert answer.ok, f"{answer.status_code} {answer.text}"
    return int(answer.json()["content"]["cells"][0]["source"].count("x"))


def _word(door: Door, lab: Lab) -> dict[str, str]:
    """The word against forgery, which JupyterLab sends along, too."""
    path = urlsplit(lab.url).path + "/"
    return {"X-XSRFToken": str(door.session.cookies.get("_xsrf", path=path))}
