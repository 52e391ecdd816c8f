"""When a temporary lab ends: told by the hub now and then, and shown in JupyterLab."""

import time
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from sophon_lab.messages import MessageHandler

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab


class Visit:
    """What the hub has said last; nothing in labs that are not temporary."""

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}
        self._told_at = 0.0

    def tell(self, told: dict[str, Any]) -> None:
        """Take ``ends_in`` and ``idle_ends_in`` (seconds) and ``keep_url`` (an address)."""
        self._told, self._told_at = told, time.monotonic()

    def now(self) -> dict[str, Any]:
        """The same, at this moment; None where nothing is known."""
        since = time.monotonic() - self._told_at
        ends, idle = self._told.get("ends_in"), self._told.get("idle_ends_in")
        return {
            "ends_in": None if ends is None else max(0.0, ends - since),
            "idle_ends_in": None if idle is None else max(0.0, idle - since),
            "keep_url": self._told.get("keep_url"),
        }


class TellHandler(MessageHandler):
    """``POST sophon/visit-ends``: the hub tells when the visit ends."""

    def initialize(self, message_key: str, visit: Visit) -> None:  # type: ignore[override]
        """``visit`` is what is shown."""
        super().initialize(message_key)
        self._visit = visit

    async def post(self) -> None:
        """204."""
        self._visit.tell(self.get_json_body() or {})
        self.set_status(204)


class VisitHandler(APIHandler):
    """``GET sophon/visit``: asked by the page that shows it."""

    _track_activity = False  # a page that is open is no sign of anybody at work

    def initialize(self, visit: Visit) -> None:
        """``visit`` is what the hub has said."""
        self._visit = visit

    @web.authenticated
    async def get(self) -> None:
        """``ends_in`` and ``idle_ends_in`` in seconds, and ``keep_url``."""
        self.finish(self._visit.now())


def load(app: "SophonLab") -> None:
    """Add the handlers of this part."""
    visit = Visit()
    options = {"message_key": app.message_key, "visit": visit}
    app.handlers.append((r"/sophon/visit-ends", TellHandler, options))
    app.handlers.append((r"/sophon/visit", VisitHandler, {"visit": visit}))


async def start(app: "SophonLab") -> None:
    """Nothing runs beside requests."""
