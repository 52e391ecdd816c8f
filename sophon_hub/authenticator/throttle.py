"""A pause after too many failed sign-ins under one name, whether or not the name exists.

Kept in memory: a restart forgets it, and takes longer than the pause is worth. The name alone
counts, not the sender's address, which whoever sends the request can make up.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from sophon_hub.clock import utcnow

REMEMBERED_NAMES = 10_000


class Throttle:
    """Counts failures by name; after ``allowed`` of them the name has to wait ``pause``."""

    def __init__(
        self, allowed: int, pause: timedelta, now: Callable[[], datetime] = utcnow
    ) -> None:
        self.allowed = allowed
        self.pause = pause
        self._now = now
        self._failures: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def is_waiting(self, name: str) -> bool:
        """Whether no attempt under this name is looked at for now."""
        count, last = self._recent(name)
        return count >= self.allowed and last + self.pause > self._now()

    def failed(self, name: str) -> None:
        """Note a failed attempt; those before the last pause are forgotten."""
        count, _ = self._recent(name)
        self._failures[name] = (count + 1, self._now())
        self._failures.move_to_end(name)
        if len(self._failures) > REMEMBERED_NAMES:
            self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures of this name."""
        self._failures.pop(name, None)

    def _recent(self, name: str) -> tuple[int, datetime]:
        count, last = self._failures.get(name, (0, self._now()))
        if last + self.pause <= self._now():
            return 0, self._now()
        return count, last
