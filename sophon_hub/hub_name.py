"""The hub's name on the pages that JupyterHub makes, as administrators set it in the portal."""

import contextlib
import time

from sophon_hub.errors import SophonError
from sophon_hub.store.engine import make_engine, reading
from sophon_hub.store.instance import get_instance

REMEMBER_SECONDS = 10.0
DEFAULT = "Sophon Hub"


class HubName:
    """A text for templates that is read from the database, at most every few seconds.

    The Hub renders its pages in its only thread, so a database that does not answer must not
    hold it up again and again: the last name that was read is kept.
    """

    def __init__(self, database_url: str) -> None:
        self._engine = make_engine(database_url)
        self._name = DEFAULT
        self._read_at: float | None = None

    def __deepcopy__(self, _memo: dict[int, object]) -> "HubName":
        # configurations are copied; an engine cannot be, and need not
        return self

    def __str__(self) -> str:
        now = time.monotonic()
        if self._read_at is None or now - self._read_at > REMEMBER_SECONDS:
            self._read_at = now
            with contextlib.suppress(SophonError), reading(self._engine) as session:
                self._name = get_instance(session).name
        return self._name
