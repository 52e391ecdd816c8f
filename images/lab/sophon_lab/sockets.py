"""The open WebSockets of everybody in the lab, and shutting those of whoever has to go."""

import logging
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from tornado.websocket import WebSocketHandler

NO_ACCESS = 4403
"""Close code of sockets of whoever may not be here any more; 4000 to 4999 are free to use."""


@dataclass(frozen=True)
class Visit:
    """With what somebody came in: a token of the hub, and the browser's session there."""

    token: str
    session_id: str


class Sockets:
    """Remembers who opened which socket, for as long as the socket is there."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._visits: WeakKeyDictionary[WebSocketHandler, Visit] = WeakKeyDictionary()

    def add(self, handler: WebSocketHandler, visit: Visit) -> None:
        """Remember a socket that is about to open."""
        self._visits[handler] = visit

    def visits(self) -> set[Visit]:
        """Everybody who has a socket open."""
        return set(self._visits.values())

    def close(self, visit: Visit, code: int, reason: str) -> int:
        """Close all sockets of somebody and give how many; nobody else notices anything."""
        found = [handler for handler, theirs in self._visits.items() if theirs == visit]
        for handler in found:
            del self._visits[handler]
            try:
                _silence(handler)
                handler.close(code, reason)
            except Exception:
                self._log.exception("Cannot close a socket")
        return len(found)


def _silence(handler: Any) -> None:
    """Neither take nor give anything more: the other side has seconds to answer the goodbye."""
    handler.on_message = handler.write_message = _nothing


def _nothing(*_: object, **__: object) -> None:
    """Stand for what must not happen any more."""
