"""What a change would hide from whom, before anybody makes it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sophon_hub import clock
from sophon_hub.errors import NotFound
from sophon_hub.models import (
    Dataset,
    Lab,
    LabState,
    MemberRole,
    Membership,
    Person,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require
from sophon_hub.store.groups import find_membership, is_live
from sophon_hub.store.people import find_person

Thing = ResearchGroup | ResearchProject | Dataset

EDITING: dict[type, tuple[Permission, Permission]] = {
    ResearchGroup: (Permission.GROUP_DELETE, Permission.GROUP_EDIT),
    ResearchProject: (Permission.PROJECT_DELETE, Permission.PROJECT_VISIBILITY),
    Dataset: (Permission.DATASET_DELETE, Permission.DATASET_VISIBILITY),
}
"""What it takes to delete a thing, and to change who sees it."""


@dataclass(frozen=True)
class Effect:
    """How much would be hidden, and from whom.

    ``people`` have an account and lose sight of at least one of these things; ``guests`` is
    whether everybody without an account does. ``running_labs`` would be stopped.
    When a project is moved, ``leaving`` would no longer get into its labs, and ``coming`` would.
    """

    groups: int = 0
    projects: int = 0
    datasets: int = 0
    people: int = 0
    guests: bool = False
    running_labs: int = 0
    leaving: int = 0
    coming: int = 0


class _Seers:
    """Who sees what, by the numbers of people; the same rule as `policy.visibility.sees`."""

    def __init__(self, people: dict[int, bool], members: dict[int, MemberRole]) -> None:
        self.everybody = set(people)
        self.admins = {number for number, is_admin in people.items() if is_admin}
        self.inside = set(members) | self.admins
        owners = {number for number, role in members.items() if role is MemberRole.OWNER}
        self.of_trash = owners | self.admins

    def of(self, visibility: Visibility) -> set[int]:
        """Who with an account sees a thing of the group with this visibility."""
        return self.inside if visibility is Visibility.PRIVATE else self.everybody


def _seers(session: Session, group_ids: Collection[int | None]) -> dict[int | None, _Seers]:
    """Who sees what belongs to each of these groups, or to none."""
    rows = session.execute(select(Person.id, Person.is_admin).where(Person.gone_at.is_(None)))
    people = {row.id: row.is_admin for row in rows}
    members: dict[int | None, dict[int, MemberRole]] = {group_id: {} for group_id in group_ids}
    memberships = select(Membership.group_id, Membership.person_id, Membership.role).where(
        Membership.group_id.in_(group_ids), is_live(clock.utcnow())
    )
    for group_id, person_id, role in session.execute(memberships):
        members[group_id][person_id] = role
    return {group_id: _Seers(people, inside) for group_id, inside in members.items()}


def _seers_of(session: Session, thing: Thing) -> _Seers:
    group_id = _group_id(thing)
    return _seers(session, [group_id])[group_id]


def get_effect_of_deletion(session: Session, actor: Actor, thing: Thing) -> Effect:
    """What moving something to the trash, with all it has, would hide."""
    require(actor, EDITING[type(thing)][0], thing)
    seers = _seers_of(session, thing)
    things = _contents(session, thing)
    lost = {one: seers.of(one.visibility) - seers.of_trash for one in things}
    projects = [one.id for one in things if isinstance(one, ResearchProject)]
    running = session.scalar(
        select(func.count())
        .select_from(Lab)
        .where(
            Lab.project_id.in_(projects),
            Lab.state.in_([state for state in LabState if state.has_server]),
        )
    )
    return _effect(lost, {one for one in things if one.visibility is Visibility.PUBLIC}, running)


def get_effect_of_visibility(
    session: Session, actor: Actor, thing: Thing, visibility: Visibility
) -> Effect:
    """What giving something this visibility would hide."""
    require(actor, EDITING[type(thing)][1], thing)
    seers = _seers_of(session, thing)
    lost = seers.of(thing.visibility) - seers.of(visibility)
    was_public = thing.visibility is Visibility.PUBLIC and visibility is not Visibility.PUBLIC
    return _effect({thing: lost}, {thing} if was_public else set())


def get_effects_of_move(
    session: Session, actor: Actor, project: ResearchProject, groups: Iterable[ResearchGroup]
) -> dict[str, Effect]:
    """What moving a project to each of these groups would do, by the slug of the group.

    In a stricter group the project becomes as visible as that.
    """
    require(actor, Permission.PROJECT_MOVE, project)
    targets = list(groups)
    seers = _seers(session, [project.group_id, *(group.id for group in targets)])
    old = seers[project.group_id]
    return {group.slug: _of_move(project, old, group, seers[group.id]) for group in targets}


def _of_move(project: ResearchProject, old: _Seers, group: ResearchGroup, new: _Seers) -> Effect:
    visibility = project.visibility.within(group.visibility)
    lost: dict[Thing, set[int]] = {project: old.of(project.visibility) - new.of(visibility)}
    was_public = project.visibility is not visibility and project.visibility is Visibility.PUBLIC
    found = _effect(lost, lost if was_public else ())
    leaving, coming = old.inside - new.inside, new.inside - old.inside
    return replace(found, leaving=len(leaving), coming=len(coming))


def get_effect_of_leaving(
    session: Session, actor: Actor, group: ResearchGroup, username: str
) -> Effect:
    """What would be hidden from somebody who is taken out of a group.

    Raises:
        NotFound: nobody of this name belongs to it.
    """
    require(actor, Permission.GROUP_PEOPLE, group)
    person = find_person(session, username)
    if person is None or find_membership(session, group, person.id, clock.utcnow()) is None:
        raise NotFound
    return next(iter(_of_leaving(session, group, [person]).values()))


def get_effects_of_leaving(
    session: Session, actor: Actor, group: ResearchGroup, people: Iterable[Person]
) -> dict[str, Effect]:
    """The same for people of the group, by user name."""
    require(actor, Permission.GROUP_PEOPLE, group)
    return _of_leaving(session, group, people)


def _of_leaving(
    session: Session, group: ResearchGroup, people: Iterable[Person]
) -> dict[str, Effect]:
    things = _contents(session, group)
    hidden = {one: {0} for one in things if one.visibility is Visibility.PRIVATE}
    return {one.username: Effect() if one.is_admin else _effect(hidden, ()) for one in people}


def _group_id(thing: Thing) -> int | None:
    return thing.id if isinstance(thing, ResearchGroup) else thing.group_id


def _contents(session: Session, thing: Thing) -> list[Thing]:
    """The thing and what goes with it, without what is in the trash already."""
    if not isinstance(thing, ResearchGroup):
        return [thing]
    found: list[Thing] = [thing]
    for kind in (ResearchProject, Dataset):
        query = select(kind).where(kind.group_id == thing.id, kind.deleted_at.is_(None))
        found += session.scalars(query)
    return found


def _effect(
    lost: dict[Thing, set[int]], lost_to_guests: Iterable[Thing], running: int | None = 0
) -> Effect:
    guests = set(lost_to_guests)
    hidden = [thing for thing, people in lost.items() if people or thing in guests]
    return Effect(
        groups=_count(hidden, ResearchGroup),
        projects=_count(hidden, ResearchProject),
        datasets=_count(hidden, Dataset),
        people=len(set().union(*lost.values())),
        guests=bool(guests),
        running_labs=running or 0,
    )


def _count(things: list[Thing], kind: type) -> int:
    return sum(isinstance(thing, kind) for thing in things)
