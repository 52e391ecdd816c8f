"""Keeping the work of a visit: who may, what it begins, and that nothing is lost meanwhile."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sophon_hub import jobs
from sophon_hub.actions.keeping import keep_work, note_kept
from sophon_hub.actions.temporary import leave_lab
from sophon_hub.errors import Conflict, NotFound, Unauthenticated
from sophon_hub.models import Job, LabState, PersonalLab, TemporaryLab, TemporaryState
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
