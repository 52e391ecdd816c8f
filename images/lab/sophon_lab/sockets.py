"""The open WebSockets of everybody in the lab, and shutting those of whoever has to go.

Handlers of `jupyter-server-proxy` are WebSockets and pages alike: what a page of theirs streams is
shut, too.
"""

import logging
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from tornado.websocket import WebSocketHandler

from sophon_lab.rights import Rights

NO_ACCESS = 4403
"""Close code of sockets of whoever may not use them any more; 4000 to 4999 are free to use."""
COME_BACK = 1012
"""Close code of sockets that are to be opened again (RFC 6455's registry: service restart)."""
REASONS = {
    Rights.EDIT: "You may edit in this lab now.",
    Rights.WATCH: "You only watch in this lab now.",
    Rights.NONE: "You have no access to this lab any more.",
}


@dataclass(frozen=True)
class Visit:
    """With what somebody came in: a token of the hub, and the browser's session there."""

    token: str
    session_id: str


@dataclass(frozen=True)
class _Opened:
    visit: Visit
    username: str
    rights: Rights


class Sockets:
    """Remembers who opened which socket, for as long as the socket is there."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._opened: WeakKeyDictionary[WebSocketHandler, _Opened] = WeakKeyDictionary()

    def add(self, handler: WebSocketHandler, visit: Visit, username: str, rights: Rights) -> None:
        """Remember a socket that is about to open, whose it is and what may be done with it."""
        self._opened[handler] = _Opened(visit, username, rights)

    def visits(self) -> set[Visit]:
        """Everybody who has a socket open."""
        return {opened.visit for opened in self._opened.values()}

    def people(self) -> set[str]:
        """User names of everybody who has a socket open at this moment."""
        return {
            opened.username for handler, opened in self._opened.items() if _is_connected(handler)
        }

    def close_unless(self, visit: Visit, rights: Rights) -> int:
        """Close somebody's sockets that were opened with other rights; gives how many.

        Nobody else notices anything. Who may be here comes back with other rights.
        """
        found = [
            handler
            for handler, opened in self._opened.items()
            if opened.visit == visit and opened.rights is not rights
        ]
        code = COME_BACK if rights is Rights.EDIT else NO_ACCESS
        for handler in found:
            del self._opened[handler]
            try:
                _silence(handler)
                _close(handler, code, REASONS[rights])
            except Exception:
                self._log.exception("Cannot close a socket")
        return len(found)


def _is_connected(handler: WebSocketHandler) -> bool:
    return handler.ws_connection is not None and not handler.ws_connection.is_closing()


def _close(handler: Any, code: int, reason: str) -> None:
    """Say goodbye on a socket; end the connection of what is none, or not open yet."""
    if handler.ws_connection is not None:
        handler.close(code, reason)
    elif not handler._finished:  # after that the connection may serve somebody else's request
        connection = handler.request.connection
        if handler._headers_written:
            connection.finish()  # proxies do not pass on that a stream breaks off
        connection.stream.close()


def _silence(handler: Any) -> None:
    """Neither take nor give anything more: the other side has seconds to answer the goodbye."""
    handler.on_message = handler.write_message = _nothing


def _nothing(*_: object, **__: object) -> None:
    """Stand for what must not happen any more."""
