"""Who is refused at the door of a lab: the Hub decides it, and leaves no trace of its own."""

from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sophon_hub import audit, clock, names
from sophon_hub.models import Lab, Person
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission
from sophon_hub.store import labs, people
from sophon_hub.store.engine import reading, transact

SAME_TRY = timedelta(minutes=5)
"""Browsers ask several times, and so do people: all of that is one refusal."""


class Door:
    """Writes down refusals; everything here waits for the database. One a process.

    No more than `audit.EventBudget` has room for, and one for each person and lab in `SAME_TRY`:
    whoever asks again and again does not fill the trail.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._budget = audit.EventBudget()
        self._seen: dict[tuple[str, str, str], datetime] = {}

    def refused(self, username: str, account: str, server: str, request_id: str) -> None:
        """Somebody did not get into a server.

        Args:
            username: who.
            account: the hub user whose server it is.
            server: its name; empty for a personal lab.
            request_id: of the request at the Hub.
        """
        tried = username, account, server
        if not self._is_new(tried):
            return
        with reading(self._engine) as session:
            found = _find(session, username, account, server)
        skipped = None if found is None else self._budget.take(username)
        if skipped is None:
            return
        self._seen[tried] = clock.utcnow()
        more = {"unrecorded_before": skipped} if skipped else {}

        def write(session: Session) -> None:
            found = _find(session, username, account, server)
            if found is None:
                return
            person, subject = found
            actor = Actor(person.id, person.username, via="page", request_id=request_id)
            action = "lab:deny" if isinstance(subject, Lab) else "personal:deny"
            audit.record(session, actor, action, subject, permission=Permission.LAB_WATCH, **more)

        transact(self._engine, write)

    def _is_new(self, tried: tuple[str, str, str]) -> bool:
        start = clock.utcnow() - SAME_TRY
        self._seen = {key: at for key, at in self._seen.items() if at > start}
        return tried not in self._seen


def _find(
    session: Session, username: str, account: str, server: str
) -> tuple[Person, Lab | Person] | None:
    """The person, and the lab or whose personal lab it is; None where one is not known here."""
    person = people.find_person(session, username)
    if names.project_of_account(account) is None:
        subject: Lab | Person | None = people.find_person(session, account)
    else:
        subject = labs.system_labs_by_server(session, {(account, server)}).get((account, server))
    return None if person is None or subject is None else (person, subject)
