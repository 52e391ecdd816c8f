"""Keeping the work of a visit: who may, what it begins, and that nothing is lost meanwhile."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sophon_hub import jobs
from sophon_hub.actions import keeping
from sophon_hub.actions.forms import NewProject
from sophon_hub.actions.keeping import (
    KeepWish,
    keep_again,
    keep_in_new_project,
    keep_work,
    note_kept,
)
from sophon_hub.actions.temporary import leave_lab
from sophon_hub.clock import utcnow
from sophon_hub.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from sophon_hub.models import (
    Job,
    Lab,
    LabState,
    PersonalLab,
    ResearchProject,
    TemporaryLab,
    TemporaryState,
)
from sophon_hub.settings import Sophon
from sophon_hub.store import temporary
from sophon_hub.worker.keeping import Wanted, wanted
from tests.actions.test_temporary import GUEST, OFF, ON, ask, digest, fill, look
from tests.cast import Cast
from tests.conftest import StoppedClock
from tests.database import actions, events

FOLDER = "From a temporary lab 2026-03-04 05.06"


@pytest.fixture
def visited(session: Session) -> TemporaryLab:
    fill(session)
    ask(session)
    lab = temporary.find_lab_of_visit(session, digest("me"))
    assert lab is not None
    return lab


def keep(session: Session, cast: Cast, who: str = "grace", settings: Sophon = ON) -> TemporaryLab:
    return keep_work(session, cast.actor(who), digest("me"), settings)


def own(session: Session, **values: object) -> PersonalLab:
    lab = session.scalars(select(PersonalLab)).one()
    for name, value in values.items():
        setattr(lab, name, value)
    return lab


def test_who_signs_in_has_the_files_copied_and_one_event_says_so(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    keep(session, cast)
    assert visited.keeper_id == cast.actor("grace").person_id
    assert visited.kept_as.startswith("From a temporary lab ")
    assert visited.state is TemporaryState.CLAIMED
    event = events(session)[-1]
    assert (event.action, event.subject, event.actor) == ("temporary:keep", "grace", "grace")
    assert event.detail == {"lab": visited.name, "folder": visited.kept_as}
    assert actions(session) == ["temporary:claim", "temporary:keep"]


def test_a_lab_that_was_never_started_is_started_since_its_home_is_made_then(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    keep(session, cast)
    assert own(session).state is LabState.STARTING
    assert [job.kind for job in session.scalars(select(Job))] == ["start_personal"]
    assert wanted(session) == []
    own(session, state=LabState.RUNNING, home_uid="u1")
    session.flush()
    assert wanted(session) == [Wanted(visited.name, "u1", visited.kept_as)]


def test_a_lab_that_has_a_home_or_is_starting_is_left_as_it_is(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    keep(session, cast)
    own(session, state=LabState.STOPPED, home_uid="u1")
    note_kept(session, visited.name, folder="x")
    for job in session.scalars(select(Job)):
        jobs.finish(session, job.id)
    keep(session, cast)
    assert own(session).state is LabState.STOPPED
    own(session, state=LabState.STARTING, home_uid=None)
    note_kept(session, visited.name, folder="x")
    keep(session, cast)
    assert not session.scalars(select(Job)).all()


def test_a_lab_that_could_not_be_started_ends_the_wait(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    keep(session, cast)
    own(session, state=LabState.FAILED)
    session.flush()
    assert wanted(session) == [Wanted(visited.name, None, visited.kept_as)]


def test_guests_have_nowhere_to_keep_anything(session: Session, visited: TemporaryLab) -> None:
    with pytest.raises(Unauthenticated):
        keep_work(session, GUEST, digest("me"), ON)
    assert visited.keeper_id is None


def test_nobody_keeps_the_work_of_another_browser(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    with pytest.raises(NotFound):
        keep_work(session, cast.actor("grace"), digest("you"), ON)
    with pytest.raises(NotFound):
        keep(session, cast, settings=OFF)
    assert visited.keeper_id is None


def test_a_full_home_gets_no_more_files(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    keep(session, cast)
    note_kept(session, visited.name, trouble="It did not work.")
    own(session, disk_bytes=2 * 1024**3, home_uid="u1")
    small = Sophon(temporary_labs=True, home_hard_quota="1G")
    with pytest.raises(Conflict, match="take more than"):
        keep(session, cast, settings=small)
    assert visited.keep_trouble == "It did not work."


def test_while_files_are_copied_the_visit_does_not_end(
    session: Session, cast: Cast, visited: TemporaryLab, stopped_clock: StoppedClock
) -> None:
    keep(session, cast)
    with pytest.raises(Conflict, match="already"):
        keep(session, cast)
    with pytest.raises(Conflict, match="just being copied"):
        leave_lab(session, GUEST, digest("me"))
    stopped_clock.forward(seconds=timedelta(hours=5).total_seconds())
    look(session)
    assert visited.state is TemporaryState.CLAIMED
    note_kept(session, visited.name, folder=FOLDER)
    look(session)
    assert visited.state is TemporaryState.ENDING
    assert (visited.keeper_id, visited.kept_as, visited.keep_trouble) == (None, FOLDER, "")


def test_what_became_of_a_copy_of_a_lab_that_is_gone_is_no_matter(session: Session) -> None:
    note_kept(session, "tmp-gone", folder=FOLDER)
    assert session.get(TemporaryLab, "tmp-gone") is None


# in a project


def keep_in_project(
    session: Session, cast: Cast, who: str = "grace", **fields: str
) -> TemporaryLab:
    form = NewProject(**({"group": cast.group.slug, "name": "What I tried"} | fields))
    return keep_in_new_project(session, cast.actor(who), digest("me"), form, ON)


def lab_of(session: Session, visited: TemporaryLab, **values: object) -> Lab:
    lab = session.get(Lab, visited.keep_lab_id)
    assert lab is not None
    for name, value in values.items():
        setattr(lab, name, value)
    session.flush()
    return lab


def test_a_new_project_has_a_lab_that_is_started_and_gets_the_files(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    keep_in_project(session, cast)
    lab = lab_of(session, visited)
    project = session.get(ResearchProject, lab.project_id)
    assert project is not None
    assert (project.slug, project.group_id, lab.slug) == ("what-i-tried", cast.group.id, "lab")
    assert lab.state is LabState.STARTING
    assert wanted(session) == []
    lab_of(session, visited, state=LabState.RUNNING)
    assert wanted(session) == [Wanted(visited.name, lab.uid, visited.kept_as)]
    assert actions(session)[-4:] == ["project:create", "lab:create", "lab:start", "temporary:keep"]
    event = events(session)[-1]
    assert (event.subject, event.actor) == ("what-i-tried/lab", "grace")


def test_a_project_that_cannot_be_made_is_refused_and_nothing_is_kept(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    with pytest.raises(Forbidden):
        keep_in_project(session, cast, "alan")
    with pytest.raises(Invalid):
        keep_in_project(session, cast, group="unheard-of")
    with pytest.raises(NotFound):
        keep_in_new_project(
            session,
            cast.actor("grace"),
            digest("you"),
            NewProject(group=cast.group.slug, name="x"),
            ON,
        )
    with pytest.raises(Unauthenticated):
        keep_in_new_project(
            session, GUEST, digest("me"), NewProject(group=cast.group.slug, name="x"), ON
        )
    assert (visited.keeper_id, visited.keep_lab_id, wanted(session)) == (None, None, [])


def test_what_is_kept_again_goes_where_the_rest_is(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    keep_in_project(session, cast)
    lab = lab_of(session, visited, state=LabState.STOPPED)
    note_kept(session, visited.name, folder=FOLDER)
    keep_again(session, cast.actor("grace"), digest("me"), ON)
    assert wanted(session) == [Wanted(visited.name, lab.uid, visited.kept_as)]
    note_kept(session, visited.name, folder=FOLDER)

    keep(session, cast)
    assert visited.keep_lab_id is None
    note_kept(session, visited.name, folder=FOLDER)
    keep_again(session, cast.actor("grace"), digest("me"), ON)
    assert visited.keep_lab_id is None


def test_a_lab_that_is_gone_locked_full_or_not_ones_own_gets_nothing_again(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    def again(who: str = "grace", settings: Sophon = ON) -> None:
        keep_again(session, cast.actor(who), digest("me"), settings)

    keep_in_project(session, cast)
    note_kept(session, visited.name, folder=FOLDER)
    lab = lab_of(session, visited, state=LabState.STOPPED, disk_bytes=2 * 1024**3)
    with pytest.raises(Forbidden):
        again("alan")
    with pytest.raises(Conflict, match="take more than"):
        again(settings=Sophon(temporary_labs=True, home_hard_quota="1G"))
    lab_of(session, visited, locked_by=cast.people["ada"])
    with pytest.raises(Forbidden, match="locked"):
        again()
    lab_of(session, visited, locked_by=None, deleted_at=utcnow())
    with pytest.raises(Conflict, match="is gone"):
        again()
    project = session.get(ResearchProject, lab.project_id)
    assert project is not None
    lab.deleted_at, project.deleted_at = None, utcnow()
    with pytest.raises(Conflict, match="is gone"):
        again()
    assert visited.keeper_id is None


# what was wished


def test_a_wish_says_where_the_files_go(
    session: Session, cast: Cast, visited: TemporaryLab
) -> None:
    def kept(wish: KeepWish) -> str:
        keeping.keep(session, cast.actor("grace"), digest("me"), wish, ON)
        note_kept(session, visited.name, folder=FOLDER)
        return events(session)[-1].subject

    assert kept(KeepWish()) == "grace"
    assert kept(KeepWish(group=cast.group.slug, name="Kept")) == "kept/lab"
    lab_of(session, visited, state=LabState.STOPPED)
    assert kept(KeepWish(again=True)) == "kept/lab"


@pytest.mark.parametrize(("half", "missing"), [({"group": "x"}, "name"), ({"name": "x"}, "group")])
def test_half_a_project_is_refused_at_the_field_that_is_missing(
    session: Session, cast: Cast, visited: TemporaryLab, half: dict[str, str], missing: str
) -> None:
    with pytest.raises(Invalid) as refused:
        keeping.keep(session, cast.actor("grace"), digest("me"), KeepWish(**half), ON)
    assert [error.field for error in refused.value.errors] == [missing]
    assert (visited.keeper_id, visited.keep_lab_id) == (None, None)
