"""Access that ends: at once when the hub tells, and within seconds when it did not."""

import asyncio
from typing import TYPE_CHECKING, Any

from sophon_lab.identity import SophonIdentityProvider
from sophon_lab.messages import MessageHandler

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab

CHECK_SECONDS = 3.0
"""Time between two questions about somebody who stays: below five also when much is going on."""


class RevalidateHandler(MessageHandler):
    """Takes the message that somebody's access may have changed."""

    async def post(self) -> None:
        """Ask the hub about everybody who is connected; the answer says that it is done."""
        await provider_of(self.identity_provider).revalidate()
        self.set_status(204)


def provider_of(found: Any) -> SophonIdentityProvider:
    """The server's identity provider, which has to be ours."""
    if not isinstance(found, SophonIdentityProvider):
        raise TypeError(
            "start the server with"
            " --ServerApp.identity_provider_class=sophon_lab.extension.SophonIdentityProvider"
        )
    return found


def load(app: "SophonLab") -> None:
    """Add the handlers of this part."""
    provider_of(app.server.identity_provider)
    options = {"message_key": app.message_key}
    app.handlers.append((r"/sophon/revalidate", RevalidateHandler, options))


async def start(app: "SophonLab") -> None:
    """Begin with what runs beside requests."""
    app.keep(_check_again_and_again(provider_of(app.server.identity_provider)))


async def _check_again_and_again(provider: SophonIdentityProvider) -> None:
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        try:
            await provider.revalidate()
        except Exception:
            provider.log.exception("Cannot ask the hub who may be here")
