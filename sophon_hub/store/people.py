"""Reads about people, and how somebody becomes an actor."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from sophon_hub import clock, names
from sophon_hub.errors import Forbidden, Invalid, Unauthenticated
from sophon_hub.models import IdempotencyKey, MemberRole, Membership, Person, ResearchGroup
from sophon_hub.policy.actor import Actor, LiveMembership
from sophon_hub.store.paging import Page, Paging, fetch_page, is_searchable, matches

MIN_QUERY = 2
MAX_DISPLAY_NAME = 200


@dataclass(frozen=True)
class Insider:
    """Somebody who may be in the labs of a research group."""

    person_id: int
    username: str
    display_name: str
    is_viewer: bool


def find_actor(
    session: Session,
    username: str,
    *,
    is_admin: bool,
    via: str,
    now: datetime,
    request_id: str | None = None,
) -> Actor | None:
    """The person with this name as an actor, with the memberships that hold now.

    One statement. None when the portal does not know the person yet.
    """
    live = and_(
        Membership.person_id == Person.id,
        or_(Membership.expires_at.is_(None), Membership.expires_at > now),
    )
    rows = session.execute(
        select(Person, Membership.group_id, Membership.role, Membership.expires_at)
        .outerjoin(Membership, live)
        .where(Person.username == username)
    ).all()
    if not rows:
        return None
    person = rows[0][0]
    return Actor(
        person_id=person.id,
        username=person.username,
        display_name=person.display_name,
        is_admin=is_admin,
        memberships=MappingProxyType(
            {
                group_id: LiveMembership(role, expires_at)
                for _, group_id, role, expires_at in rows
                if group_id is not None
            }
        ),
        via=via,
        request_id=request_id,
    )


def refresh_actor(session: Session, actor: Actor) -> Actor:
    """The actor with the memberships as an action of this transaction left them."""
    if actor.is_guest:
        return actor
    session.flush()
    again = find_actor(
        session,
        actor.username or "",
        is_admin=actor.is_admin,
        via=actor.via,
        now=clock.utcnow(),
        request_id=actor.request_id,
    )
    return again or actor


def search_people(session: Session, actor: Actor, q: str, paging: Paging) -> Page[Person]:
    """People whose name contains ``q``; for signed-in callers, two letters or more."""
    if actor.is_guest:
        raise Unauthenticated
    if len(q.strip()) < MIN_QUERY:
        raise Invalid.of("q", f"Type at least {MIN_QUERY} letters of the name.")
    query = select(Person).where(
        Person.gone_at.is_(None), matches(q, Person.username, Person.display_name)
    )
    return fetch_page(
        session, query, Person.username, paging, lambda row: row[0], lambda person: person.username
    )


def list_people(
    session: Session, actor: Actor, paging: Paging, *, now: datetime, q: str = ""
) -> Page[tuple[Person, int]]:
    """Everybody with an account, by user name, and in how many groups; for administrators.

    Groups in the trash count, since they may come back.
    """
    if not actor.is_admin:
        if actor.is_guest:
            raise Unauthenticated
        raise Forbidden("Only administrators list everybody.")
    live = or_(Membership.expires_at.is_(None), Membership.expires_at > now)
    count = (
        select(func.count())
        .select_from(Membership)
        .where(Membership.person_id == Person.id, live)
        .scalar_subquery()
    )
    query = select(Person, count).where(Person.gone_at.is_(None))
    if q.strip():
        query = query.where(matches(q, Person.username, Person.display_name))
    return fetch_page(
        session,
        query,
        Person.username,
        paging,
        lambda row: (row[0], row[1]),
        lambda pair: pair[0].username,
    )


def find_person(session: Session, username: str) -> Person | None:
    """The person with this user name; names are not secret among signed-in people."""
    if not is_searchable(username):
        return None
    return session.scalar(select(Person).where(Person.username == username))


def list_own_groups(session: Session, actor: Actor) -> Sequence[ResearchGroup]:
    """The research groups the actor belongs to, by name, without those in the trash."""
    query = select(ResearchGroup).where(
        ResearchGroup.id.in_(sorted(actor.memberships)), ResearchGroup.deleted_at.is_(None)
    )
    return session.scalars(query.order_by(ResearchGroup.name, ResearchGroup.id)).all()


def system_insiders(
    session: Session, claimed: Mapping[int, AbstractSet[str]], now: datetime
) -> dict[int, list[Insider]]:
    """Of the user names claimed for each research group, those who may be in its labs."""
    wanted = {name for each in claimed.values() for name in each if is_searchable(name)}
    if not wanted:
        return {}
    live = and_(
        Membership.person_id == Person.id,
        Membership.group_id.in_(claimed),
        or_(Membership.expires_at.is_(None), Membership.expires_at > now),
    )
    query = (
        select(Person, Membership.group_id, Membership.role)
        .outerjoin(Membership, live)
        .where(Person.username.in_(wanted))
        .order_by(Person.display_name, Person.id)
    )
    found: dict[int, dict[str, Insider]] = {group_id: {} for group_id in claimed}
    for person, of_group, role in session.execute(query):
        for group_id in claimed if person.is_admin else [of_group]:
            if group_id is not None and person.username in claimed[group_id]:
                found[group_id][person.username] = Insider(
                    person.id,
                    person.username,
                    person.display_name,
                    is_viewer=role is MemberRole.VIEWER and not person.is_admin,
                )
    return {group_id: list(insiders.values()) for group_id, insiders in found.items()}


def system_upsert_person(
    session: Session, username: str, display_name: str | None, *, is_admin: bool, now: datetime
) -> Person:
    """Make or refresh the record of somebody with a hub account.

    A given display name replaces the old one; None keeps it, or takes the user name.
    """
    display_name = (display_name or "").replace("\x00", "").strip()[:MAX_DISPLAY_NAME]
    person = find_person(session, username)
    if person is None:
        person = Person(
            username=username,
            display_name=display_name or username,
            is_admin=is_admin,
            created_at=now,
        )
        session.add(person)
        session.flush()
    else:
        person.is_admin = is_admin
        person.display_name = display_name or person.display_name
    return person


def system_people(session: Session) -> dict[str, bool]:
    """Everybody on record, and whether they are admins."""
    rows = session.execute(select(Person.username, Person.is_admin).where(Person.gone_at.is_(None)))
    return {row.username: row.is_admin for row in rows}


def system_retire_person(session: Session, person: Person, *, now: datetime) -> None:
    """The account is gone: nobody who comes under its name later is this person."""
    username = person.username
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.username == username))
    person.username = names.former_username(username, person.id)
    person.gone_at = now
    person.is_admin = False
    person.sign_on_groups = {}
    session.flush()


def system_rename_person(session: Session, person: Person, username: str) -> None:
    """The account has another name, and is the same person's."""
    keys = update(IdempotencyKey).where(IdempotencyKey.username == person.username)
    session.execute(keys.values(username=username))
    person.username = username
    session.flush()
