"""Who may be here: told by the hub, and asked again while people are connected."""

from typing import TYPE_CHECKING

from sophon_lab.messages import MessageHandler

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab


class RevalidateHandler(MessageHandler):
    """Takes the message that somebody's access may have changed."""

    def post(self) -> None:
        """Ask the hub about everybody who is connected."""
        self.set_status(204)


def load(app: "SophonLab") -> None:
    """Add the handlers of this part."""
    options = {"message_key": app.message_key}
    app.handlers.append((r"/sophon/revalidate", RevalidateHandler, options))


async def start(app: "SophonLab") -> None:
    """Begin with what runs beside requests."""
