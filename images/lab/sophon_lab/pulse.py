"""How the lab is, for the hub, which asks every few seconds: who is in it, and whether it is used.

With its question the hub tells when it will stop the lab because nobody works in it. People are
warned, and a click keeps it running: that counts as work.
"""

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from jupyter_server.base.handlers import APIHandler
from tornado.web import authenticated

from sophon_lab.access import provider_of
from sophon_lab.activity import is_busy
from sophon_lab.messages import MessageHandler

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab

WARN_SECONDS = 5.0
"""Between two warnings: who opens JupyterLab meanwhile is warned, too."""

STOPS = "urn:sophon:lab-stops:v1"
"""Schema of the event that JupyterLab hears; ``share/labextensions`` shows it."""


class PulseHandler(MessageHandler):
    """``POST sophon/pulse {stops_in}``: the hub asks, and takes from the answer what can be true.

    ``stops_in`` are seconds until the lab is stopped if nobody works, or null.
    """

    def initialize(self, message_key: str, warning: "StopWarning") -> None:  # type: ignore[override]
        """``warning`` is what people are told."""
        super().initialize(message_key)
        self._warning = warning

    async def post(self) -> None:
        """200; user names of who is connected, seconds without work, and whether it is busy."""
        self._warning.tell((self.get_json_body() or {}).get("stops_in"))
        provider = provider_of(self.identity_provider)
        self.finish(
            {
                "people": sorted(provider.sockets.people()),
                "idle_seconds": provider.activity.idle_seconds(self.serverapp),
                "busy": is_busy(self.serverapp),
            }
        )

    def _log(self) -> None:
        """Write to the log what went wrong only: this comes too often for the rest."""
        if self.get_status() >= HTTPStatus.BAD_REQUEST:
            super()._log()


class KeepHandler(APIHandler):
    """``POST sophon/keep``: somebody wants the lab to go on; who only watches may not."""

    def initialize(self, warning: "StopWarning") -> None:
        """``warning`` is what people were told."""
        self._warning = warning

    @authenticated
    async def post(self) -> None:
        """204; counts as work."""
        provider_of(self.identity_provider).activity.note()
        self._warning.tell(None)
        self.set_status(HTTPStatus.NO_CONTENT)


class StopWarning:
    """Tells everybody who has JupyterLab open that the lab will be stopped, or goes on."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self._told_at: float | None = None
        text = {"type": ["number", "null"], "title": "Seconds until the lab is stopped"}
        events.register_event_schema(
            {
                "$id": STOPS,
                "version": "1",
                "title": "The lab will be stopped since nobody works in it",
                "type": "object",
                "properties": {"seconds": text},
                "required": ["seconds"],
            }
        )

    def tell(self, stops_in: float | None) -> None:
        """``stops_in`` are the seconds until then; None when it goes on."""
        now = time.monotonic()
        if stops_in is None:
            if self._told_at is not None:
                self._told_at = None
                self._emit(None)
        elif self._told_at is None or now - self._told_at >= WARN_SECONDS:
            self._told_at = now
            self._emit(stops_in)

    def _emit(self, seconds: float | None) -> None:
        self._events.emit(schema_id=STOPS, data={"seconds": seconds})


def load(app: "SophonLab") -> None:
    """Add the handlers of this part."""
    warning = StopWarning(app.server.event_logger)
    options = {"message_key": app.message_key, "warning": warning}
    app.handlers.append((r"/sophon/pulse", PulseHandler, options))
    app.handlers.append((r"/sophon/keep", KeepHandler, {"warning": warning}))


async def start(app: "SophonLab") -> None:
    """Nothing runs beside requests."""
