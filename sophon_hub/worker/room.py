"""Seeing to it that no lab fills the disk that all homes are on.

A volume of the engine has no limit. So the worker looks every few seconds at what is free. Below
the setting `disk_floor` it measures all homes of running labs at once, and stops the lab whose
home has grown most since it was last measured. The next one follows only if room goes on being
lost after that.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

from sophon_hub.amounts import parse_bytes
from sophon_hub.store import servers
from sophon_hub.store.servers import UsedHome
from sophon_hub.volumes import room
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker import halt
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")

GROWTH = 256 * 1024**2
"""Bytes that a home must have grown by; what everybody does now and then stops nobody."""

GOING_ON = 64 * 1024**2
"""Bytes that are lost between two looks where somebody goes on filling the disk."""

FAR_SECONDS = 30.0
"""Between two looks at an engine elsewhere, each of which takes a container."""


class RoomWatch:
    """Looks at the disk; one for each worker.

    Attributes:
        free_bytes: what was free at the last look; None before the first.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._floor = parse_bytes(context.settings.disk_floor)
        self._due = 0.0
        self._is_low: bool | None = None
        self._trouble = ""
        self._before: dict[str, int] = {}
        self._free_before: int | None = None
        self._stopping: str | None = None
        self.free_bytes: int | None = None

    async def look(self) -> None:
        """Look, and stop at most one lab."""
        if time.monotonic() < self._due:
            return
        try:
            found = await asyncio.to_thread(room.look, self._context.settings)
            self._due = 0.0 if found.near else time.monotonic() + FAR_SECONDS
            await self._act(found.free_bytes)
            self._trouble = ""
        except VolumeTrouble as error:
            self._due = time.monotonic() + FAR_SECONDS
            if str(error) != self._trouble:
                log.warning("cannot look at the disk of the homes: %s", error)
            self._trouble = str(error)

    async def _act(self, free: int) -> None:
        self.free_bytes = free
        was_low, self._is_low = self._is_low, free < self._floor
        if self._is_low and not was_low:
            log.error("only %d MiB are free on the disk of the homes", free // 1024**2)
        if self._is_low:
            await self._find_who(free)
        elif was_low is not False and free < self._floor + min(self._floor // 10, GROWTH):
            self._is_low = True  # hardly above it: nobody goes back and forth
        elif was_low is not False:
            self._before, self._free_before, self._stopping = {}, None, None
            await self._context.write(servers.system_forget_filled)

    async def _find_who(self, free: int) -> None:
        used = await self._context.read(servers.system_used_homes)
        for home in used:
            self._before.setdefault(home.uid, home.disk_bytes)
        if self._stopping is not None:
            await self._follow(self._stopping, free)
        elif self._free_before is None or free < self._free_before - GOING_ON:
            self._free_before = free
            await self._stop_who_grew_most(used)

    async def _follow(self, uid: str, free: int) -> None:
        """Begin anew once the lab has stopped: what it wrote to its end says nothing of others."""
        if not await self._context.read(lambda session: servers.system_is_stopping(session, uid)):
            self._stopping, self._free_before = None, free

    async def _stop_who_grew_most(self, used: Sequence[UsedHome]) -> None:
        uids = [home.uid for home in used]
        sizes = await asyncio.to_thread(room.measure_all, self._context.settings, uids)
        grown = {home: sizes.get(home.uid, 0) - self._before[home.uid] for home in used}
        most = max(grown, key=grown.__getitem__, default=None)
        if most is None or grown[most] < GROWTH:
            return
        await self._context.write(lambda session: halt.filled_disk(session, most.kind, most.number))
        self._stopping = most.uid
