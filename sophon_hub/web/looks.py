"""Which looks are new: a page that is shown again and again is one look."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sophon_hub import clock
from sophon_hub.actions.noticed import Noticed

SAME_LOOK = timedelta(minutes=5)
"""Whoever comes back to something later than this looks at it anew."""


class RecentLooks:
    """Who has looked at what in the last minutes; one a process."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int | None, Noticed], datetime] = {}

    def new(self, person_id: int | None, looks: Iterable[Noticed]) -> list[Noticed]:
        """Those that this person did not have a moment ago."""
        start = clock.utcnow() - SAME_LOOK
        self._seen = {key: at for key, at in self._seen.items() if at > start}
        return [look for look in dict.fromkeys(looks) if (person_id, look) not in self._seen]

    def remember(self, person_id: int | None, looks: Iterable[Noticed]) -> None:
        """These are on record, and are the same ones while they are repeated soon."""
        now = clock.utcnow()
        self._seen |= {(person_id, look): now for look in looks}
