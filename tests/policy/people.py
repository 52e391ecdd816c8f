"""The cast without a database."""

from datetime import UTC, datetime

from sophon_hub.policy.actor import Actor, LiveMembership
from tests.cast import ADMIN, ROLES, STANDINGS

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


def actor(name: str, *, group_id: int = 1, expires_at: datetime | None = None) -> Actor:
    """One of the cast; group 1 is the one around which they stand."""
    if name == "guest":
        return Actor()
    role = ROLES.get(name)
    return Actor(
        person_id=list(STANDINGS).index(name),
        username=name,
        display_name=name.title(),
        is_admin=name == ADMIN,
        memberships={group_id: LiveMembership(role, expires_at)} if role else {},
    )
