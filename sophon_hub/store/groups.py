"""Reads of research groups, their people and the requests to join them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.orm import Session, joinedload

from sophon_hub import names
from sophon_hub.errors import NotFound, Unauthenticated
from sophon_hub.models import (
    AccessMode,
    JoinRequest,
    MemberRole,
    Membership,
    MembershipSource,
    Person,
    ResearchGroup,
    ResearchProject,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.visibility import visible_groups, visible_projects
from sophon_hub.store.looks import note_look
from sophon_hub.store.paging import Page, Paging, fetch_page, matches


@dataclass(frozen=True)
class GroupSummary:
    """A research group with its counts, as lists and pages show it."""

    group: ResearchGroup
    member_count: int
    project_count: int


def is_live(now: datetime) -> ColumnElement[bool]:
    """Condition on memberships: not expired."""
    return or_(Membership.expires_at.is_(None), Membership.expires_at > now)


def _summaries(actor: Actor, now: datetime) -> Select[ResearchGroup, int, int]:
    members = (
        select(func.count())
        .select_from(Membership)
        .where(Membership.group_id == ResearchGroup.id, is_live(now))
        .scalar_subquery()
    )
    projects = (
        select(func.count())
        .select_from(ResearchProject)
        .where(
            ResearchProject.group_id == ResearchGroup.id,
            ResearchProject.deleted_at.is_(None),
            visible_projects(actor),
        )
        .scalar_subquery()
    )
    return select(ResearchGroup, members, projects).where(visible_groups(actor))


def list_groups(
    session: Session,
    actor: Actor,
    paging: Paging,
    *,
    now: datetime,
    q: str = "",
    mine: bool = False,
    access: AccessMode | None = None,
    trash: bool = False,
) -> Page[GroupSummary]:
    """Research groups the actor may see, by slug; ``trash`` lists the deleted ones instead."""
    deleted = ResearchGroup.deleted_at
    query = _summaries(actor, now).where(deleted.is_not(None) if trash else deleted.is_(None))
    if q.strip():
        query = query.where(matches(q, ResearchGroup.name, ResearchGroup.slug))
    if mine:
        query = query.where(ResearchGroup.id.in_(sorted(actor.memberships)))
    if access:
        query = query.where(ResearchGroup.access == access)
    return fetch_page(
        session,
        query,
        ResearchGroup.slug,
        paging,
        lambda row: GroupSummary(*row),
        lambda summary: summary.group.slug,
    )


def get_group(session: Session, actor: Actor, slug: str) -> ResearchGroup:
    """The research group, or NotFound when it is not there or not visible."""
    if not names.is_slug(slug):
        raise NotFound
    group = session.scalar(
        select(ResearchGroup).where(ResearchGroup.slug == slug, visible_groups(actor))
    )
    if group is None:
        raise NotFound
    note_look(session, actor, group)
    return group


def get_summary(session: Session, actor: Actor, slug: str, now: datetime) -> GroupSummary:
    """The research group with its counts, or NotFound."""
    if not names.is_slug(slug):
        raise NotFound
    row = session.execute(_summaries(actor, now).where(ResearchGroup.slug == slug)).first()
    if row is None:
        raise NotFound
    note_look(session, actor, row[0])
    return GroupSummary(row[0], row[1], row[2])


def lock(session: Session, group_id: int) -> ResearchGroup:
    """Take the research group's row for this transaction, so that rules about its people hold.

    On SQLite the whole transaction already has the write lock.
    """
    session.flush()
    query = select(ResearchGroup).where(ResearchGroup.id == group_id).with_for_update()
    group = session.scalar(query.execution_options(populate_existing=True))
    if group is None:
        raise NotFound
    return group


def hold(session: Session, group_id: int) -> None:
    """Keep the research group's people and projects as they are until this transaction ends.

    Others may hold it as well: what is done in the group's labs does not wait for one another.
    """
    session.flush()
    query = select(ResearchGroup).where(ResearchGroup.id == group_id).with_for_update(read=True)
    session.execute(query.execution_options(populate_existing=True)).all()


def list_members(
    session: Session, actor: Actor, group: ResearchGroup, paging: Paging, now: datetime
) -> Page[Membership]:
    """The people of a visible research group, by user name. Guests only get the count."""
    if actor.is_guest:
        raise Unauthenticated("Sign in to see who belongs to this group.")
    query = (
        select(Membership)
        .join(Membership.person)
        .where(Membership.group_id == group.id, is_live(now))
        .options(joinedload(Membership.person), joinedload(Membership.added_by))
    )
    return fetch_page(
        session,
        query,
        Person.username,
        paging,
        lambda row: row[0],
        lambda membership: membership.person.username,
    )


def find_membership(
    session: Session, group: ResearchGroup, person_id: int, now: datetime
) -> Membership | None:
    """Somebody's membership, if it holds now."""
    return session.scalar(
        select(Membership)
        .where(Membership.group_id == group.id, Membership.person_id == person_id, is_live(now))
        .options(joinedload(Membership.person), joinedload(Membership.added_by))
    )


