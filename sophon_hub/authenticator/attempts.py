"""One attempt to sign in: under which name, and why it was refused, for the audit trail.

Several parts of the Hub and of authenticators look at a request one after the other. What they
find out is kept with the task that handles the request, as only some of them see its handler.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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
    request_id: str | None = None

    @classmethod
    def begin(cls, data: Any, request_id: str) -> "Attempt":
        """The attempt of this request, with the name typed into a form."""
        typed = data.get("username") if isinstance(data, dict) else None
        attempt = cls(typed if isinstance(typed, str) else None, request_id=request_id)
        _current.set(attempt)
        return attempt

    @classmethod
    def current(cls) -> "Attempt":
        """The attempt of this request."""
        return _current.get(None) or cls()


_current: ContextVar[Attempt] = ContextVar("attempt")
