"""Who is asking."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType

from sophon_hub.models import MemberRole


class Standing(IntEnum):
    """How somebody stands to a research group; each may do what the ones before it may."""

    GUEST = 0
    USER = 1
    VIEWER = 2
    MEMBER = 3
    OWNER = 4
    ADMIN = 5


STANDING_OF_ROLE = {
    MemberRole.VIEWER: Standing.VIEWER,
    MemberRole.MEMBER: Standing.MEMBER,
    MemberRole.OWNER: Standing.OWNER,
}


@dataclass(frozen=True)
class LiveMembership:
    """A membership that has not expired, as the actor carries it."""

    role: MemberRole
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Actor:
    """A guest or a person, with the memberships that hold at this moment.

    ``via`` is how the request came: page, api, cli, system, or lab, where a lab says who it is.
    ``request_id`` is that of the request, run or job, if any; both are written to audit events.
    """

    person_id: int | None = None
    username: str | None = None
    display_name: str = ""
    is_admin: bool = False
    memberships: Mapping[int, LiveMembership] = field(default_factory=lambda: MappingProxyType({}))
    via: str = "api"
    request_id: str | None = None

    @property
    def is_guest(self) -> bool:
        """Whether nobody is signed in."""
        return self.person_id is None

    def role_in(self, group_id: int | None) -> MemberRole | None:
        """The actor's own role in a research group; nobody has one in none."""
        membership = None if group_id is None else self.memberships.get(group_id)
        return membership.role if membership else None

    def standing_in(self, group_id: int | None) -> Standing:
        """The most the actor is to a research group, or to what belongs to none."""
        if self.is_admin:
            return Standing.ADMIN
        role = self.role_in(group_id)
        if role:
            return STANDING_OF_ROLE[role]
        return Standing.GUEST if self.is_guest else Standing.USER

    def group_ids(self, least: MemberRole = MemberRole.VIEWER) -> frozenset[int]:
        """Research groups in which the actor has at least this role."""
        return frozenset(
            group_id
            for group_id, membership in self.memberships.items()
            if membership.role.level >= least.level
        )
