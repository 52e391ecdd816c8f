"""What people do at the same moment comes out as if they had done it one after the other."""

from collections import Counter

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from sophon_hub.actions import forms
from sophon_hub.actions.forms import LabStart
from sophon_hub.actions.groups import create_group, edit_group, join_group, leave_group
from sophon_hub.actions.idempotency import once
from sophon_hub.actions.labs import create_lab, lock_lab, start_lab, stop_lab
from sophon_hub.actions.members import remove_member, set_member
from sophon_hub.actions.people import note_person
from sophon_hub.actions.projects import create_project, delete_project, edit_project
from sophon_hub.errors import Conflict, Forbidden, NotFound
from sophon_hub.models import (
    JoinRequest,
    LabState,
    MemberRole,
    Membership,
    Person,
    ResearchGroup,
    Visibility,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, transact
from tests import make
from tests.actions import stage
from tests.actions.races import at_once, errors
from tests.database import actions, jobs

SETTINGS = Sophon()
MANY = 5


@pytest.fixture
def hub(engine: Engine) -> Engine:
    transact(engine, stage.build)
    return engine


def done(engine: Engine) -> Counter[str]:
    with reading(engine) as session:
        return Counter(actions(session))


def waiting(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return [kind for kind, _ in jobs(session)]


def test_of_many_who_want_the_same_address_one_gets_it(hub: Engine) -> None:
    def create(session: Session, actor: Actor) -> str:
        return create_group(session, actor, forms.NewGroup(name="Waves", slug="tides")).slug

    results = at_once(hub, *[("barbara", create)] * MANY)
    assert results.count("tides") == 1
    assert [type(error) for error in errors(results)] == [Conflict] * (MANY - 1)
    assert all("taken" in error.detail for error in errors(results))
    assert done(hub) == {"group:create": 1}
    assert waiting(hub) == ["sync_group"]


def test_of_many_who_use_the_same_name_everybody_gets_an_address(hub: Engine) -> None:
    def create(session: Session, actor: Actor) -> str:
        return create_group(session, actor, forms.NewGroup(name="Tides")).slug

    results = at_once(hub, *[("barbara", create)] * MANY)
    assert sorted(results) == ["tides", *[f"tides-{number}" for number in range(2, MANY + 1)]]


def test_projects_and_labs_of_the_same_name_get_addresses_too(hub: Engine) -> None:
    def project(session: Session, actor: Actor) -> str:
        return create_project(session, actor, forms.NewProject(group="optics", name="Wedge")).slug

    def lab(session: Session, actor: Actor) -> str:
        form = forms.NewLab(name="Table")
        return create_lab(session, actor, stage.project(session), form, SETTINGS).slug

    results = at_once(hub, ("grace", project), ("ada", project), ("grace", lab), ("ada", lab))
    assert sorted(results) == ["table", "table-2", "wedge", "wedge-2"]


def test_of_many_who_want_the_same_address_for_a_lab_one_gets_it(hub: Engine) -> None:
    def lab(session: Session, actor: Actor) -> str:
        form = forms.NewLab(name="Table", slug="table")
        return create_lab(session, actor, stage.project(session), form, SETTINGS).slug

    results = at_once(hub, *[("grace", lab)] * MANY)
    assert results.count("table") == 1
    assert len(errors(results)) == MANY - 1


@pytest.fixture
def two_owners(hub: Engine) -> Engine:
    """Grace owns the group too."""

    def promote(session: Session) -> None:
        for row in session.scalars(select(Membership).filter_by(role=MemberRole.MEMBER)):
            row.role = MemberRole.OWNER

    transact(hub, promote)
    return hub


def owners(engine: Engine) -> int:
    with reading(engine) as session:
        query = (
            select(func.count())
            .select_from(Membership)
            .join(ResearchGroup, Membership.group_id == ResearchGroup.id)
        )
        return (
            session.scalar(
                query.where(ResearchGroup.slug == "optics", Membership.role == MemberRole.OWNER)
            )
            or 0
        )


def test_when_both_owners_leave_at_once_one_stays(two_owners: Engine) -> None:
    def leave(session: Session, actor: Actor) -> None:
        leave_group(session, actor, stage.group(session))

    results = at_once(two_owners, ("ada", leave), ("grace", leave))
    assert [type(error) for error in errors(results)] == [Conflict]
    assert owners(two_owners) == 1
    assert done(two_owners) == {"group:leave": 1}


def test_when_owners_throw_each_other_out_one_stays(two_owners: Engine) -> None:
    def remove(other: str) -> object:
        return lambda session, actor: remove_member(session, actor, stage.group(session), other)

    results = at_once(two_owners, ("ada", remove("grace")), ("grace", remove("ada")))  # type: ignore[arg-type]
    assert len(errors(results)) == 1
    assert owners(two_owners) == 1


def test_when_both_owners_step_down_one_stays(two_owners: Engine) -> None:
    def step_down(session: Session, actor: Actor) -> None:
        form = forms.MemberSettings(role=MemberRole.VIEWER)
        set_member(session, actor, stage.group(session), actor.username or "", form)

    results = at_once(two_owners, ("ada", step_down), ("grace", step_down))
    assert [type(error) for error in errors(results)] == [Conflict]
    assert owners(two_owners) == 1


@pytest.mark.parametrize(("group", "kind"), [("optics", Membership), ("waves", JoinRequest)])
def test_who_joins_many_times_at_once_joins_once(
    hub: Engine, group: str, kind: type[Membership] | type[JoinRequest]
) -> None:
    who = "barbara" if group == "optics" else "alan"

    def join(session: Session, actor: Actor) -> str:
        joined = join_group(session, actor, stage.group(session, group), forms.JoinMessage())
        return type(joined).__name__

    results = at_once(hub, *[(who, join)] * MANY)
    assert results.count(kind.__name__) == 1
    assert [type(error) for error in errors(results)] == [Conflict] * (MANY - 1)
    assert sum(done(hub).values()) == 1


def test_a_lab_that_many_start_at_once_starts_once(hub: Engine) -> None:
    def start(session: Session, actor: Actor) -> bool:
        return start_lab(session, actor, stage.lab(session), LabStart(), SETTINGS)

    results = at_once(hub, *[("grace", start), ("ada", start)] * 2)
    assert sorted(results) == [False, False, False, True]
    assert done(hub) == {"lab:start": 1}
    assert waiting(hub) == ["start_lab"]


def test_a_lab_that_many_stop_at_once_stops_once(hub: Engine) -> None:
    def stop(session: Session, actor: Actor) -> bool:
        return stop_lab(session, actor, stage.lab(session, "running"))

    assert sorted(at_once(hub, *[("grace", stop)] * 3)) == [False, False, True]
    assert waiting(hub) == ["stop_lab"]


def test_a_lab_that_two_lock_at_once_belongs_to_one(hub: Engine) -> None:
    def lock(session: Session, actor: Actor) -> str | None:
        lab = lock_lab(session, actor, stage.lab(session), forms.LockReason())
        return lab.locked_by.username if lab.locked_by else None

    results = at_once(hub, ("ada", lock), ("grace", lock))
    [error] = errors(results)
    assert error.detail in {"This lab is locked by Ada.", "This lab is locked by Grace."}
    assert done(hub) == {"lab:lock": 1}


def test_a_lab_is_never_started_in_the_trash(hub: Engine) -> None:
    def start(session: Session, actor: Actor) -> bool:
        return start_lab(session, actor, stage.lab(session), LabStart(), SETTINGS)

    def delete(session: Session, actor: Actor) -> None:
        delete_project(session, actor, stage.project(session))

    results = at_once(hub, ("grace", start), ("ada", delete))
    with reading(hub) as session:
        lab = stage.lab(session)
        assert lab.deleted_at is not None
        if results[0] is True:
            assert lab.state is LabState.STOPPING
        else:
            assert isinstance(results[0], NotFound)
            assert lab.state is LabState.STOPPED


def test_a_lab_created_while_its_project_goes_to_the_trash_goes_with_it(hub: Engine) -> None:
    def create(session: Session, actor: Actor) -> str:
        form = forms.NewLab(name="Table")
        return create_lab(session, actor, stage.project(session), form, SETTINGS).slug

    def delete(session: Session, actor: Actor) -> None:
        delete_project(session, actor, stage.project(session))

    results = at_once(hub, ("grace", create), ("ada", delete))
    if isinstance(results[0], NotFound):
        assert done(hub) == {"project:delete": 1}
    else:
        with reading(hub) as session:
            assert stage.lab(session, results[0]).deleted_at is not None


def test_a_project_is_never_more_visible_than_its_group_whoever_is_faster(hub: Engine) -> None:
    def prepare(session: Session) -> None:
        for slug in ("lens", "still"):
            stage.project(session, slug).visibility = Visibility.INTERNAL

    def lower(session: Session, actor: Actor) -> None:
        form = forms.GroupChanges(visibility=Visibility.INTERNAL)
        edit_group(session, actor, stage.group(session), form)

    def raise_project(session: Session, actor: Actor) -> None:
        form = forms.ProjectChanges(visibility=Visibility.PUBLIC)
        edit_project(session, actor, stage.project(session), form)

    transact(hub, prepare)
    results = at_once(hub, ("ada", lower), ("root", raise_project))
    assert len(errors(results)) == 1
    with reading(hub) as session:
        project = stage.project(session)
        assert project.visibility.openness <= project.group.visibility.openness


def test_a_project_raised_while_it_moves_does_not_outdo_its_new_group(hub: Engine) -> None:
    def prepare(session: Session) -> None:
        stage.group(session, "waves").visibility = Visibility.INTERNAL
        stage.project(session, "still").visibility = Visibility.PRIVATE

    def move(session: Session, actor: Actor) -> None:
        form = forms.ProjectChanges(group="waves")
        edit_project(session, actor, stage.project(session, "still"), form)

    def raise_project(session: Session, actor: Actor) -> None:
        form = forms.ProjectChanges(visibility=Visibility.PUBLIC)
        edit_project(session, actor, stage.project(session, "still"), form)

    transact(hub, prepare)
    assert len(errors(at_once(hub, ("ada", move), ("root", raise_project)))) == 1
    with reading(hub) as session:
        project = stage.project(session, "still")
        assert project.visibility.openness <= project.group.visibility.openness


def test_projects_that_change_places_do_not_wait_for_each_other_for_ever(hub: Engine) -> None:
    def prepare(session: Session) -> None:
        make.project(session, stage.group(session, "waves"), "tide")

    def move(project: str, group: str) -> object:
        return lambda session, actor: (
            edit_project(
                session, actor, stage.project(session, project), forms.ProjectChanges(group=group)
            ).slug
        )

    transact(hub, prepare)
    for first, second in (("waves", "optics"), ("optics", "waves")):
        there, back = move("still", first), move("tide", second)
        assert at_once(hub, ("ada", there), ("ada", back)) == ["still", "tide"]  # type: ignore[arg-type]
    assert done(hub) == {"project:edit": 4}


def test_a_project_that_two_delete_at_once_is_deleted_once(hub: Engine) -> None:
    def delete(session: Session, actor: Actor) -> None:
        delete_project(session, actor, stage.project(session))

    results = at_once(hub, ("ada", delete), ("root", delete))
    assert [type(error) for error in errors(results)] == [Conflict]
    assert done(hub) == {"project:delete": 1}


def test_who_is_removed_while_acting_does_not_bring_themselves_back(two_owners: Engine) -> None:
    def remove(session: Session, actor: Actor) -> None:
        remove_member(session, actor, stage.group(session), "grace")

    def stay(session: Session, actor: Actor) -> None:
        form = forms.MemberSettings(role=MemberRole.OWNER)
        set_member(session, actor, stage.group(session), "grace", form)

    results = at_once(two_owners, ("ada", remove), ("grace", stay))
    assert results[0] is None
    assert results[1] is None or isinstance(results[1], Forbidden)
    with reading(two_owners) as session:
        grace = session.scalars(select(Person).filter_by(username="grace")).one()
        group = stage.group(session)
        assert session.get(Membership, (group.id, grace.id)) is None


def test_the_same_creation_sent_twice_at_once_makes_one_object(hub: Engine) -> None:
    def create(session: Session, actor: Actor) -> str:
        def work() -> dict[str, str]:
            return {"slug": create_group(session, actor, forms.NewGroup(name="Tides")).slug}

        return str(once(session, actor, "key", "digest", work)["slug"])

    assert at_once(hub, *[("barbara", create)] * 3) == ["tides"] * 3
    assert done(hub) == {"group:create": 1}


def test_somebody_seen_for_the_first_time_in_two_requests_is_one_person(hub: Engine) -> None:
    def note(session: Session, _: Actor) -> str:
        return note_person(session, "new", "New", is_admin=False).username

    assert at_once(hub, *[("guest", note)] * 3) == ["new"] * 3
    with reading(hub) as session:
        assert len(session.scalars(select(Person).filter_by(username="new")).all()) == 1
