"""Whether somebody edits or only watches, for the page that is open in their browser."""

from typing import TYPE_CHECKING

from jupyter_server.base.handlers import APIHandler
from tornado import web

from sophon_lab.rights import Rights

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab


class ModeHandler(APIHandler):
    """``GET sophon/mode``: asked every few seconds by each page that somebody looks at."""

    _track_activity = False  # a page that is open is no sign of anybody at work

    @web.authenticated
    async def get(self) -> None:
        """Say it as ``{"mode": "edit" or "watch"}``."""
        rights: Rights = self._sophon_rights  # type: ignore[attr-defined] # by who let them in
        self.finish({"mode": rights})


def load(app: "SophonLab") -> None:
    """Add the handler of this part."""
    app.handlers.append((r"/sophon/mode", ModeHandler))


async def start(app: "SophonLab") -> None:
    """Nothing runs beside requests."""
