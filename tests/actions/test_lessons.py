"""Opening a lesson in one's own lab."""

import pytest
from sqlalchemy.orm import Session

from sophon_hub.actions.forms import LessonOpening
from sophon_hub.actions.lessons import open_lesson
from sophon_hub.errors import Conflict
from sophon_hub.models import LabState, PersonalLab
from sophon_hub.settings import Sophon
from tests import make
from tests.cast import Cast
from tests.database import actions, jobs

COURSE = {"image": "course:1", "title": "Course", "skeleton": "/opt/course/lessons"}
SETTINGS = Sophon(home_hard_quota="1M", images={"lab": {"image": "lab"}, "course": COURSE})
NOTEBOOK = "01-plot.ipynb"


def own(session: Session, cast: Cast, state: LabState, image: str | None) -> PersonalLab:
    return make.personal_lab(session, cast.people["grace"], state=state, image=image)


def press(session: Session, cast: Cast, *, use_image: bool = False) -> PersonalLab:
    form = LessonOpening(use_image=use_image)
    return open_lesson(session, cast.actor("grace"), NOTEBOOK, form, SETTINGS)


def test_in_a_lab_that_runs_the_notebook_is_copied(session: Session, cast: Cast) -> None:
    lab = own(session, cast, LabState.RUNNING, "course")
    for _ in range(2):
        press(session, cast)
    assert lab.wanted == [NOTEBOOK]
    assert lab.state is LabState.RUNNING
    assert jobs(session) == [("copy_lessons", f"personal-lessons:{lab.id}")]
    assert actions(session) == ["personal:lesson"] * 2


@pytest.mark.parametrize("state", [LabState.STOPPED, LabState.FAILED])
def test_a_lab_that_is_stopped_is_started(session: Session, cast: Cast, state: LabState) -> None:
    lab = own(session, cast, state, "course")
    press(session, cast)
    assert (lab.state, lab.wanted) == (LabState.STARTING, [NOTEBOOK])
    assert jobs(session) == [("start_personal", f"personal:{lab.id}")]
    assert actions(session) == ["personal:start"]


@pytest.mark.parametrize("state", [LabState.STARTING, LabState.STOPPING])
def test_a_lab_that_is_about_to_change_is_left_alone(
    session: Session, cast: Cast, state: LabState
) -> None:
    own(session, cast, state, "course")
    with pytest.raises(Conflict, match="try again"):
        press(session, cast)
    assert jobs(session) == []


def test_other_software_is_taken_only_when_that_is_said(session: Session, cast: Cast) -> None:
    lab = own(session, cast, LabState.STOPPED, None)
    with pytest.raises(Conflict, match="Use Course"):
        press(session, cast)
    assert (lab.image, lab.wanted) == (None, [])
    press(session, cast, use_image=True)
    assert (lab.image, lab.state) == ("course", LabState.STARTING)


def test_a_running_lab_keeps_its_software(session: Session, cast: Cast) -> None:
    lab = own(session, cast, LabState.RUNNING, "lab")
    with pytest.raises(Conflict, match="Stop it"):
        press(session, cast, use_image=True)
    assert lab.image == "lab"


def test_software_with_lessons_stays_as_chosen(session: Session, cast: Cast) -> None:
    lab = own(session, cast, LabState.STOPPED, "course")
    press(session, cast, use_image=True)
    assert lab.image == "course"


def test_a_hub_without_such_software_says_so(session: Session, cast: Cast) -> None:
    own(session, cast, LabState.STOPPED, "lab")
    settings = Sophon(images={"lab": {"image": "lab"}})
    with pytest.raises(Conflict, match="No software"):
        open_lesson(session, cast.actor("grace"), NOTEBOOK, LessonOpening(use_image=True), settings)


def test_a_full_home_is_cleaned_up_first(session: Session, cast: Cast) -> None:
    own(session, cast, LabState.STOPPED, "course").disk_bytes = 2 * 1024**2
    with pytest.raises(Conflict, match="clean up"):
        press(session, cast)
