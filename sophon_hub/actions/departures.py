"""What becomes of groups, requests and locks of people whose accounts are gone; the hub itself."""

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from sophon_hub import audit, clock, names
from sophon_hub.actions.groups import sync
from sophon_hub.actions.labs import lift_lock
from sophon_hub.models import MemberRole, Membership, MembershipSource, Person, ResearchGroup
from sophon_hub.policy.actor import Actor
from sophon_hub.store import groups as store
from sophon_hub.store import labs as lab_store

SOURCE = "account"
"""In the detail of events: the account is gone."""


@dataclass
class Settled:
    """Groups that lost their last owner: to whom they passed, and those that have nobody."""

    passed: dict[str, str] = field(default_factory=dict)
    ownerless: list[str] = field(default_factory=list)


def settle_person(session: Session, actor: Actor, person_id: int) -> Settled:
    """Take somebody whose account is gone out of all groups, and lift their locks.

    A group that would lose its last owner passes to who has been in it longest: an owner with
    an end date before members, and members before viewers. Can be done twice.

    Args:
        session: a writing transaction.
        actor: the hub itself, which asks no permission.
        person_id: whose account is gone.
    """
    person, settled = session.get_one(Person, person_id), Settled()
    for group_id in store.system_groups_of_person(session, person_id):
        _leave(session, actor, store.lock(session, group_id), person, settled)
    store.system_forget_requests(session, person_id)
    for lab in lab_store.lock_labs_locked_by(session, person_id):
        lift_lock(session, actor, lab)
    return settled


def _leave(
    session: Session, actor: Actor, group: ResearchGroup, person: Person, settled: Settled
) -> None:
    membership = session.get_one(Membership, (group.id, person.id), populate_existing=True)
    before = {"role": membership.role}
    was_owner = membership.role is MemberRole.OWNER
    session.delete(membership)
    username = names.shown_username(person.username)
    audit.record(
        session, actor, "member:remove", group, username=username, before=before, source=SOURCE
    )
    if was_owner and not store.count_lasting_owners(session, group, person.id):
        _pass_on(session, actor, group, username, settled)
    sync(session, group)
    session.flush()


def _pass_on(
    session: Session, actor: Actor, group: ResearchGroup, username: str, settled: Settled
) -> None:
    heir = store.system_longest_standing(session, group, clock.utcnow())
    if heir is None:
        settled.ownerless.append(group.slug)
        audit.record(session, actor, "group:deserted", group, username=username)
        return
    before = {"role": heir.role, "expires_at": clock.rfc3339(heir.expires_at)}
    heir.role, heir.expires_at = MemberRole.OWNER, None
    heir.source = MembershipSource.PERSON
    settled.passed[group.slug] = heir.person.username
    audit.record(
        session,
        actor,
        "group:pass",
        group,
        username=heir.person.username,
        before=before,
        former=username,
    )
