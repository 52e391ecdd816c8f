"""The store of document updates: complete, or said to be incomplete.

It must outlive the lab: when it is lost or has gaps while a browser still has a document open,
the reconnecting browser brings its own history, and the cells are there twice.
"""

from typing import Any

from jupyter_server_ydoc.stores import SQLiteYStore
from pycrdt import Doc


class LabStore(SQLiteYStore):  # type: ignore[metaclass] # mypy does not see the stock one's
    """The stock store without the two ways in which it forgets what it was given."""

    # Squashing applies the old updates only when there is something to decompress them with
    # (pycrdt-store 0.1.5, sqlite.py): else it replaces a document's whole history by nothing.
    _compress = staticmethod(bytes)
    _decompress = staticmethod(bytes)

    has_gap: bool = False
    """Whether an update could not be written. Nothing is, until the whole document is."""

    async def write(self, data: bytes) -> None:
        """Store an update. What fails is logged, and must not end the room of the document."""
        if self.has_gap:
            return
        try:
            await self._hear_of_errors()
            await super().write(data)
        except Exception:
            self.has_gap = True
            self.log.exception("Cannot store an update of %s", self.path)

    async def _hear_of_errors(self) -> None:
        if self.db_initialized is None:
            raise RuntimeError("the store has not been started")
        await self.db_initialized.wait()
        self._db._exception_handler = None  # the stock one logs them, and all seems well

    async def close_gap(self, document: "Doc[Any]") -> None:
        """Store the whole document when updates are missing; a failure leaves the gap open."""
        if self.has_gap:
            self.has_gap = False
            await self.write(document.get_update())
