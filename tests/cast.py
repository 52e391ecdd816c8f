"""The fixed cast. Who they are never changes, so tests need not say it again.

Ada owns the group, Grace is a member, Alan a viewer; Barbara is signed in and does not belong;
Root is an administrator of the hub; a guest has no account.
"""

from dataclasses import dataclass
from typing import Self

from sqlalchemy.orm import Session

from sophon_hub import clock
from sophon_hub.models import AccessMode, MemberRole, Person, ResearchGroup, Visibility
from sophon_hub.policy.actor import Actor, Standing
from sophon_hub.store.people import find_actor
from tests import make

STANDINGS = {
    "guest": Standing.GUEST,
    "barbara": Standing.USER,
    "alan": Standing.VIEWER,
    "grace": Standing.MEMBER,
    "ada": Standing.OWNER,
    "root": Standing.ADMIN,
}
ROLES = {"alan": MemberRole.VIEWER, "grace": MemberRole.MEMBER, "ada": MemberRole.OWNER}
ADMIN = "root"


@dataclass
class Cast:
    """The cast in one session, around one group."""

    session: Session
    people: dict[str, Person]
    group: ResearchGroup

    @classmethod
    def enter(
        cls,
        session: Session,
        *,
        visibility: Visibility = Visibility.PUBLIC,
        access: AccessMode = AccessMode.OPEN,
    ) -> Self:
        people = {
            name: make.person(session, name, is_admin=name == ADMIN)
            for name in STANDINGS
            if name != "guest"
        }
        group = make.group(session, visibility=visibility, access=access)
        for name, role in ROLES.items():
            make.membership(session, group, people[name], role)
        return cls(session, people, group)

    def actor(self, name: str, *, via: str = "api") -> Actor:
        """Somebody as they stand at this moment."""
        return actor(self.session, name, via=via)


def actor(session: Session, name: str, *, via: str = "api") -> Actor:
    """One of the cast as they stand at this moment, in any session."""
    if name == "guest":
        return Actor(via=via)
    session.flush()
    found = find_actor(session, name, is_admin=name == ADMIN, via=via, now=clock.utcnow())
    assert found is not None, f"{name} has not entered"
    return found