def list_lasting_owners(session: Session, group: ResearchGroup) -> Sequence[int]:
    """The numbers of the owners without an end date."""
    query = select(Membership.person_id).where(
        Membership.group_id == group.id,
        Membership.role == MemberRole.OWNER,
        Membership.expires_at.is_(None),
    )
    return session.scalars(query.order_by(Membership.person_id)).all()


def count_lasting_owners(session: Session, group: ResearchGroup, except_person: int) -> int:
    """Owners without an end date, not counting one person: somebody must always be left."""
    query = (
        select(func.count())
        .select_from(Membership)
        .where(
            Membership.group_id == group.id,
            Membership.role == MemberRole.OWNER,
            Membership.expires_at.is_(None),
            Membership.person_id != except_person,
        )
    )
    return session.scalar(query) or 0


def list_requests(session: Session, group: ResearchGroup, paging: Paging) -> Page[JoinRequest]:
    """Open requests to join; the caller has been found to be allowed to decide them."""
    query = (
        select(JoinRequest)
        .join(JoinRequest.person)
        .where(JoinRequest.group_id == group.id)
        .options(joinedload(JoinRequest.person))
    )
    return fetch_page(
        session,
        query,
        Person.username,
        paging,
        lambda row: row[0],
        lambda request: request.person.username,
    )


def find_request(session: Session, group: ResearchGroup, person_id: int) -> JoinRequest | None:
    """Somebody's open request to join."""
    return session.scalar(
        select(JoinRequest)
        .where(JoinRequest.group_id == group.id, JoinRequest.person_id == person_id)
        .options(joinedload(JoinRequest.person))
    )


def with_people(session: Session, row: Membership) -> Membership:
    """The membership with the people it names loaded, as the transaction left it."""
    session.flush()
    session.refresh(row, ["person", "added_by"])
    return row


def with_person(session: Session, row: JoinRequest) -> JoinRequest:
    """The request with the person who asked loaded, as the transaction left it."""
    session.flush()
    session.refresh(row, ["person"])
    return row


def list_of_person(
    session: Session, actor: Actor, person: Person, now: datetime
) -> tuple[list[tuple[str, Membership]], Sequence[str]]:
    """Somebody's memberships with the slug of the group, and the groups they ask to join.

    Of groups that the actor sees, in order.
    """
    memberships = select(ResearchGroup.slug, Membership).where(
        Membership.group_id == ResearchGroup.id, Membership.person_id == person.id, is_live(now)
    )
    requests = select(ResearchGroup.slug).where(
        JoinRequest.group_id == ResearchGroup.id, JoinRequest.person_id == person.id
    )
    seen, by_slug = visible_groups(actor), ResearchGroup.slug
    rows = session.execute(memberships.where(seen).order_by(by_slug))
    asked = session.scalars(requests.where(seen).order_by(by_slug)).all()
    return [(slug, membership) for slug, membership in rows], asked


def system_groups_of_sign_on(
    session: Session, person_id: int, slugs: Collection[str]
) -> Sequence[int]:
    """Numbers, in order, of the groups with these slugs, and of those the sign-on gave somebody."""
    given = select(Membership.group_id).where(
        Membership.person_id == person_id, Membership.source == MembershipSource.SIGN_ON
    )
    query = select(ResearchGroup.id).where(
        or_(ResearchGroup.slug.in_(sorted(slugs)), ResearchGroup.id.in_(given))
    )
    return session.scalars(query.order_by(ResearchGroup.id)).all()


def system_groups_of_person(session: Session, person_id: int) -> Sequence[int]:
    """Numbers, in order, of the groups somebody belongs or belonged to."""
    query = select(Membership.group_id).where(Membership.person_id == person_id)
    return session.scalars(query.order_by(Membership.group_id)).all()


def system_longest_standing(
    session: Session, group: ResearchGroup, now: datetime
) -> Membership | None:
    """Whose group it becomes when its last owner is gone: the highest role, then the longest in it.

    The person is loaded.
    """
    query = (
        select(Membership)
        .where(Membership.group_id == group.id, is_live(now))
        .options(joinedload(Membership.person))
    )
    found = session.scalars(query.execution_options(populate_existing=True)).all()
    return min(found, key=lambda one: (-one.role.level, one.added_at, one.person_id), default=None)


def system_forget_requests(session: Session, person_id: int) -> None:
    """Somebody asks for nothing any more."""
    session.execute(delete(JoinRequest).where(JoinRequest.person_id == person_id))
