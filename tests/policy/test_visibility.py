"""Lists, point reads, Python and a plain-worded oracle agree on who sees what."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, joinedload

from sophon_hub.errors import NotFound
from sophon_hub.models import (
    Lab,
    MemberRole,
    Membership,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, decide, is_visible, may, permitted, require
from sophon_hub.store import groups, labs, people, projects
from sophon_hub.store.engine import WRITE
from sophon_hub.store.paging import Paging
from tests import make

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
PEOPLE = ("ada", "grace", "root")

ALL_PROJECTS = select(ResearchProject).options(joinedload(ResearchProject.group))
ALL_LABS = select(Lab).options(joinedload(Lab.project).joinedload(ResearchProject.group))

ends = st.sampled_from([None, NOW - timedelta(days=1), NOW, NOW + timedelta(microseconds=1)])
memberships = st.dictionaries(
    st.sampled_from(PEOPLE), st.tuples(st.sampled_from(MemberRole), ends), max_size=3
)


@dataclass
class ProjectPlan:
    visibility: Visibility
    deleted: bool
    labs: list[bool]


@dataclass
class GroupPlan:
    visibility: Visibility
    deleted: bool
    people: dict[str, tuple[MemberRole, datetime | None]]
    projects: list[ProjectPlan]


project_plans = st.builds(
    ProjectPlan, st.sampled_from(Visibility), st.booleans(), st.lists(st.booleans(), max_size=2)
)
group_plans = st.builds(
    GroupPlan,
    st.sampled_from(Visibility),
    st.booleans(),
    memberships,
    st.lists(project_plans, max_size=3),
)


def build(session: Session, plans: list[GroupPlan]) -> None:
    for name in PEOPLE:
        make.person(session, name, is_admin=name == "root")
    for number, plan in enumerate(plans):
        deleted_at = NOW if plan.deleted else None
        group = make.group(session, f"g{number}", visibility=plan.visibility, deleted_at=deleted_at)
        for name, (role, end) in plan.people.items():
            person = people.find_person(session, name)
            assert person is not None
            make.membership(session, group, person, role, expires_at=end)
        for index, inner in enumerate(plan.projects):
            visibility = min(inner.visibility, plan.visibility, key=lambda one: one.openness)
            gone = NOW if plan.deleted or inner.deleted else None
            project = make.project(
                session, group, f"g{number}p{index}", visibility=visibility, deleted_at=gone
            )
            for place, lab_deleted in enumerate(inner.labs):
                make.lab(
                    session, project, f"l{place}", deleted_at=NOW if gone or lab_deleted else None
                )


def actors(session: Session) -> list[Actor]:
    found = [
        people.find_actor(session, name, is_admin=name == "root", via="api", now=NOW)
        for name in PEOPLE
    ]
    return [Actor(), *[actor for actor in found if actor]]


def oracle(session: Session, actor: Actor, group_id: int, visibility: str, deleted: bool) -> bool:
    """The rule in plain words, from the rows, without any of the code that is tested."""
    if actor.username == "root":
        return True
    row = session.get(Membership, (group_id, actor.person_id)) if actor.username else None
    role = row.role if row and (row.expires_at is None or row.expires_at > NOW) else None
    if deleted:
        return role == "owner"
    if visibility == "public":
        return True
    if visibility == "internal":
        return actor.username is not None
    return role is not None


def found(read: object) -> bool:
    try:
        read()  # type: ignore[operator]
    except NotFound:
        return False
    return True


everything = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@everything
@given(plans=st.lists(group_plans, min_size=1, max_size=3))
def test_lists_point_reads_and_decisions_agree_over_random_hubs(
    engine: Engine, plans: list[GroupPlan]
) -> None:
    with Session(engine.execution_options(**{WRITE: True})) as session:
        build(session, plans)
        for actor in actors(session):
            check_groups(session, actor)
            check_projects(session, actor)


def check_groups(session: Session, actor: Actor) -> None:
    listed = {
        summary.group.slug: summary
        for trash in (False, True)
        for summary in groups.list_groups(session, actor, Paging(), now=NOW, trash=trash).items
    }
    for group in session.scalars(select(ResearchGroup)).all():
        seen = oracle(session, actor, group.id, group.visibility, group.deleted_at is not None)
        assert (group.slug in listed) == seen
        assert found(lambda slug=group.slug: groups.get_group(session, actor, slug)) == seen
        assert found(lambda slug=group.slug: groups.get_summary(session, actor, slug, NOW)) == seen
        assert is_visible(actor, group) == seen == may(actor, Permission.GROUP_SEE, group)
        if seen:
            projects_of = session.scalars(select(ResearchProject).filter_by(group_id=group.id))
            assert listed[group.slug].project_count == sum(
                project.deleted_at is None
                and oracle(session, actor, group.id, project.visibility, deleted=False)
                for project in projects_of
            )


def check_projects(session: Session, actor: Actor) -> None:
    listed = {
        summary.project.slug: summary
        for trash in (False, True)
        for summary in projects.list_projects(session, actor, Paging(), trash=trash).items
    }
    for project in session.scalars(ALL_PROJECTS).all():
        gone = project.deleted_at is not None
        seen = oracle(session, actor, project.group_id, project.visibility, gone)
        assert (project.slug in listed) == seen
        assert found(lambda slug=project.slug: projects.get_project(session, actor, slug)) == seen
        assert is_visible(actor, project) == seen == may(actor, Permission.PROJECT_SEE, project)
        check_labs(session, actor, project)


def check_labs(session: Session, actor: Actor, project: ResearchProject) -> None:
    listed = {
        lab.slug
        for trash in (False, True)
        for lab in labs.list_labs(session, actor, project, Paging(), trash=trash).items
    }
    for lab in session.scalars(ALL_LABS.filter_by(project_id=project.id)).all():
        gone = project.deleted_at is not None or lab.deleted_at is not None
        seen = oracle(session, actor, project.group_id, project.visibility, gone)
        assert (lab.slug in listed) == seen
        read = lambda slug=lab.slug: labs.get_lab(session, actor, project.slug, slug)  # noqa: E731
        assert found(read) == seen == is_visible(actor, lab)


@everything
@given(plans=st.lists(group_plans, min_size=1, max_size=2))
def test_decide_may_permitted_and_require_agree_over_random_hubs(
    sqlite_engine: Engine, plans: list[GroupPlan]
) -> None:
    with Session(sqlite_engine.execution_options(**{WRITE: True})) as session:
        build(session, plans)
        subjects = [
            *session.scalars(select(ResearchGroup)),
            *session.scalars(ALL_PROJECTS),
            *session.scalars(ALL_LABS),
        ]
        for actor in actors(session):
            for subject in subjects:
                can = permitted(actor, subject)
                for permission in Permission:
                    allowed = decide(actor, permission, subject).allowed
                    assert may(actor, permission, subject) == allowed
                    assert permission not in can or allowed
                    if allowed:
                        require(actor, permission, subject)
                    else:
                        with pytest.raises(Exception, match=r"\w"):
                            require(actor, permission, subject)
