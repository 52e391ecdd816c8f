"""What the sign-on system says about a person's research groups, made memberships."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from sophon_hub import audit, clock
from sophon_hub.actions.groups import drop_request, has_expired, sync
from sophon_hub.models import MemberRole, Membership, MembershipSource, Person, ResearchGroup
from sophon_hub.policy.actor import Actor
from sophon_hub.store import groups as store

SOURCE = "sign-on"
"""In the detail of events: who decided, where the actor is the hub."""


@dataclass(frozen=True)
class Applied:
    """What could not be done as claimed, by slug: for the administrators' log."""

    absent: tuple[str, ...]
    kept: tuple[str, ...]


def apply_claims(session: Session, actor: Actor, person_id: int) -> Applied:
    """Make the memberships that come from the sign-on equal to what it last said.

    Memberships that people gave are never touched. One event for each change. Can be done twice.

    Args:
        session: a writing transaction.
        actor: the hub itself, which asks no permission.
        person_id: whose claims, as they stand in the person's record.
    """
    person = session.get_one(Person, person_id)
    claimed = {slug: MemberRole(role) for slug, role in person.sign_on_groups.items()}
    absent, kept = set(claimed), []
    for group_id in store.system_groups_of_sign_on(session, person_id, claimed):
        group = store.lock(session, group_id)
        if group.deleted_at is not None:
            continue
        absent.discard(group.slug)
        if not _follow(session, actor, group, person, claimed.get(group.slug)):
            kept.append(group.slug)
    return Applied(tuple(sorted(absent)), tuple(kept))


def _follow(
    session: Session, actor: Actor, group: ResearchGroup, person: Person, role: MemberRole | None
) -> bool:
    """Give, change or take one membership; False when the last owner had to stay."""
    membership = session.get(Membership, (group.id, person.id), populate_existing=True)
    if membership is None or has_expired(membership, clock.utcnow()):
        if role is not None:
            _give(session, actor, group, person, role, membership)
        return True
    if membership.source is MembershipSource.PERSON or membership.role is role:
        return True
    before = {"role": membership.role}
    is_owner = membership.role is MemberRole.OWNER
    if is_owner and not store.count_lasting_owners(session, group, person.id):
        # from now on it rests on nothing the sign-on says: people have to decide
        membership.source = MembershipSource.PERSON
        _record(session, actor, "member:keep", group, person, before=before)
        return False
    if role is None:
        session.delete(membership)
        _record(session, actor, "member:remove", group, person, before=before)
    else:
        membership.role = role
        after = {"role": role}
        _record(session, actor, "member:change", group, person, before=before, after=after)
    sync(session, group)
    return True


def _give(
    session: Session,
    actor: Actor,
    group: ResearchGroup,
    person: Person,
    role: MemberRole,
    expired: Membership | None,
) -> None:
    if expired is not None:
        session.delete(expired)
        session.flush()
    session.add(
        Membership(
            group_id=group.id,
            person_id=person.id,
            role=role,
            source=MembershipSource.SIGN_ON,
            added_at=clock.utcnow(),
        )
    )
    drop_request(session, group, person.id)
    _record(session, actor, "member:add", group, person, before=None, after={"role": role})
    sync(session, group)


def _record(
    session: Session,
    actor: Actor,
    action: str,
    group: ResearchGroup,
    person: Person,
    **detail: dict[str, MemberRole] | None,
) -> None:
    audit.record(session, actor, action, group, username=person.username, source=SOURCE, **detail)
