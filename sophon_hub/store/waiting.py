"""What waits for the owners of groups: requests to join, and memberships that end soon."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from sophon_hub.models import JoinRequest, MemberRole, Membership, ResearchGroup
from sophon_hub.policy.actor import Actor

SOON = timedelta(days=14)
"""How long before its end owners, and the person, are told of a membership."""


def count_requests(session: Session, actor: Actor) -> dict[int, int]:
    """How many people ask to join each group of which the actor is an owner."""
    owned = JoinRequest.group_id.in_(sorted(actor.group_ids(MemberRole.OWNER)))
    query = select(JoinRequest.group_id, func.count()).where(owned)
    rows = session.execute(query.group_by(JoinRequest.group_id))
    return {row[0]: row[1] for row in rows}


def count_ending(session: Session, actor: Actor, now: datetime) -> dict[int, int]:
    """How many memberships of others end soon in each group of which the actor is an owner."""
    query = (
        select(Membership.group_id, func.count())
        .where(
            Membership.group_id.in_(sorted(actor.group_ids(MemberRole.OWNER))),
            Membership.person_id != actor.person_id,
            Membership.expires_at > now,
            Membership.expires_at <= now + SOON,
        )
        .group_by(Membership.group_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def list_ending(session: Session, group: ResearchGroup, now: datetime) -> Sequence[Membership]:
    """Memberships that end soon in a group whose people the caller decides about, next first."""
    query = (
        select(Membership)
        .where(
            Membership.group_id == group.id,
            Membership.expires_at > now,
            Membership.expires_at <= now + SOON,
        )
        .options(joinedload(Membership.person), joinedload(Membership.added_by))
    )
    return session.scalars(query.order_by(Membership.expires_at, Membership.person_id)).all()
