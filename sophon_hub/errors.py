"""What can go wrong, in the words of the domain.

Actions and store raise these; `web.errors` is the only place that knows which HTTP status
each one is. The message is a sentence for the person who meets it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class SophonError(Exception):
    """Base of all domain errors.

    ``detail`` is a sentence for people, ``extra`` are further members of the problem document.
    """

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class Unauthenticated(SophonError):
    """The caller is a guest, and this needs somebody who is signed in."""

    def __init__(self, detail: str = "Sign in first.") -> None:
        super().__init__(detail)


class NotFound(SophonError):
    """It is not there, or the actor may not see it: by design nobody can tell which."""

    def __init__(self) -> None:
        super().__init__("There is nothing here, or you may not see it.")


class Forbidden(SophonError):
    """The actor may see the object but not do this to it.

    ``permission`` is what was missing, ``subject`` the object, where the policy refused.
    """

    def __init__(self, detail: str, *, permission: str = "", subject: Any = None) -> None:
        super().__init__(detail)
        self.permission = permission
        self.subject = subject


class Conflict(SophonError):
    """The request contradicts the current state: slug taken, last owner, locked, running."""


class Unavailable(SophonError):
    """It cannot be done right now; trying again after ``retry_after`` seconds may help."""

    def __init__(self, detail: str, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class TooMany(Unavailable):
    """The same somebody asked too often; after ``retry_after`` seconds there is room again."""


@dataclass(frozen=True)
class FieldError:
    """One field of a request and what is wrong with it."""

    field: str
    message: str


class Invalid(SophonError):
    """Well-formed input that breaks a rule; one entry a field."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(" ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)

    @classmethod
    def of(cls, field: str, message: str) -> "Invalid":
        """The common case of one field."""
        return cls([FieldError(field, message)])


def refuse(obstacle: str | None) -> None:
    """Raise `Conflict` with the sentence about what is in the way, if something is."""
    if obstacle is not None:
        raise Conflict(obstacle)
