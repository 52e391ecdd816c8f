"""The Jupyter Server extension: parts, in order, and nothing that can fail unseen."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from traitlets import Float, Int, Unicode

from sophon_lab import (
    access,
    history,
    kernels,
    memory,
    mode,
    pulse,
    resources,
    restoring,
    saving,
    visit,
)
from sophon_lab.identity import SophonIdentityProvider

__all__ = ["SophonIdentityProvider", "SophonLab"]
"""The spawner names the identity provider here: without the extension no server starts."""

saving.install()  # the collaboration is loaded before what is below

PARTS = (access, mode, kernels, saving, history, restoring, pulse, memory, resources, visit)
"""Modules with ``load(app)`` and ``async start(app)``; one that fails ends the server."""


class SophonLab(ExtensionApp):
    """The extension; `SophonLab.message_key` is what the spawner tells it."""

    name = "sophon_lab"

    message_key = Unicode(
        help="""Public key (Ed25519, as hex) of the hub's messages to labs. Without it the lab
        takes no messages.""",
    ).tag(config=True)

    history_minutes = Float(
        0.0,
        help="""Minutes of change after which a version of a notebook is kept; 0 keeps none.""",
    ).tag(config=True)

    history_versions = Int(100, help="Versions of each notebook that are kept.").tag(config=True)

    history_size = Int(200 * 1024**2, help="Bytes of all versions that are kept.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def server(self) -> ServerApp:
        """The server that this extension belongs to."""
        if self.serverapp is None:
            raise RuntimeError("no server has loaded the extension yet")
        return self.serverapp

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this beside the requests until the server ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop_extension(self) -> None:
        """End what runs beside the requests."""
        for task in self._tasks:
            task.cancel()

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
