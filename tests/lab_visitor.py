"""Somebody in a lab without a browser: pages, the REST API, and sockets of every kind."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Self

import requests
from requests.cookies import get_cookie_header
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.tls import client_context
from tests.waiting import wait_for

NOTEBOOK = "shared.ipynb"
EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
KINDS = ("document", "awareness", "kernel", "terminal", "events")
NO_ACCESS = 4403
PATIENCE = 60


@dataclass
class Visitor:
    """Somebody who has signed in and entered the lab at ``url``; use it in a ``with`` statement."""

    url: str
    browser: requests.Session
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self.browser.close()

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """Ask the lab as a page in the browser does."""
        kwargs.setdefault("timeout", PATIENCE)
        kwargs.setdefault("allow_redirects", False)
        headers = {"X-XSRFToken": self._xsrf(), **kwargs.pop("headers", {})}
        return self.browser.request(method, f"{self.url}{path}", headers=headers, **kwargs)

    def expect(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = self.request(method, path, **kwargs)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def socket(self, path: str) -> ClientConnection:
        """Open a socket, which is closed with the visitor."""
        url = self.url.replace("http", "ws", 1) + path
        headers = {"Cookie": self.cookie_header(), "Sec-Fetch-Mode": "websocket"}
        trust = self.browser.verify
        tls = client_context(trust) if isinstance(trust, str) else None
        return self._open.enter_context(
            connect(url, additional_headers=headers, ssl=tls, open_timeout=PATIENCE, max_size=None)
        )

    def room(self, notebook: str = NOTEBOOK) -> str:
        """Path of the room of a notebook."""
        session = self.expect(
            "PUT",
            f"/api/collaboration/session/{notebook}",
            json={"format": "json", "type": "notebook"},
        )
        room = f"json:notebook:{session['fileId']}"
        return f"/api/collaboration/room/{room}?sessionId={session['sessionId']}"

    def open_all(self, paths: dict[str, str]) -> dict[str, ClientConnection]:
        """Open a socket of each kind."""
        assert tuple(paths) == KINDS
        return {kind: self.socket(path) for kind, path in paths.items()}

    def paths_of_every_kind(self) -> dict[str, str]:
        """A path of each kind of socket that stock images serve, with what it needs made."""
        kernel = self.expect("POST", "/api/kernels", json={"name": "python3"})["id"]
        terminal = self.expect("POST", "/api/terminals")["name"]
        return {
            "document": self.room(),
            "awareness": "/api/collaboration/room/JupyterLab:globalAwareness",
            "kernel": f"/api/kernels/{kernel}/channels",
            "terminal": f"/terminals/websocket/{terminal}",
            "events": "/api/events/subscribe",
        }

    def cookie_header(self) -> str:
        """What the browser sends to the lab; the longest path comes first, as in browsers."""
        request = requests.Request("GET", f"{self.url}/").prepare()
        return get_cookie_header(self.browser.cookies, request) or ""

    def _xsrf(self) -> str:
        header = SimpleCookie(self.cookie_header())
        return next((header[name].value for name in header if name.endswith("_xsrf")), "")


def close_codes(sockets: dict[str, ClientConnection], seconds: float) -> dict[str, int | None]:
    """`close_code` of each kind of socket, all within this time."""
    end = time.monotonic() + seconds
    return {kind: close_code(one, end - time.monotonic()) for kind, one in sockets.items()}


def close_code(socket: ClientConnection, seconds: float) -> int | None:
    """With which code the lab has closed the socket; None when it is open after this time."""

    def is_closed() -> bool:
        try:
            socket.recv(timeout=0.01)
        except TimeoutError:
            return False
        except ConnectionClosed:
            return True
        return False

    try:
        wait_for(is_closed, "the socket to close", seconds)
    except AssertionError:
        return None
    received = socket.protocol.close_rcvd
    return received.code if received else 0


def is_alive(socket: ClientConnection) -> bool:
    """Whether the lab answers on this socket."""
    try:
        return socket.ping().wait(PATIENCE)
    except ConnectionClosed:
        return False


def all_alive(sockets: dict[str, ClientConnection]) -> bool:
    """Whether the lab answers on every one."""
    return all(map(is_alive, sockets.values()))
