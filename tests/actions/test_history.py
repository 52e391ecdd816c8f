"""Listing, comparing and restoring the versions of notebooks that labs keep."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from sophon_hub import clock
from sophon_hub.actions.history import compare, look, restore_version
from sophon_hub.errors import Conflict, Forbidden, NotFound
from sophon_hub.models import HistoryState, HistoryTask, HistoryVerb, Lab, LabState, Visibility
from tests import make
from tests.cast import Cast
from tests.database import events, jobs


@pytest.fixture
def lab(cast: Cast) -> Lab:
    """A lab in which the last look has found versions."""
    lab = make.lab(
        cast.session, make.project(cast.session, cast.group, visibility=Visibility.PUBLIC)
    )
    make.history(cast.session, lab)
    return lab


def tasks(cast: Cast, verb: HistoryVerb) -> list[HistoryTask]:
    query = select(HistoryTask).where(HistoryTask.verb == verb)
    return list(cast.session.scalars(query.order_by(HistoryTask.id)))


def test_looking_again_is_the_same_task_and_keeps_what_was_found(cast: Cast, lab: Lab) -> None:
    task = look(cast.session, cast.actor("alan"), lab)

    assert tasks(cast, HistoryVerb.LOOK) == [task]
    assert (task.state, task.by) == (HistoryState.WAITING, "alan")
    assert task.result is not None
    assert len(jobs(cast.session)) == 1


def test_a_restore_says_in_the_trail_which_notebook_and_when_it_was_like_that(
    cast: Cast, lab: Lab
) -> None:
    lab.state = LabState.RUNNING
    restore_version(cast.session, cast.actor("grace"), lab, make.FIRST_VERSION)

    (event,) = events(cast.session)
    assert (event.actor, event.action) == ("grace", "lab:history-restore")
    assert event.detail == {
        "path": "work/thesis.ipynb",
        "version": make.FIRST_VERSION,
        "was_at": "2023-11-14T22:13:20.000Z",
    }


@pytest.mark.parametrize("state", [LabState.STARTING, LabState.STOPPING])
def test_nothing_is_restored_while_the_lab_changes_its_state(
    cast: Cast, lab: Lab, state: LabState
) -> None:
    lab.state = state
    with pytest.raises(Conflict, match="just starting or stopping"):
        restore_version(cast.session, cast.actor("grace"), lab, make.FIRST_VERSION)


def test_what_somebody_else_has_locked_is_not_restored(cast: Cast, lab: Lab) -> None:
    lab.locked_by = cast.people["ada"]
    with pytest.raises(Forbidden, match="locked"):
        restore_version(cast.session, cast.actor("grace"), lab, make.FIRST_VERSION)
    restore_version(cast.session, cast.actor("ada"), lab, make.FIRST_VERSION)


def test_viewers_compare_and_restore_nothing(cast: Cast, lab: Lab) -> None:
    viewer = cast.actor("alan")
    compare(cast.session, viewer, lab, make.SECOND_VERSION, make.FIRST_VERSION)
    with pytest.raises(Forbidden):
        restore_version(cast.session, viewer, lab, make.FIRST_VERSION)


def test_versions_that_no_look_has_found_are_not_there(cast: Cast, lab: Lab) -> None:
    actor, unknown = cast.actor("grace"), f"{1:013}-{'d' * 16}"
    with pytest.raises(NotFound):
        restore_version(cast.session, actor, lab, unknown)
    with pytest.raises(NotFound):
        compare(cast.session, actor, lab, make.SECOND_VERSION, unknown)
    other = make.lab(cast.session, lab.project, "other")
    with pytest.raises(NotFound):
        restore_version(cast.session, actor, other, make.FIRST_VERSION)


def test_versions_of_two_notebooks_are_not_compared(cast: Cast, lab: Lab) -> None:
    with pytest.raises(Conflict, match="two notebooks"):
        compare(cast.session, cast.actor("grace"), lab, make.OTHER_VERSION, make.FIRST_VERSION)


def test_what_was_compared_long_ago_is_forgotten(cast: Cast, lab: Lab) -> None:
    actor = cast.actor("grace")
    old = compare(cast.session, actor, lab, make.SECOND_VERSION, make.FIRST_VERSION)
    old.asked_at = clock.utcnow() - timedelta(hours=2)

    new = compare(cast.session, actor, lab, make.FIRST_VERSION, make.SECOND_VERSION)

    assert tasks(cast, HistoryVerb.COMPARE) == [new]
    assert tasks(cast, HistoryVerb.LOOK)
