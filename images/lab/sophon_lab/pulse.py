"""How the lab is, for the hub, which asks every few seconds: who is in it."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from sophon_lab.access import provider_of
from sophon_lab.messages import MessageHandler

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab


class PulseHandler(MessageHandler):
    """``POST sophon/pulse``: the hub asks; it takes from the answer what can be true."""

    async def post(self) -> None:
        """200 and user names of the people whose browsers are connected."""
        people = provider_of(self.identity_provider).sockets.people()
        self.finish({"people": sorted(people)})

    def _log(self) -> None:
        """Write to the log what went wrong only: this comes too often for the rest."""
        if self.get_status() >= HTTPStatus.BAD_REQUEST:
            super()._log()


def load(app: "SophonLab") -> None:
    """Add the handler of this part."""
    options = {"message_key": app.message_key}
    app.handlers.append((r"/sophon/pulse", PulseHandler, options))


async def start(app: "SophonLab") -> None:
    """Nothing runs beside requests."""
