"""The store of document updates: complete, or said to be incomplete.

It must outlive the lab: when it is lost or has gaps while a browser still has a document open,
the reconnecting browser brings its own history, and the cells are there twice.
"""

import asyncio
from typing import Any

from jupyter_server_ydoc.stores import SQLiteYStore
from pycrdt import Doc, merge_updates


class LabStore(SQLiteYStore):  # type: ignore[metaclass] # mypy does not see the stock one's
    """The stock store, which keeps up with people, and forgets nothing that it was given."""

    # Squashing applies the old updates only when there is something to decompress them with
    # (pycrdt-store 0.1.5, sqlite.py): else it replaces a document's whole history by nothing.
    _compress = staticmethod(bytes)
    _decompress = staticmethod(bytes)

    has_gap: bool = False
    """Whether an update could not be written. Nothing is, until the whole document is."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting: list[bytes] = []
        self._turn = asyncio.Lock()

    async def write(self, data: bytes) -> None:
        """Store an update; those that come meanwhile are stored together, for each takes a sync.

        What fails is logged, and must not end the room of the document.
        """
        if self.has_gap:
            return
        self._waiting.append(data)
        async with self._turn:
            updates, self._waiting = self._waiting, []
            if not updates or self.has_gap:
                return  # somebody else's turn has stored this one, too
            try:
                await self._hear_of_errors()
                await super().write(merge_updates(*updates))
            except BaseException as error:
                self.has_gap = True
                if not isinstance(error, Exception):
                    raise  # the room ends
                self.log.exception("Cannot store an update of %s", self.path)

    async def _hear_of_errors(self) -> None:
        if self.db_initialized is None:
            raise RuntimeError("the store has not been started")
        await self.db_initialized.wait()
        self._db._exception_handler = None  # the stock one logs them, and all seems well

    async def write_since(self, document: "Doc[Any]", state: bytes | None) -> None:
        """Store what the document has since this state; all of it when updates are missing."""
        if self.has_gap:
            self.has_gap, state = False, None
        await self.write(document.get_update(state))
