"""What the Hub should look like, read from the portal's tables. For the worker only."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from sophon_hub import names
from sophon_hub.models import Lab, MemberRole, Membership, Person, ResearchGroup, ResearchProject
from sophon_hub.store.groups import is_live


@dataclass(frozen=True)
class GroupProjection:
    """Who should be in the hub groups of a research group: each person in one at most."""

    slug: str
    people: frozenset[str]
    watchers: frozenset[str]
    accounts: frozenset[str]


def system_group_projection(
    session: Session, group_id: int, now: datetime
) -> GroupProjection | None:
    """The hub groups of one research group; empty ones while it is in the trash."""
    found = system_group_projections(session, now, group_id)
    return found[0] if found else None


def system_group_projections(
    session: Session, now: datetime, group_id: int | None = None
) -> list[GroupProjection]:
    """The hub groups of all research groups that are not being removed, or of one."""
    groups = select(ResearchGroup.id, ResearchGroup.slug, ResearchGroup.deleted_at).where(
        ResearchGroup.purge_started_at.is_(None)
    )
    people = (
        select(Membership.group_id, Person.username, Membership.role)
        .join(Person, Membership.person_id == Person.id)
        .where(is_live(now))
    )
    projects = select(ResearchProject.group_id, ResearchProject.slug).where(
        ResearchProject.deleted_at.is_(None)
    )
    if group_id is not None:
        groups = groups.where(ResearchGroup.id == group_id)
        people = people.where(Membership.group_id == group_id)
        projects = projects.where(ResearchProject.group_id == group_id)
    members: defaultdict[int, set[str]] = defaultdict(set)
    watchers: defaultdict[int, set[str]] = defaultdict(set)
    for number, username, role in session.execute(people):
        (watchers if role is MemberRole.VIEWER else members)[number].add(username)
    accounts: defaultdict[int, set[str]] = defaultdict(set)
    for number, slug in session.execute(projects):
        accounts[number].add(names.account_name(slug))
    return [
        GroupProjection(
            slug=slug,
            people=frozenset() if deleted else frozenset(members[number]),
            watchers=frozenset() if deleted else frozenset(watchers[number]),
            accounts=frozenset() if deleted else frozenset(accounts[number]),
        )
        for number, slug, deleted in session.execute(groups)
    ]


def system_group_ids(session: Session) -> dict[str, int]:
    """Numbers of all research groups by slug."""
    rows = session.execute(select(ResearchGroup.slug, ResearchGroup.id)).all()
    return {row.slug: row.id for row in rows}


def system_groups_with_end_between(
    session: Session, after: datetime, until: datetime
) -> Sequence[int]:
    """Numbers of the research groups in which a membership ended in this span."""
    return session.scalars(
        select(Membership.group_id)
        .where(Membership.expires_at > after, Membership.expires_at <= until)
        .distinct()
    ).all()


@dataclass(frozen=True)
class LockProjection:
    """Who should be in the hub group of a lab's lock; nobody while the lab is not locked."""

    lab_id: int
    group: str
    account: str
    members: frozenset[str]


def system_lock_projections(session: Session, lab_id: int | None = None) -> list[LockProjection]:
    """The locks of all locked labs, or what holds for one lab, locked or not."""
    query = (
        select(Lab.id, Lab.slug, ResearchProject.slug, Person.username)
        .join(Lab.project)
        .outerjoin(Lab.locked_by)
        .order_by(Lab.id)
    )
    query = query.where(Lab.locked_by_id.is_not(None) if lab_id is None else Lab.id == lab_id)
    found = []
    for number, lab, project, locker in session.execute(query):
        account = names.account_name(project)
        members = frozenset({account, locker} if locker else ())
        found.append(LockProjection(number, names.lock_group(project, lab), account, members))
    return found
