"""What a sign-in leaves in Sophon's database: the person, what the sign-on claims, one event."""

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sophon_hub import audit, jobs
from sophon_hub.authenticator.attempts import Attempt, EventBudget
from sophon_hub.clock import utcnow
from sophon_hub.models import Person
from sophon_hub.policy.actor import Actor
from sophon_hub.store import people
from sophon_hub.store.engine import reading, transact


class SignInRecords:
    """Writes for one authenticator; everything here waits for the database.

    ``how`` is the authenticator's name in events, which belong to no research group: only
    administrators may read them.
    """

    def __init__(self, engine: Engine, how: str) -> None:
        self.engine = engine
        self.how = how
        self._budget = EventBudget()

    def accepted(
        self, username: str, display_name: str | None, groups: dict[str, str] | None, *, admin: bool
    ) -> str:
        """Somebody signed in; gives the name to show.

        Args:
            username: the hub's name of the person.
            display_name: what the sign-on system calls the person; None keeps what is known.
            groups: the research groups it claims, with roles; None when it says nothing of them.
            admin: whether the person is an administrator.
        """

        def write(session: Session) -> str:
            person = people.system_upsert_person(
                session, username, display_name, is_admin=admin, now=utcnow()
            )
            if groups is not None and (groups or person.sign_on_groups):
                _claim(session, person, groups)
            audit.record(session, _actor(person), "person:sign-in", person, how=self.how)
            return person.display_name

        return transact(self.engine, write)

    def refreshed(
        self, username: str, display_name: str | None, groups: dict[str, str] | None, *, admin: bool
    ) -> str:
        """The sign-on system was asked again; writes only what changed."""
        with reading(self.engine) as session:
            person = people.find_person(session, username)
            if (
                person is not None
                and display_name in (None, person.display_name)
                and groups in (None, person.sign_on_groups)
            ):
                return person.display_name

        def write(session: Session) -> str:
            person = people.system_upsert_person(
                session, username, display_name, is_admin=admin, now=utcnow()
            )
            if groups is not None and groups != person.sign_on_groups:
                _claim(session, person, groups)
            return person.display_name

        return transact(self.engine, write)

    def refused(self, attempt: Attempt) -> None:
        """Somebody was refused; the name is written down when it is a known person's only."""
        with reading(self.engine) as session:
            known = people.find_person(session, attempt.name) if attempt.name else None
            username = known.username if known else None
        skipped = self._budget.take(username)
        if skipped is None:
            return
        detail = {"unrecorded_before": skipped} if skipped else {}

        def write(session: Session) -> None:
            person = people.find_person(session, username) if username else None
            nobody = Actor(via="page")
            audit.record(
                session,
                nobody,
                "person:refuse",
                person,
                how=self.how,
                reason=attempt.reason,
                **detail,
            )

        transact(self.engine, write)

    def signed_out(self, username: str) -> None:
        """Somebody signed out."""

        def write(session: Session) -> None:
            person = people.find_person(session, username)
            if person is not None:
                audit.record(session, _actor(person), "person:sign-out", person, how=self.how)

        transact(self.engine, write)


def _actor(person: Person) -> Actor:
    return Actor(person_id=person.id, username=person.username, via="page")


def _claim(session: Session, person: Person, groups: dict[str, str]) -> None:
    """Put on record what is claimed, and have the worker make it memberships.

    Also when it is what was claimed before: a research group may have come back meanwhile.
    """
    person.sign_on_groups = groups
    jobs.enqueue(session, "apply_claims", f"person:{person.id}", person_id=person.id)
