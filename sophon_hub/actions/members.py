"""What owners do with the people of a research group, and with requests to join."""

from datetime import datetime

from sqlalchemy.orm import Session

from sophon_hub import audit, clock
from sophon_hub.actions.forms import Approval, MemberSettings
from sophon_hub.actions.groups import (
    check_owner_stays,
    drop_request,
    has_expired,
    lock_for,
    sync,
)
from sophon_hub.errors import Conflict, Forbidden, Invalid, NotFound, refuse
from sophon_hub.models import (
    JoinRequest,
    MemberRole,
    Membership,
    MembershipSource,
    Person,
    ResearchGroup,
)
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require, require_person
from sophon_hub.store import groups as store
from sophon_hub.store import people


def set_member(
    session: Session, actor: Actor, group: ResearchGroup, username: str, form: MemberSettings
) -> tuple[Membership, bool]:
    """Give somebody a role in the group, perhaps until a date. True when newly added."""
    group = lock_for(session, actor, Permission.GROUP_PEOPLE, group)
    person = people.find_person(session, username)
    if person is None:
        raise Invalid.of("username", f"There is no account “{username}” at this hub.")
    now = clock.utcnow()
    _check_end(actor, group, person, form.expires_at, now)
    membership = session.get(Membership, (group.id, person.id))
    is_new = membership is None or has_expired(membership, now)
    stays_owner = form.role is MemberRole.OWNER and form.expires_at is None
    if not is_new and not stays_owner:
        check_owner_stays(session, group, person.id)
    before = None
    if membership is None:
        membership = Membership(group_id=group.id, person_id=person.id)
        session.add(membership)
    elif not is_new:
        before = {"role": membership.role, "expires_at": clock.rfc3339(membership.expires_at)}
    if is_new:
        membership.added_by_id = actor.person_id
        membership.added_at = now
    membership.role = form.role
    membership.source = MembershipSource.PERSON
    membership.expires_at = form.expires_at
    drop_request(session, group, person.id)
    after = {"role": form.role, "expires_at": clock.rfc3339(form.expires_at)}
    action = "member:add" if is_new else "member:change"
    audit.record(session, actor, action, group, username=username, before=before, after=after)
    sync(session, group)
    session.flush()
    return membership, is_new


def _check_end(
    actor: Actor, group: ResearchGroup, person: Person, end: datetime | None, now: datetime
) -> None:
    if end is not None and end <= now:
        raise Invalid.of("expires_at", "Give a time in the future.")
    own = obstacles.own_end(actor, group, person.id)
    if own is not None and (end is None or end > own):
        raise Forbidden(obstacles.OWN_END)


def remove_member(session: Session, actor: Actor, group: ResearchGroup, username: str) -> None:
    """Take somebody out of the group, at once."""
    group = lock_for(session, actor, Permission.GROUP_PEOPLE, group)
    membership = _get_membership(session, group, username)
    refuse(obstacles.to_removing(membership, store.list_lasting_owners(session, group)))
    session.delete(membership)
    audit.record(
        session, actor, "member:remove", group, username=username, before={"role": membership.role}
    )
    sync(session, group)


def _get_membership(session: Session, group: ResearchGroup, username: str) -> Membership:
    person = people.find_person(session, username)
    membership = person and store.find_membership(session, group, person.id, clock.utcnow())
    if not membership:
        raise NotFound
    return membership


def approve_request(
    session: Session, actor: Actor, group: ResearchGroup, username: str, form: Approval
) -> Membership:
    """Let somebody in who asked."""
    group = lock_for(session, actor, Permission.GROUP_PEOPLE, group)
    request = _get_request(session, group, username)
    now = clock.utcnow()
    existing = session.get(Membership, (group.id, request.person_id))
    if existing is not None:
        session.delete(existing)
        session.flush()
    membership = Membership(
        group_id=group.id,
        person_id=request.person_id,
        role=form.role,
        added_by_id=actor.person_id,
        added_at=now,
    )
    session.add(membership)
    session.delete(request)
    audit.record(session, actor, "request:approve", group, username=username, role=form.role)
    sync(session, group)
    session.flush()
    return membership


def decline_request(session: Session, actor: Actor, group: ResearchGroup, username: str) -> None:
    """Turn somebody down who asked; they may ask again."""
    group = lock_for(session, actor, Permission.GROUP_PEOPLE, group)
    session.delete(_get_request(session, group, username))
    audit.record(session, actor, "request:decline", group, username=username)


def withdraw_request(session: Session, actor: Actor, group: ResearchGroup, username: str) -> None:
    """Take back one's own request to join."""
    require(actor, Permission.GROUP_SEE, group)
    require_person(actor)
    if username != actor.username:
        require(actor, Permission.GROUP_PEOPLE, group)
        raise Conflict("Only who asked can withdraw a request; decline it instead.")
    group = store.lock(session, group.id)
    session.delete(_get_request(session, group, username))
    audit.record(session, actor, "request:withdraw", group)


def _get_request(session: Session, group: ResearchGroup, username: str) -> JoinRequest:
    person = people.find_person(session, username)
    request = person and store.find_request(session, group, person.id)
    if not request:
        raise NotFound
    return request
