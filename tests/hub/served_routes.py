"""Every address that a lab's server serves, whatever its image has added."""

import re
from typing import Any

from tests.lab_visitor import NOTEBOOK, Visitor

TELL = """
from jupyter_server.serverapp import ServerApp
app = ServerApp.instance()
app.initialize(["--allow-root"], new_httpserver=False)
waiting = [app.web_app.default_router, app.web_app.wildcard_router]
while waiting:
    for rule in waiting.pop().rules:
        if hasattr(rule.target, "rules"):
            waiting.append(rule.target)
        if hasattr(rule.matcher, "regex"):
            print("route", rule.matcher.regex.pattern)
"""
"""A program for the Python of the image; `patterns` reads what it prints."""

OTHERS = re.compile(r"/logout|robots|favicon|^/\.\*/\$$|^\(\.\*\)\$$")
"""Ends the test; has no files; sends on to where there is no slash; says that nothing is there."""


def patterns(told: str) -> set[str]:
    """Regular expressions of what is served, from what `TELL` has printed."""
    found = {line.removeprefix("route ") for line in told.splitlines() if "route " in line}
    return {pattern for pattern in found if not OTHERS.search(pattern)}


def what_is_there(editor: Visitor) -> tuple[dict[str, Any], dict[str, str]]:
    """A session that was made, and names of it and of more, by the expression they stand for."""
    session = {"path": NOTEBOOK, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    made = editor.expect("POST", "/api/sessions", json=session)
    room = editor.room().partition("?")[0].removeprefix("/api/collaboration/room/")
    terminal = editor.expect("POST", "/api/terminals")["name"]
    known = {
        r"\(\?P<path>\(\?:.*?/\?\)\)": f"/{NOTEBOOK}",
        r"\(\?P<kernel_id>[^)]*\)": made["kernel"]["id"],
        r"\(\?P<session_id>[^)]*\)": made["id"],
        r"(?<=terminals/)\(\\w\+\)|(?<=websocket/)\(\\w\+\)": terminal,
        r"\(\?P<action>[^)]*\)": "restart",
        r"\(\?P<mode>.*": "lab",
        r"\(\?P<format>[^)]*\)": "html",
        r"(?<=fork/)\(\.\*\)|(?<=timeline/)\(\.\*\)": room,
        r"(?<=undo_redo/)\(\.\*\)": f"{room}?action=undo&steps=1&forkRoom=x",
        r"/\?\(\.\*\)": f"/{NOTEBOOK}",
        r"\(\.\*\)": NOTEBOOK,
        r"\([^)]*\)": "sample",
    }
    return made, known


def taken(watcher: Visitor, addresses: set[str]) -> dict[str, int]:
    """Requests that change something and were not refused, with what was answered."""
    done = {
        f"{method} {path}": watcher.request(method, path, json={}).status_code
        for path in sorted(addresses)
        for method in ("POST", "PUT", "PATCH", "DELETE", "GET")
    }
    harmless = ("GET", "PUT /api/collaboration/session")
    return {
        one: status
        for one, status in done.items()
        if status not in (403, 404, 405) and not one.startswith(harmless)
    }


def paths(found: set[str], known: dict[str, str]) -> set[str]:
    """An address that each route serves; ``known`` has names of what is there, by expression."""
    paths = {pattern: _sample(pattern, known) for pattern in found}
    for pattern, path in paths.items():
        assert re.fullmatch(pattern, path.partition("?")[0]), (pattern, path)
    return set(paths.values())


def _sample(pattern: str, known: dict[str, str]) -> str:
    pattern = pattern.removesuffix("$")
    for group, value in known.items():
        if re.search(group, pattern):
            pattern = re.sub(group, lambda _, value=value: value, pattern)
    return re.sub(r"/\?$", "", pattern.replace("/.*/", "/x/").replace(".*", "x")) or "/"
