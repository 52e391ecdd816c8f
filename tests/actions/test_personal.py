"""What people do with their own lab."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sophon_hub import clock
from sophon_hub.actions.forms import LabStart, PersonalChanges
from sophon_hub.actions.personal import (
    edit_personal,
    keep_personal,
    start_personal,
    stop_personal,
)
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.models import AuditEvent, Job, LabState, PersonalLab
from sophon_hub.settings import Sophon
from sophon_hub.store import personal as store
from sophon_hub.store import servers
from tests import make
from tests.cast import Cast

SETTINGS = Sophon(home_hard_quota="1M", images={"lab": {"image": "lab"}, "geo": {"image": "geo:1"}})
FULL = 1024**2 + 1


def own(session: Session, cast: Cast, name: str = "grace") -> PersonalLab:
    return store.find_own(session, cast.actor(name))


def count(session: Session, kind: type) -> int:
    return session.scalar(select(func.count()).select_from(kind)) or 0


def test_everybody_has_their_own(session: Session, cast: Cast) -> None:
    edit_personal(session, cast.actor("grace"), PersonalChanges(image="geo"), SETTINGS)
    assert own(session, cast).image == "geo"
    assert own(session, cast, "ada").image is None


def test_looking_at_it_makes_no_record(session: Session, cast: Cast) -> None:
    assert own(session, cast).state is LabState.STOPPED
    session.flush()
    assert count(session, PersonalLab) == 0


def test_the_default_image_can_be_chosen_again(session: Session, cast: Cast) -> None:
    grace = cast.actor("grace")
    edit_personal(session, grace, PersonalChanges(image="geo"), SETTINGS)
    lab = edit_personal(session, grace, PersonalChanges(image=None), SETTINGS)
    assert lab.image is None


def test_an_image_that_is_not_offered_is_refused(session: Session, cast: Cast) -> None:
    with pytest.raises(Invalid) as refused:
        edit_personal(session, cast.actor("grace"), PersonalChanges(image="root"), SETTINGS)
    assert [error.field for error in refused.value.errors] == ["image"]
    assert "geo" in refused.value.detail


@pytest.mark.parametrize("state", [LabState.RUNNING, LabState.STARTING])
def test_starting_what_runs_or_starts_does_nothing(
    session: Session, cast: Cast, state: LabState
) -> None:
    make.personal_lab(session, cast.people["grace"], state=state)
    assert start_personal(session, cast.actor("grace"), LabStart(), SETTINGS)[1] is False
    assert count(session, Job) == count(session, AuditEvent) == 0


@pytest.mark.parametrize("state", [LabState.STOPPED, LabState.FAILED])
def test_what_is_stopped_is_started_with_the_image_of_this_moment(
    session: Session, cast: Cast, state: LabState
) -> None:
    make.personal_lab(session, cast.people["grace"], state=state, image="geo")
    lab, begun = start_personal(session, cast.actor("grace"), LabStart(), SETTINGS)
    assert begun
    assert lab.state is LabState.STARTING
    assert lab.started_with == {"image": "geo", "datasets": []}
    assert lab.clean_up is False


def test_what_is_being_stopped_is_not_started(session: Session, cast: Cast) -> None:
    make.personal_lab(session, cast.people["grace"], state=LabState.STOPPING)
    with pytest.raises(Conflict, match="being stopped"):
        start_personal(session, cast.actor("grace"), LabStart(), SETTINGS)


@pytest.mark.parametrize("state", [LabState.STOPPED, LabState.FAILED, LabState.STOPPING])
def test_stopping_what_is_stopped_does_nothing(
    session: Session, cast: Cast, state: LabState
) -> None:
    make.personal_lab(session, cast.people["grace"], state=state)
    assert stop_personal(session, cast.actor("grace"))[1] is False
    assert count(session, Job) == count(session, AuditEvent) == 0


def test_ones_running_lab_is_kept_as_if_one_worked_in_it(session: Session, cast: Cast) -> None:
    with pytest.raises(Conflict, match="not running"):
        keep_personal(session, cast.actor("grace"))
    lab = own(session, cast)
    lab.state, lab.stops_at = LabState.RUNNING, clock.utcnow()

    keep_personal(session, cast.actor("grace"))

    assert lab.stops_at is None
    assert lab.last_activity is not None


def test_a_lab_that_starts_can_be_stopped(session: Session, cast: Cast) -> None:
    make.personal_lab(session, cast.people["grace"], state=LabState.STARTING)
    lab, begun = stop_personal(session, cast.actor("grace"))
    assert begun
    assert lab.state is LabState.STOPPING


@pytest.mark.parametrize(("size", "clean_up"), [(FULL, True), (FULL - 1, False), (None, False)])
def test_a_full_home_is_started_to_clean_up_only(
    session: Session, cast: Cast, size: int | None, clean_up: bool
) -> None:
    make.personal_lab(session, cast.people["grace"], disk_bytes=size)
    grace = cast.actor("grace")
    if clean_up:
        with pytest.raises(Conflict, match="clean up"):
            start_personal(session, grace, LabStart(), SETTINGS)
    lab, begun = start_personal(session, grace, LabStart(clean_up=True), SETTINGS)
    assert begun
    assert lab.clean_up is clean_up


def test_cleaning_up_is_over_when_the_lab_is_stopped(session: Session, cast: Cast) -> None:
    lab = make.personal_lab(
        session, cast.people["grace"], state=LabState.STOPPING, disk_bytes=FULL, clean_up=True
    )
    for expected, changed in ((LabState.RUNNING, False), (LabState.STOPPING, True)):
        done = servers.system_set_state(session, PersonalLab, lab.id, expected, LabState.STOPPED)
        assert done is changed
        session.refresh(lab)
        assert lab.clean_up is not changed


def test_a_full_home_that_runs_goes_on(session: Session, cast: Cast) -> None:
    make.personal_lab(session, cast.people["grace"], state=LabState.RUNNING, disk_bytes=FULL)
    lab, begun = start_personal(session, cast.actor("grace"), LabStart(), SETTINGS)
    assert begun is False
    assert lab.state is LabState.RUNNING
