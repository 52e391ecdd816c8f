"""What a sign-in leaves in Sophon's database: the person, what the sign-on claims, one event."""

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sophon_hub import audit, jobs
from sophon_hub.authenticator.attempts import Attempt
from sophon_hub.authenticator.door import Door
from sophon_hub.clock import utcnow
from sophon_hub.errors import Conflict
from sophon_hub.models import Person
from sophon_hub.policy.actor import Actor
from sophon_hub.store import accounts, groups, people
from sophon_hub.store.engine import reading, transact


class SignInRecords:
    """Writes for one authenticator; everything here waits for the database.

    ``how`` is the authenticator's name in events, which belong to no research group: only
    administrators may read them.
    """

    def __init__(self, engine: Engine, how: str) -> None:
        self.engine = engine
        self.how = how
        self.door = Door(engine)
        self._budget = audit.EventBudget()

    def accepted(
        self,
        username: str,
        display_name: str | None,
        groups: dict[str, str] | None,
        *,
        admin: bool,
        request_id: str | None = None,
    ) -> str:
        """Somebody signed in; gives the name to show.

        Args:
            username: the hub's name of the person.
            display_name: what the sign-on system calls the person; None keeps what is known.
            groups: the research groups it claims, with roles; None when it says nothing of them.
            admin: whether the person is an administrator.
            request_id: of the request at the Hub.
        """

        def write(session: Session) -> str:
            person = people.system_upsert_person(
                session, username, display_name, is_admin=admin, now=utcnow()
            )
            if groups is not None and (groups or person.sign_on_groups):
                _claim(session, person, groups)
            actor = _actor(person, request_id)
            audit.record(session, actor, "person:sign-in", person, how=self.how)
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
            nobody = Actor(via="page", request_id=attempt.request_id)
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

    def signed_out(self, username: str, request_id: str) -> None:
        """Somebody signed out."""

        def write(session: Session) -> None:
            person = people.find_person(session, username)
            if person is not None:
                actor = _actor(person, request_id)
                audit.record(session, actor, "person:sign-out", person, how=self.how)

        transact(self.engine, write)

    def gone(self, username: str) -> None:
        """The account is about to be removed; the worker settles what is left of the person."""
        transact(self.engine, lambda session: _retire(session, username))

    def renamed(self, username: str, new_name: str) -> None:
        """The account gets another name, by which the same person comes from now on.

        Raises:
            Conflict: a local account has this name.
        """

        def write(session: Session) -> None:
            if accounts.system_find_account(session, new_name) is not None:
                raise Conflict(f"There is a local account {new_name} already.")
            accounts.system_rename_account(session, username, new_name)
            _retire(session, new_name)  # of an account that went without a word
            person = people.find_person(session, username)
            if person is not None:
                people.system_rename_person(session, person, new_name)
                audit.record(session, HUB, "person:rename", person, before=username)

        transact(self.engine, write)

    def sync_groups(self, username: str) -> None:
        """Have the worker look that somebody is in the Hub's groups of all their groups."""

        def write(session: Session) -> None:
            person = people.find_person(session, username)
            for group_id in groups.system_groups_of_person(session, person.id) if person else ():
                jobs.enqueue(session, "sync_group", f"group:{group_id}", group_id=group_id)

        transact(self.engine, write)


HUB = Actor(via="system")
"""The Hub does not say which administrator it acts for."""


def _retire(session: Session, username: str) -> None:
    person = people.find_person(session, username)
    if person is None:
        return
    audit.record(session, HUB, "person:delete", person)
    people.system_retire_person(session, person, now=utcnow())
    jobs.enqueue(session, "settle_person", f"person:{person.id}", person_id=person.id)


def _actor(person: Person, request_id: str | None) -> Actor:
    return Actor(person.id, person.username, via="page", request_id=request_id)


def _claim(session: Session, person: Person, groups: dict[str, str]) -> None:
    """Put on record what is claimed, and have the worker make it memberships.

    Also when it is what was claimed before: a research group may have come back meanwhile.
    """
    person.sign_on_groups = groups
    jobs.enqueue(session, "apply_claims", f"person:{person.id}", person_id=person.id)
