"""Nothing typed is lost: when documents are saved, and that a lab ends in time.

Documents are saved by their rooms (`rooms.LabRoom`); this is about all of them together. Whoever
stops a lab asks for ``POST sophon/flush`` first, and a lab that is told to end by a signal does
the same by itself before anything is taken down.
"""

import asyncio
import os
import signal
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server_ydoc import app as collaboration
from jupyter_server_ydoc import handlers

from sophon_lab import files, sessions
from sophon_lab.history import keep_before_end
from sophon_lab.homes import take_home
from sophon_lab.messages import MessageHandler
from sophon_lab.rooms import LabRoom
from sophon_lab.store import LabStore

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab

END_SECONDS = 0.3
"""Time that threads have to end after the main one has: some never do (sqlite-anyio's)."""

SIGNAL_SECONDS = 6.0
"""Longest time for saving once a signal has come; the engine kills after ten seconds."""


def install() -> None:
    """Put this package's rooms, store, memory and way of writing in place of the stock ones.

    Call it before the extension of jupyter-server-ydoc is loaded.
    """
    files.install()
    sessions.install()
    extension: Any = collaboration.YDocExtension
    for module in (handlers, collaboration):
        vars(module)["DocumentRoom"] = LabRoom
    extension.ystore_class.default_value = LabStore
    stock = extension.stop_extension

    async def stop_extension(self: Any) -> None:
        try:
            async with asyncio.timeout(SIGNAL_SECONDS):
                await flush(self)
        except TimeoutError:
            self.log.exception("Saving took too long: the lab ends without waiting for it")
        if self.ywebsocket_server.started.is_set():
            await stock(self)

    extension.stop_extension = stop_extension


def load(app: "SophonLab") -> None:
    """Make sure that nobody else saves these files, and add the handlers of this part."""
    take_home(Path.home(), app.log)
    options = {"message_key": app.message_key}
    app.handlers.append((r"/sophon/flush", FlushHandler, options))


async def start(app: "SophonLab") -> None:
    """See to it that this process ends once its server has, and not before, whatever the signal."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # without a terminal the server would end at once, and save nothing
        server: Any = app.server
        signal.signal(signal.SIGINT, server._signal_stop)
    threading.Thread(target=_end_with_main_thread, daemon=True, name="end").start()


async def flush(extension: Any) -> dict[str, str]:
    """Save all documents; what could not be saved, with the reason, by path."""
    rooms = extension.ywebsocket_server.rooms.values()
    open_now = [room for room in rooms if isinstance(room, LabRoom)]
    ends = await asyncio.gather(*(room.flush() for room in open_now), return_exceptions=True)
    await keep_before_end(open_now)
    return {
        room.path: str(end)
        for room, end in zip(open_now, ends, strict=True)
        if isinstance(end, BaseException)
    }


class FlushHandler(MessageHandler):
    """``POST sophon/flush``: save all documents now; whoever stops the lab asks for it."""

    async def post(self) -> None:
        """200 when all is saved; else 507 and what is not, by path, with the reason."""
        unsaved: dict[str, str] = {}
        server: Any = self.serverapp
        extensions = server.extension_manager.extension_apps
        for extension in extensions.get("jupyter_server_ydoc", ()):
            unsaved |= await flush(extension)
        self.set_status(HTTPStatus.INSUFFICIENT_STORAGE if unsaved else HTTPStatus.OK)
        self.finish({"unsaved": unsaved})


def _end_with_main_thread() -> None:
    threading.main_thread().join()
    time.sleep(END_SECONDS)
    os._exit(0)
