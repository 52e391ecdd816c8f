"""What a start is doing right now, for any number of listeners, early and late."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any


class ProgressBoard:
    """Messages of one start, in order, with a number that never goes down.

    Every listener gets all messages from the first one on, however late it comes. Everything
    but `post_threadsafe` has to be called in the event loop's thread.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.closed = False
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def post(self, progress: int, message: str) -> None:
        """Add a message; the same message again is left out."""
        if self.closed:
            return
        if self.events:
            progress = max(progress, self.events[-1]["progress"])
            if self.events[-1]["message"] == message:
                return
        self.events.append({"progress": min(progress, 99), "message": message})
        self._wake()

    def post_threadsafe(self, progress: int, message: str) -> None:
        """Add a message from another thread."""
        self._loop.call_soon_threadsafe(self.post, progress, message)

    def close(self) -> None:
        """End all listeners once they have read everything."""
        self.closed = True
        self._wake()

    async def listen(self) -> AsyncIterator[dict[str, Any]]:
        """All messages so far and those to come, until the board is closed."""
        seen = 0
        while True:
            changed = self._changed
            while seen < len(self.events):
                seen += 1
                yield dict(self.events[seen - 1])
            if self.closed:
                return
            if changed is self._changed:
                await changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
