"""The Jupyter Server extension: parts, in order, and nothing that can fail unseen."""

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode

from sophon_lab import access, saving

saving.install()  # the collaboration is loaded before what is below

PARTS = (access, saving)
"""Modules with ``load(app)`` and ``async start(app)``; one that fails ends the server."""


class SophonLab(ExtensionApp):
    """The extension; `SophonLab.message_key` is what the spawner tells it."""

    name = "sophon_lab"

    message_key = Unicode(
        help="""Public key (Ed25519, as hex) of the hub's messages to labs. Without it the lab
        takes no messages.""",
    ).tag(config=True)

    def initialize_handlers(self) -> None:
        """Add what each part serves; a lab without a part would not be protected."""
        for part in PARTS:
            try:
                part.load(self)
            except Exception:
                self.log.exception("Cannot load %s", part.__name__)
                self.exit(1)

    async def _start_jupyter_server_extension(self, serverapp: object) -> None:
        for part in PARTS:
            try:
                await part.start(self)
            except Exception:
                self.log.exception("Cannot start %s", part.__name__)
                self.exit(1)
