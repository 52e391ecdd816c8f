"""Versions of notebooks, kept while people work: when opened, now and then, and before the end.

Who changed a notebook is known from the sockets that the changes came through, whose people the
hub has named; what browsers say about themselves is not asked.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sophon_lab.merging import edit_to, is_lost
from sophon_lab.versions import LARGEST, Limits, TooLarge, Versions

if TYPE_CHECKING:
    from sophon_lab.extension import SophonLab
    from sophon_lab.rooms import LabRoom

EDITOR: ContextVar[str] = ContextVar("editor", default="")
"""Whose message is being worked on, as the hub calls them; empty when it is nobody's."""

ATTEMPTS = 5
"""How often what was there before a restore is kept anew because somebody goes on typing."""

END_SECONDS = 2.0
"""Longest time for keeping versions before the lab ends."""


class Keeper:
    """Keeps versions for a whole lab, one at a time."""

    def __init__(self, home: str, minutes: float, limits: Limits) -> None:
        self.home, self.versions, self.seconds = home, Versions(home, limits), minutes * 60
        self._turn = asyncio.Lock()

    async def keep(
        self, file: str, editors: list[str], reason: str, *, always: bool = False
    ) -> None:
        """Keep what is in this file; raises what keeps it from that, as `Versions.keep`."""
        async with self._turn:
            await asyncio.to_thread(self._keep, file, editors, reason, always=always)

    def _keep(self, file: str, editors: list[str], reason: str, *, always: bool) -> None:
        path = os.path.relpath(file, self.home)
        if path.startswith(".."):
            return  # mounted from elsewhere: it is not what this home has
        with contextlib.suppress(FileNotFoundError), Path(file).open("rb") as opened:
            content = opened.read(LARGEST + 1)
            self.versions.keep(path, content, editors, reason, always=always)


_KEEPERS: list[Keeper] = []


def keeper() -> Keeper | None:
    """What keeps versions in this lab; None where none are kept."""
    return _KEEPERS[-1] if _KEEPERS else None


@contextlib.contextmanager
def edits_by(user: Any) -> Iterator[None]:
    """What is changed meanwhile was changed by this user of the lab; by nobody with None."""
    token = EDITOR.set(str(getattr(user, "username", "")))
    try:
        yield
    finally:
        EDITOR.reset(token)


class RoomHistory:
    """The versions of one document that is open."""

    def __init__(self, room: "LabRoom") -> None:
        self._room = room
        self._typed: set[str] = set()  # whose edits are not on the disk yet
        self._editors: set[str] = set()  # whose are, since the last version
        self._kept_at = time.monotonic()

    def note_edit(self) -> None:
        """Remember whose edit this is."""
        if EDITOR.get():
            self._typed.add(EDITOR.get())

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Note that what was typed until now is saved, unless that fails."""
        writing, self._typed = self._typed, set()
        try:
            yield
        except BaseException:
            self._typed |= writing
            raise
        self._editors |= writing

    async def keep_when_due(self) -> None:
        """Keep what was just saved, if nothing was for some time."""
        found = keeper()
        if found is not None and time.monotonic() >= self._kept_at + found.seconds:
            await self.keep("interval")

    async def keep(self, reason: str, *, by: str = "", always: bool = False) -> None:
        """Keep what is on the disk, unless it is kept; what keeps it from that is only logged."""
        try:
            await self._keep(reason, by=by, always=always)
        except (OSError, TooLarge) as error:
            self._room.log.warning("Cannot keep a version of %s: %s", self._room.path, error)

    async def _keep(self, reason: str, *, by: str = "", always: bool = False) -> None:
        found, room = keeper(), self._room
        if found is None or room.file_type != "notebook":
            return
        self._kept_at = time.monotonic()
        editors, self._editors = self._editors, set()
        named = [by] if by else sorted(editors)
        try:
            await found.keep(room.file, named, reason, always=always)
        except BaseException:
            self._editors |= editors
            raise

    async def restore(self, content: Any, by: str) -> None:
        """Make the document what it was in another version, for everybody who has it open.

        That is an edit like any other: what people type at the same time is in it, too. What the
        document was before is kept, or else nothing is done.
        """
        room = self._room
        for _ in range(ATTEMPTS):
            await room.save()
            await self._keep("before")
            if room.is_saved:
                break
        mine = room.ydoc.get_update()
        base = room.state_on_disk or mine
        with edits_by(None):
            edit, _ = edit_to(base, content, room.file_type)
            room.ydoc.apply_update(edit)
        if is_lost(base, mine, room.ydoc.get_update(), room.file_type):
            await room.keep_aside(mine)
        await room.save()
        await self.keep("restored", by=by, always=True)


async def keep_before_end(rooms: "list[LabRoom]") -> None:
    """Keep what is open, as it was saved; what takes too long is left out."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            await asyncio.gather(*(room.history.keep("end") for room in rooms))


def load(app: "SophonLab") -> None:
    """Keep versions from now on, where the hub has asked for that."""
    _KEEPERS.clear()
    if app.history_minutes > 0:
        limits = Limits(app.history_versions, app.history_size)
        _KEEPERS.append(Keeper(str(Path.home()), app.history_minutes, limits))


async def start(app: "SophonLab") -> None:
    """Clear away what an earlier end of the lab has left half done."""
    found = keeper()
    if found is not None:
        app.keep(_tidy(found, app))


async def _tidy(found: Keeper, app: "SophonLab") -> None:
    try:
        await asyncio.to_thread(found.versions.tidy)
    except OSError as error:
        app.log.warning("Cannot tidy the versions of notebooks: %s", error)
