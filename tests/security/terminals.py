"""A terminal of a lab, through its web socket: what somebody inside types and reads."""

import contextlib
import json
from collections.abc import Iterator

from websockets.sync.client import ClientConnection, connect

from tests.journeys.site import LabVisit


def cookies(visit: LabVisit) -> str:
    """What a browser sends along to this lab."""
    path = "/" + visit.url.split("/", 3)[3] + "/"
    return "; ".join(
        f"{cookie.name}={cookie.value}"
        for cookie in visit.session.cookies
        if cookie.path in (path, "/")
    )


@contextlib.contextmanager
def terminal(visit: LabVisit) -> Iterator[ClientConnection]:
    """An open terminal in the lab."""
    made = visit.session.post(
        f"{visit.url}/api/terminals", headers={"X-XSRFToken": visit._xsrf()}, timeout=30
    )
    assert made.ok, made.text
    address = f"{visit.url}/terminals/websocket/{made.json()['name']}".replace("http:", "ws:")
    with connect(address, additional_headers={"Cookie": cookies(visit)}) as socket:
        yield socket


def run_in(socket: ClientConnection, command: str, expected: str) -> str:
    """Type a command into a terminal and wait until this is among what it says."""
    socket.send(json.dumps(["stdin", f"{command}\n"]))
    said = ""
    while expected not in said:
        kind, *rest = json.loads(socket.recv(timeout=30))
        said += str(rest[0]) if kind == "stdout" else ""
    return said
