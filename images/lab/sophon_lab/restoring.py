"""A version of a notebook becomes what the notebook is, also while people have it open."""

import asyncio
import os
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_server.utils import ensure_async

from sophon_lab.history import Keeper, keeper
from sophon_lab.messages import MessageHandler
from sophon_lab.rooms import LabRoom
from sophon_lab.versions import NoVersion, TooLarge

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab

UNREADABLE = "What was kept of this version is no notebook."


class RestoreHandler(MessageHandler):
    """``POST sophon/restore``, asked for by the hub: ``{"version": id, "by": username}``."""

    async def post(self) -> None:
        """200 when it is done; else what kept it from that, as ``{"problem": sentence}``."""
        wish, found = self.get_json_body() or {}, keeper()
        if found is None:
            self._refuse(HTTPStatus.CONFLICT, "This lab keeps no versions.")
            return
        try:
            await self._restore(found, str(wish.get("version")), str(wish.get("by")))
        except (NoVersion, TooLarge) as error:
            self._refuse(HTTPStatus.CONFLICT, str(error))
        except Exception as error:
            self.log.exception("Cannot restore a version")
            self._refuse(HTTPStatus.INSUFFICIENT_STORAGE, f"It could not be saved: {error}")
        else:
            self.finish({})

    def _refuse(self, status: HTTPStatus, problem: str) -> None:
        self.set_status(status)
        self.finish({"problem": problem})

    async def _restore(self, found: Keeper, number: str, by: str) -> None:
        version, kept = await asyncio.to_thread(found.versions.read, number)
        file = str(Path(found.home, version.path))
        try:
            notebook = await asyncio.to_thread(_notebook, kept)
        except Exception as error:
            raise NoVersion(UNREADABLE) from error
        manager: Any = self.contents_manager
        path = os.path.relpath(file, manager.root_dir)
        manager.mark_trusted_cells(notebook, path)
        room = self._room(file)
        if room is not None:
            await room.history.restore(notebook, by)
            return
        await found.keep(file, [], "before")
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        await ensure_async(
            manager.save({"type": "notebook", "format": "json", "content": notebook}, path)
        )
        await found.keep(file, [by], "restored", always=True)

    def _room(self, file: str) -> LabRoom | None:
        """Where people have this file open."""
        server: Any = self.serverapp
        extensions = server.extension_manager.extension_apps.get("jupyter_server_ydoc", ())
        rooms = (room for one in extensions for room in one.ywebsocket_server.rooms.values())
        return next(
            (
                room
                for room in rooms
                if isinstance(room, LabRoom) and room.ready and room.file == file
            ),
            None,
        )


def _notebook(kept: bytes) -> Any:
    return nbformat.reads(kept.decode(), as_version=4)


def load(app: "SophonLab") -> None:
    """Add the handler of this part."""
    options = {"message_key": app.message_key}
    app.handlers.append((r"/sophon/restore", RestoreHandler, options))


async def start(app: "SophonLab") -> None:
    """Nothing runs beside requests."""
