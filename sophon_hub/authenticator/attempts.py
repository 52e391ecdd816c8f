"""One attempt to sign in: under which name, and why it was refused, for the audit trail.

Several parts of the Hub and of authenticators look at a request one after the other. What they
find out is kept with the task that handles the request, as only some of them see its handler.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sophon_hub import clock


class Reason(StrEnum):
    """Why somebody was refused, as events say it."""

    CREDENTIALS = "credentials"
    THROTTLED = "throttled"
    RESERVED_NAME = "reserved-name"
    BLOCKED = "blocked"
    NOT_ALLOWED = "not-allowed"
    ASSERTION = "assertion"
    GUEST = "guest"
    SECOND_FACTOR = "second-factor"


@dataclass
class Attempt:
    """Who wants to sign in, as far as it is known, and what speaks against it."""

    name: str | None = None
    reason: Reason = Reason.CREDENTIALS

    @classmethod
    def begin(cls, data: Any) -> "Attempt":
        """The attempt of this request, with the name typed into a form."""
        typed = data.get("username") if isinstance(data, dict) else None
        attempt = cls(typed if isinstance(typed, str) else None)
        _current.set(attempt)
        return attempt

    @classmethod
    def current(cls) -> "Attempt":
        """The attempt of this request."""
        return _current.get(None) or cls()


_current: ContextVar[Attempt] = ContextVar("attempt")

WINDOW = timedelta(minutes=1)
EACH = 5
"""Refused sign-ins of one known name written down in a minute; so many, too, of all others."""
ALTOGETHER = 30
"""Refused sign-ins written down in a minute, whatever the names."""


class EventBudget:
    """Keeps strangers from filling the table of events: more refusals are only counted.

    By name and not by address, which whoever sends the request can make up.
    """

    def __init__(self) -> None:
        self._since = datetime.min.replace(tzinfo=clock.utcnow().tzinfo)
        self._used: dict[str | None, int] = {}
        self._skipped = 0

    def take(self, name: str | None) -> int | None:
        """None when there is no room for another event now, else how many had none before it.

        Args:
            name: of a known person; None for all others together.
        """
        now = clock.utcnow()
        if now - self._since >= WINDOW:
            self._since, self._used = now, {}
        used = self._used.get(name, 0)
        if used >= EACH or sum(self._used.values()) >= ALTOGETHER:
            self._skipped += 1
            return None
        self._used[name] = used + 1
        skipped, self._skipped = self._skipped, 0
        return skipped
