"""What a preview says is what happens: counted before the change, and after it."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from sophon_hub.actions import forms
from sophon_hub.actions.datasets import edit_dataset
from sophon_hub.actions.groups import delete_group
from sophon_hub.actions.members import remove_member
from sophon_hub.actions.projects import delete_project, edit_project
from sophon_hub.clock import utcnow
from sophon_hub.content.effects import effect_sentence
from sophon_hub.errors import Forbidden, NotFound
from sophon_hub.models import (
    Dataset,
    LabState,
    MemberRole,
    Person,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, may
from sophon_hub.policy.visibility import visible_datasets, visible_groups, visible_projects
from sophon_hub.store.effects import (
    Effect,
    get_effect_of_deletion,
    get_effect_of_leaving,
    get_effect_of_visibility,
    get_effects_of_leaving,
    get_effects_of_move,
)
from sophon_hub.store.people import find_actor
from tests import make
from tests.cast import Cast

KINDS: dict[str, tuple[Any, Any]] = {
    "groups": (ResearchGroup, visible_groups),
    "projects": (ResearchProject, visible_projects),
    "datasets": (Dataset, visible_datasets),
}


def actor_of(session: Session, person: Person | None) -> Actor:
    if person is None:
        return Actor()
    found = find_actor(session, person.username, is_admin=person.is_admin, via="api", now=utcnow())
    assert found
    return found


def sights(session: Session) -> dict[str | None, set[tuple[str, int]]]:
    """What everybody sees outside the trash, or owns in it; None is a guest."""
    session.flush()
    people: list[Person | None] = [None, *session.scalars(select(Person))]
    seen = {}
    for person in people:
        actor = actor_of(session, person)
        seen[person and person.username] = {
            (noun, number)
            for noun, (kind, condition) in KINDS.items()
            for number in session.scalars(select(kind.id).where(condition(actor)))
        }
    return seen


def difference(session: Session, change: Callable[[], Any]) -> Effect:
    """What a change really hides that was not in the trash; it is undone."""
    before = sights(session)
    live = {
        (noun, number)
        for noun, (kind, _) in KINDS.items()
        for number in session.scalars(select(kind.id).where(kind.deleted_at.is_(None)))
    }
    part = session.begin_nested()
    change()
    after = sights(session)
    part.rollback()
    session.expire_all()
    lost = {name: (before[name] - after[name]) & live for name in before}
    hidden = set().union(*lost.values())
    return Effect(
        **{noun: sum(one == noun for one, _ in hidden) for noun in KINDS},
        people=sum(bool(things) for name, things in lost.items() if name is not None),
        guests=bool(lost[None]),
    )


def populate(session: Session, dice: random.Random) -> list[ResearchGroup]:
    people = [make.person(session, f"p{n}", is_admin=n == 0) for n in range(9)]
    groups = []
    for number, visibility in enumerate([*Visibility, Visibility.PUBLIC]):
        group = make.group(session, f"g{number}", visibility=visibility)
        groups.append(group)
        make.membership(session, group, people[1], MemberRole.OWNER)
        for person in dice.sample(people[2:], 4):
            end = dice.choice([None, None, utcnow() - timedelta(days=1)])
            make.membership(session, group, person, dice.choice(list(MemberRole)), expires_at=end)
        fitting = [one for one in Visibility if one.openness <= visibility.openness]
        for place in range(4):
            gone = dice.choice([None, None, make.LONG_AGO])
            make.project(
                session,
                group,
                f"p{number}-{place}",
                visibility=dice.choice(fitting),
                deleted_at=gone,
            )
            make.dataset(
                session,
                f"d{number}-{place}",
                group=group,
                visibility=dice.choice(fitting),
                deleted_at=dice.choice([None, None, make.LONG_AGO]),
            )
    return groups


@pytest.mark.parametrize("seed", range(6))
def test_a_preview_says_what_happens(session: Session, seed: int) -> None:
    groups = populate(session, random.Random(seed))
    session.commit()
    owner = actor_of(session, session.scalars(select(Person).filter_by(username="p1")).one())
    for group in groups:
        foretold = get_effect_of_deletion(session, owner, group)
        assert difference(session, lambda g=group: delete_group(session, owner, g)) == foretold
        for name in ("p0", *(f"p{n}" for n in range(2, 9))):
            try:
                foretold = get_effect_of_leaving(session, owner, group, name)
            except NotFound:
                continue

            def leave(group: ResearchGroup = group, name: str = name) -> None:
                remove_member(session, owner, group, name)

            assert difference(session, leave) == foretold
    live = select(ResearchProject.id).where(ResearchProject.deleted_at.is_(None))
    for number in session.scalars(live).all():

        def project(number: int = number) -> ResearchProject:
            group = joinedload(ResearchProject.group)
            return session.get_one(ResearchProject, number, options=[group], populate_existing=True)

        foretold = get_effect_of_deletion(session, owner, project())
        assert (
            difference(session, lambda find=project: delete_project(session, owner, find()))
            == foretold
        )


@pytest.mark.parametrize("before", Visibility)
@pytest.mark.parametrize("after", Visibility)
def test_another_visibility_is_foretold(cast: Cast, before: Visibility, after: Visibility) -> None:
    session, ada = cast.session, cast.actor("ada")
    project = make.project(session, cast.group, visibility=before)
    dataset = make.dataset(session, group=cast.group, visibility=before)
    changes = {
        "projects": lambda: edit_project(
            session, ada, project, forms.ProjectChanges(visibility=after)
        ),
        "datasets": lambda: edit_dataset(
            session, ada, dataset, forms.DatasetChanges(visibility=after)
        ),
    }
    for thing, change in ((project, changes["projects"]), (dataset, changes["datasets"])):
        foretold = get_effect_of_visibility(session, ada, thing, after)
        seen = sights(session)
        thing.visibility = after
        now = sights(session)
        thing.visibility = before
        lost = {name: seen[name] - now[name] for name in seen}
        assert foretold.people == sum(bool(lost[name]) for name in lost if name)
        assert foretold.guests == bool(lost[None])
        change()
        assert sights(session) == now
        thing.visibility = before


def doors(session: Session, project: ResearchProject) -> set[str | None]:
    """Who gets into the labs of a project, to work or to watch."""
    people = [None, *session.scalars(select(Person))]
    return {
        person and person.username
        for person in people
        if may(actor_of(session, person), Permission.LAB_WATCH, project)
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_preview_of_a_move_says_what_happens(session: Session, seed: int) -> None:
    groups = populate(session, random.Random(seed))
    session.commit()
    owner = actor_of(session, session.scalars(select(Person).filter_by(username="p1")).one())
    live = select(ResearchProject).where(ResearchProject.deleted_at.is_(None))
    for project in session.scalars(live.options(joinedload(ResearchProject.group))).all():
        others = [group for group in groups if group.id != project.group_id]
        foretold = get_effects_of_move(session, owner, project, others)
        assert set(foretold) == {group.slug for group in others}
        for group in others:
            seen, inside = sights(session), doors(session, project)
            part = session.begin_nested()
            visibility = min(project.visibility, group.visibility, key=lambda one: one.openness)
            form = forms.ProjectChanges(group=group.slug, visibility=visibility)
            edit_project(session, owner, project, form)
            now, inside_now = sights(session), doors(session, project)
            part.rollback()
            session.refresh(project)
            session.refresh(project, ["group"])
            lost = {name: seen[name] - now[name] for name in seen}
            assert foretold[group.slug] == Effect(
                projects=int(any(lost.values())),
                people=sum(bool(lost[name]) for name in lost if name),
                guests=bool(lost[None]),
                leaving=len(inside - inside_now),
                coming=len(inside_now - inside),
            )


def test_who_may_not_move_a_project_is_told_nothing_of_it(cast: Cast) -> None:
    project = make.project(cast.session, cast.group)
    for name in ("grace", "alan"):
        with pytest.raises(Forbidden):
            get_effects_of_move(cast.session, cast.actor(name), project, [])


def test_running_labs_are_counted_and_what_is_in_the_trash_is_not(cast: Cast) -> None:
    lens = make.project(cast.session, cast.group, "lens", visibility=Visibility.INTERNAL)
    old = make.project(cast.session, cast.group, "old", deleted_at=make.LONG_AGO)
    for state in LabState:
        make.lab(cast.session, lens, str(state), state=state)
    make.lab(cast.session, old, "a", state=LabState.RUNNING)
    cast.session.flush()
    ada = cast.actor("ada")
    found = get_effect_of_deletion(cast.session, ada, lens)
    assert found == Effect(projects=1, people=3, running_labs=3)
    found = get_effect_of_deletion(cast.session, ada, cast.group)
    assert found == Effect(groups=1, projects=1, people=3, guests=True, running_labs=3)
    dataset = make.dataset(cast.session, visibility=Visibility.INTERNAL)
    found = get_effect_of_deletion(cast.session, cast.actor("root"), dataset)
    assert found == Effect(datasets=1, people=4)


def test_only_who_may_make_a_change_is_told_what_it_hides(cast: Cast) -> None:
    grace, session = cast.actor("grace"), cast.session
    project = make.project(session, cast.group)
    people = list(cast.people.values())
    for ask in (
        lambda: get_effect_of_deletion(session, grace, cast.group),
        lambda: get_effect_of_deletion(session, grace, project),
        lambda: get_effect_of_visibility(session, grace, project, Visibility.PRIVATE),
        lambda: get_effect_of_leaving(session, grace, cast.group, "alan"),
        lambda: get_effects_of_leaving(session, grace, cast.group, people),
    ):
        with pytest.raises(Forbidden):
            ask()


def test_who_is_nobody_or_outside_leaves_nothing(cast: Cast) -> None:
    for name in ("barbara", "nobody"):
        with pytest.raises(NotFound):
            get_effect_of_leaving(cast.session, cast.actor("ada"), cast.group, name)


@pytest.mark.parametrize(
    ("hidden", "people", "labs", "guests", "said"),
    [
        ({"project": 3}, 41, 0, False, "Hides 3 projects from 41 people."),
        (
            {"group": 1, "project": 1, "dataset": 2},
            1,
            1,
            True,
            "Hides 1 group, 1 project and 2 datasets from 1 person and everybody without an"
            " account. Stops 1 running lab.",
        ),
        ({"project": 1}, 0, 0, True, "Hides 1 project from everybody without an account."),
        ({"project": 0}, 0, 2, False, "Hides nothing from anybody. Stops 2 running labs."),
        ({"dataset": 1}, 1200, 0, False, "Hides 1 dataset from 1,200 people."),
    ],
)
def test_an_effect_is_a_sentence(
    hidden: dict[str, int], people: int, labs: int, guests: bool, said: str
) -> None:
    assert effect_sentence(hidden, people, labs, guests=guests) == said
