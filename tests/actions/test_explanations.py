"""What `sophon-hub explain` says is what happens: 10,000 random questions, asked both ways."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sophon_hub.actions import datasets as dataset_actions
from sophon_hub.actions import forms, groups, labs, members, projects
from sophon_hub.clock import utcnow
from sophon_hub.errors import Forbidden, NotFound, SophonError, Unauthenticated, Unavailable
from sophon_hub.explain_command import GUEST, explain
from sophon_hub.models import LabState, MemberRole, Visibility
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import (
    DATASET_PERMISSIONS,
    GROUP_PERMISSIONS,
    LAB_PERMISSIONS,
    PROJECT_PERMISSIONS,
    Permission,
    require,
)
from sophon_hub.settings import Sophon
from sophon_hub.store import datasets as dataset_store
from sophon_hub.store import groups as group_store
from sophon_hub.store import labs as lab_store
from sophon_hub.store import projects as project_store
from sophon_hub.store.engine import writing
from sophon_hub.store.people import find_actor
from tests import make

TRIPLES = 10_000
BY_ACTION = 10
"""One in so many is also tried: the action itself is done, and undone."""

PEOPLE = 16
GROUPS = 8
SETTINGS = Sophon()


@dataclass(frozen=True)
class World:
    """Names of the people, and addresses of the things by the word their permissions begin with."""

    people: list[str]
    things: dict[str, list[str]]


@pytest.fixture
def world(sqlite_engine: Engine) -> Iterator[tuple[Session, World]]:
    with writing(sqlite_engine) as session:
        yield session, _populate(session, random.Random(11))
        session.rollback()


def _populate(session: Session, dice: random.Random) -> World:
    people = [make.person(session, f"p{n}", is_admin=n == 0) for n in range(PEOPLE)]
    things: dict[str, list[str]] = {"group": [], "project": [], "lab": [], "dataset": []}
    now = utcnow()
    for number in range(GROUPS):
        group = make.group(session, f"g{number}", visibility=dice.choice(list(Visibility)))
        things["group"].append(f"groups/{group.slug}")
        for person in dice.sample(people[1:], 6):
            end = dice.choice([None, None, now + timedelta(days=1), now - timedelta(days=1)])
            role = dice.choice(list(MemberRole))
            make.membership(session, group, person, role, expires_at=end)
        for place in range(3):
            fitting = [one for one in Visibility if one.openness <= group.visibility.openness]
            project = make.project(
                session, group, f"g{number}-p{place}", visibility=dice.choice(fitting)
            )
            things["project"].append(f"projects/{project.slug}")
            made: list[Any] = [project]
            for slug in ("a", "b"):
                lab = make.lab(session, project, slug, state=dice.choice(list(LabState)))
                lab.locked_by = dice.choice([None, *people[:4]])
                things["lab"].append(f"projects/{project.slug}/labs/{slug}")
                made.append(lab)
            dataset = make.dataset(
                session, f"g{number}-d{place}", group=group, visibility=dice.choice(fitting)
            )
            things["dataset"].append(f"datasets/{dataset.slug}")
            for thing in (*made, dataset):
                thing.deleted_at = dice.choice([None, None, None, now])
                if thing.deleted_at:
                    thing.purge_started_at = dice.choice([None, None, now])
        if number == 0:
            group.deleted_at = now
    session.flush()
    return World([person.username for person in people] + [GUEST], things)


def _of(permission: Permission) -> tuple[str, ...]:
    """What can be asked about with this permission."""
    kinds = {
        "group": GROUP_PERMISSIONS,
        "project": PROJECT_PERMISSIONS,
        "lab": LAB_PERMISSIONS,
        "dataset": DATASET_PERMISSIONS,
    }
    return tuple(kind for kind, known in kinds.items() if permission in known)


def _find(session: Session, actor: Actor, address: str) -> Any:
    """As pages and API find it: through reads that filter in SQL."""
    match address.split("/"):
        case ["groups", slug]:
            return group_store.get_group(session, actor, slug)
        case ["projects", slug]:
            return project_store.get_project(session, actor, slug)
        case ["datasets", slug]:
            return dataset_store.get_dataset(session, actor, slug)
        case [_, project, _, slug]:
            return lab_store.get_lab(session, actor, project, slug)
    raise AssertionError(address)


def _actor(session: Session, name: str) -> Actor:
    found = find_actor(session, name, is_admin=name == "p0", via="api", now=utcnow())
    return found or Actor()


def _is_enforced(session: Session, name: str, permission: Permission, address: str) -> bool:
    actor = _actor(session, name)
    try:
        require(actor, permission, _find(session, actor, address))
    except (NotFound, Forbidden, Unauthenticated):
        return False
    return True


Do = Callable[[Session, Actor, Any], Any]
ACTIONS: dict[Permission, Do] = {
    Permission.GROUP_EDIT: lambda s, a, t: groups.edit_group(s, a, t, forms.GroupChanges(name="X")),
    Permission.GROUP_PEOPLE: lambda s, a, t: members.set_member(
        s, a, t, "p1", forms.MemberSettings(role=MemberRole.VIEWER)
    ),
    Permission.GROUP_DELETE: lambda s, a, t: (
        groups.restore_group(s, a, t) if t.deleted_at else groups.delete_group(s, a, t)
    ),
    Permission.PROJECT_CREATE: lambda s, a, t: projects.create_project(
        s, a, forms.NewProject(group=t.slug, name="X", visibility=Visibility.PRIVATE)
    ),
    Permission.PROJECT_EDIT: lambda s, a, t: projects.edit_project(
        s, a, t, forms.ProjectChanges(name="X")
    ),
    Permission.PROJECT_DELETE: lambda s, a, t: (
        projects.restore_project(s, a, t) if t.deleted_at else projects.delete_project(s, a, t)
    ),
    Permission.LAB_CREATE: lambda s, a, t: labs.create_lab(
        s, a, t, forms.NewLab(name="X"), SETTINGS
    ),
    Permission.LAB_EDIT: lambda s, a, t: labs.edit_lab(
        s, a, t, forms.LabChanges(name="X"), SETTINGS
    ),
    Permission.LAB_STOP: labs.stop_lab,
    Permission.LAB_LOCK: lambda s, a, t: labs.lock_lab(s, a, t, forms.LockReason()),
    Permission.LAB_UNLOCK: labs.unlock_lab,
    Permission.LAB_DELETE: lambda s, a, t: (
        labs.restore_lab(s, a, t) if t.deleted_at else labs.delete_lab(s, a, t)
    ),
    Permission.DATASET_EDIT: lambda s, a, t: dataset_actions.edit_dataset(
        s, a, t, forms.DatasetChanges(name="X")
    ),
    Permission.DATASET_DELETE: lambda s, a, t: (
        dataset_actions.restore_dataset(s, a, t)
        if t.deleted_at
        else dataset_actions.delete_dataset(s, a, t)
    ),
}
"""What people do with a permission; the others are only asked for."""


def _is_done(session: Session, name: str, do: Do, address: str) -> bool:
    """Whether the action gets as far as its own rules; nothing of it stays."""
    actor = _actor(session, name)
    part = session.begin_nested()
    try:
        do(session, actor, _find(session, actor, address))
    except (NotFound, Forbidden, Unauthenticated):
        return False
    except Unavailable:
        raise
    except SophonError:
        return True  # allowed, but locked, running or the last owner
    finally:
        part.rollback()
        session.expire_all()
    return True


def test_an_explanation_equals_what_is_enforced(world: tuple[Session, World]) -> None:
    session, there = world
    dice = random.Random(2027)
    allowed = tried = 0
    for number in range(TRIPLES):
        permission = dice.choice(list(Permission))
        name = dice.choice(there.people)
        address = dice.choice(there.things[dice.choice(_of(permission))])
        said = explain(session, name, permission, address).allowed
        question = f"{name} {permission} {address}"
        assert _is_enforced(session, name, permission, address) is said, question
        allowed += said
        do = ACTIONS.get(permission)
        if number % BY_ACTION == 0 and do is not None:
            tried += 1
            assert _is_done(session, name, do, address) is said, question
    assert TRIPLES // 10 < allowed < TRIPLES * 9 // 10
    assert tried > TRIPLES // BY_ACTION // 4
