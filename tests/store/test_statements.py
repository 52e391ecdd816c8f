"""No list asks the database more often when it is longer."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sophon_hub import audit
from sophon_hub.models import LabState, MemberRole, Visibility
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import permitted
from sophon_hub.store import events, groups, labs, people, projects
from sophon_hub.store.engine import reading, writing
from sophon_hub.store.paging import Paging
from tests import make
from tests.cast import Cast
from tests.database import statements

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
ALL = Paging(200)
Read = Callable[[Session, Actor], object]


def grow(engine: Engine, numbers: range) -> None:
    """One more of everything that is listed, for each number."""
    with writing(engine) as session:
        ada = people.find_person(session, "ada")
        cast_group = groups.get_group(session, Actor(), "optics")
        project = projects.get_project(session, Actor(is_admin=True), "lens")
        assert ada
        for number in numbers:
            newcomer = make.person(session, f"newcomer{number}")
            make.membership(session, cast_group, newcomer, added_by=ada)
            make.request(session, cast_group, make.person(session, f"asker{number}"))
            group = make.group(session, f"g{number}")
            make.membership(session, group, ada, MemberRole.OWNER)
            make.project(session, group, f"p{number}", visibility=Visibility.INTERNAL)
            make.lab(session, project, f"l{number}", state=LabState.RUNNING, locked_by=ada)
            audit.record(session, Actor(), "test:it", cast_group)


def _members(session: Session, actor: Actor) -> object:
    group = groups.get_group(session, actor, "optics")
    page = groups.list_members(session, actor, group, ALL, NOW)
    return [(row.person.username, row.added_by and row.added_by.username) for row in page.items]


def _requests(session: Session, actor: Actor) -> object:
    page = groups.list_requests(session, groups.get_group(session, actor, "optics"), ALL)
    return [row.person.username for row in page.items]


def _groups(session: Session, actor: Actor) -> object:
    page = groups.list_groups(session, actor, ALL, now=NOW)
    return [
        (row.member_count, row.project_count, permitted(actor, row.group)) for row in page.items
    ]


def _projects(session: Session, actor: Actor) -> object:
    page = projects.list_projects(session, actor, ALL)
    return [
        (row.lab_count, row.project.group.slug, permitted(actor, row.project)) for row in page.items
    ]


def _labs(session: Session, actor: Actor) -> object:
    page = labs.list_labs(session, actor, projects.get_project(session, actor, "lens"), ALL)
    return [
        (lab.project.group.slug, lab.locked_by and lab.locked_by.username, permitted(actor, lab))
        for lab in page.items
    ]


def _active_labs(session: Session, actor: Actor) -> object:
    return [lab.project.group.slug for lab in labs.list_active_labs(session, actor)]


def _servers(session: Session, _: Actor) -> object:
    return [lab.project.slug for lab in labs.system_labs_with_servers(session)]


def _people(session: Session, actor: Actor) -> object:
    return people.search_people(session, actor, "newcomer", ALL).items


def _own_groups(session: Session, actor: Actor) -> object:
    return people.list_own_groups(session, actor)


def _events(session: Session, actor: Actor) -> object:
    group = groups.get_group(session, actor, "optics")
    return events.list_events(session, actor, group, ALL).items


READS: dict[str, tuple[Read, int]] = {
    "members": (_members, 4),
    "requests": (_requests, 4),
    "groups": (_groups, 3),
    "projects": (_projects, 3),
    "labs": (_labs, 4),
    "labs for the home page": (_active_labs, 2),
    "labs for the reconcile pass": (_servers, 2),
    "people": (_people, 3),
    "own groups": (_own_groups, 2),
    "events": (_events, 4),
}


@pytest.mark.parametrize("what", READS)
def test_a_list_takes_few_statements_and_never_more_for_more_items(
    engine: Engine, what: str
) -> None:
    """The actor is found in the same transaction, as every request does."""
    read, most = READS[what]
    with writing(engine) as session:
        make.project(session, Cast.enter(session).group)

    def count() -> tuple[int, int]:
        with reading(engine) as session, statements(engine) as seen:
            actor = people.find_actor(session, "ada", is_admin=False, via="api", now=NOW)
            assert actor
            items = read(session, actor)
            return len(seen), len(items)  # type: ignore[arg-type]

    grow(engine, range(10))
    few, ten = count()
    grow(engine, range(10, 20))
    many, twenty = count()
    assert twenty == ten + 10
    assert many == few <= most


def test_whoever_asks_is_found_with_one_statement_however_many_groups(engine: Engine) -> None:
    with writing(engine) as session:
        make.project(session, Cast.enter(session).group)
    grow(engine, range(20))
    with reading(engine) as session, statements(engine) as seen:
        actor = people.find_actor(session, "ada", is_admin=False, via="api", now=NOW)
    assert actor
    assert len(actor.memberships) == 21
    assert len(seen) == 1
