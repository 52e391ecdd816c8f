"""Creating, editing, starting, stopping, opening and locking labs."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from sophon_hub import clock
from sophon_hub.actions.forms import LabChanges, LabStart, LockReason, NewLab
from sophon_hub.actions.labs import (
    create_lab,
    delete_lab,
    edit_lab,
    empty_trash,
    keep_lab,
    lock_lab,
    open_lab,
    restore_lab,
    start_lab,
    stop_lab,
    unlock_lab,
)
from sophon_hub.errors import Conflict, Forbidden, Invalid, NotFound
from sophon_hub.models import Job, Lab, LabState, ResearchProject, Visibility
from sophon_hub.settings import Sophon
from tests import make
from tests.cast import Cast
from tests.database import actions, events, jobs

GIGABYTE = 1024**3
SETTINGS = Sophon(home_hard_quota="1M")
FULL = 1024**2 + 1


@pytest.fixture
def project(cast: Cast) -> ResearchProject:
    return make.project(cast.session, cast.group, visibility=Visibility.PUBLIC)


@pytest.fixture
def lab(cast: Cast, project: ResearchProject) -> Lab:
    return make.lab(cast.session, project)


def test_a_lab_that_is_removed_for_good_meanwhile_is_not_there(cast: Cast, lab: Lab) -> None:
    cast.session.execute(delete(Lab), execution_options={"synchronize_session": False})
    with pytest.raises(NotFound):
        stop_lab(cast.session, cast.actor("grace"), lab)


def test_nothing_is_done_with_a_lab_whose_project_has_just_moved(
    cast: Cast, lab: Lab, project: ResearchProject
) -> None:
    other = make.group(cast.session, "waves")
    move = update(ResearchProject).values(group_id=other.id)
    cast.session.execute(move, execution_options={"synchronize_session": False})
    with pytest.raises(Conflict, match="moved this project"):
        stop_lab(cast.session, cast.actor("grace"), lab)


def create(cast: Cast, project: ResearchProject, settings: Sophon, **fields: Any) -> Lab:
    form = NewLab.read({"name": "Bench", **fields})
    return create_lab(cast.session, cast.actor("grace"), project, form, settings)


def edit(cast: Cast, lab: Lab, settings: Sophon, by: str = "grace", /, **fields: Any) -> Lab:
    return edit_lab(cast.session, cast.actor(by), lab, LabChanges.read(fields), settings)


def test_a_new_lab_is_stopped_and_has_the_hubs_defaults(
    cast: Cast, project: ResearchProject, settings: Sophon
) -> None:
    lab = create(cast, project, settings)
    assert (lab.slug, lab.name, lab.state) == ("bench", "Bench", LabState.STOPPED)
    assert (lab.image, lab.internet) == (settings.default_image, True)
    assert (lab.cpu_limit, lab.memory_limit, lab.started_with) == (None, None, None)


def test_no_two_labs_share_an_immutable_id(
    cast: Cast, project: ResearchProject, settings: Sophon
) -> None:
    uids = {create(cast, project, settings).uid for _ in range(5)}
    assert len(uids) == 5


def test_a_new_lab_is_as_the_form_says(
    cast: Cast, project: ResearchProject, settings: Sophon
) -> None:
    lab = create(
        cast,
        project,
        settings,
        slug="b2",
        image="lab",
        internet=False,
        cpu_limit=8,
        memory_limit=8 * GIGABYTE,
    )
    assert (lab.slug, lab.internet, lab.cpu_limit, lab.memory_limit) == (
        "b2",
        False,
        8,
        8 * GIGABYTE,
    )
    assert events(cast.session)[-1].detail == {"name": "Bench", **lab.launch_settings()}


TOO_MUCH = [
    ("image", "nothing", "Give one of: lab"),
    ("image", "", "Give one of: lab"),
    ("image", "\ud800", "Give one of: lab"),
    ("cpu_limit", 8.01, "at most 8 cores"),
    ("memory_limit", 8 * GIGABYTE + 1, "at most 8G of memory"),
]


@pytest.mark.parametrize(("field", "value", "message"), TOO_MUCH)
def test_a_lab_gets_no_more_than_the_hub_allows(
    cast: Cast, lab: Lab, settings: Sophon, field: str, value: Any, message: str
) -> None:
    for attempt in (
        lambda: create(cast, lab.project, settings, **{field: value}),
        lambda: edit(cast, lab, settings, **{field: value}),
    ):
        with pytest.raises(Invalid, match=message) as refusal:
            attempt()
        assert [error.field for error in refusal.value.errors] == [field]
    assert actions(cast.session) == []


def test_a_lab_whose_image_is_no_longer_offered_can_still_be_renamed(
    cast: Cast, lab: Lab, settings: Sophon
) -> None:
    lab.image = "withdrawn"
    edit(cast, lab, settings, name="Table")
    assert (lab.name, lab.image) == ("Table", "withdrawn")


def test_a_limit_is_taken_back_with_null(cast: Cast, lab: Lab, settings: Sophon) -> None:
    edit(cast, lab, settings, cpu_limit=4, memory_limit=GIGABYTE, internet=False)
    assert (lab.cpu_limit, lab.memory_limit, lab.internet) == (4, GIGABYTE, False)
    edit(cast, lab, settings, cpu_limit=None, memory_limit=None)
    assert (lab.cpu_limit, lab.memory_limit, lab.internet) == (None, None, False)
    assert events(cast.session)[-1].detail == {
        "before": {"cpu_limit": 4, "memory_limit": GIGABYTE},
        "after": {"cpu_limit": None, "memory_limit": None},
    }


def test_the_same_name_gives_numbered_addresses_within_a_project_only(
    cast: Cast, project: ResearchProject, settings: Sophon
) -> None:
    other = make.project(cast.session, cast.group, "other")
    found = [create(cast, where, settings).slug for where in (project, project, other, project)]
    assert found == ["bench", "bench-2", "bench", "bench-3"]


def test_the_address_of_a_lab_in_the_trash_stays_taken(
    cast: Cast, lab: Lab, settings: Sophon
) -> None:
    delete_lab(cast.session, cast.actor("ada"), lab)
    with pytest.raises(Conflict, match="taken"):
        create(cast, lab.project, settings, slug="bench")
    assert create(cast, lab.project, settings).slug == "bench-2"


def test_a_project_in_the_trash_gets_no_labs(
    cast: Cast, project: ResearchProject, settings: Sophon
) -> None:
    project.deleted_at = make.LONG_AGO
    with pytest.raises(Forbidden, match="restore it first"):
        create_lab(cast.session, cast.actor("ada"), project, NewLab(name="B"), settings)
    with pytest.raises(NotFound):
        create(cast, project, settings)


@pytest.mark.parametrize(
    ("state", "after", "wanted"),
    [
        (LabState.STOPPED, LabState.STARTING, ["start_lab"]),
        (LabState.FAILED, LabState.STARTING, ["start_lab"]),
        (LabState.STARTING, LabState.STARTING, []),
        (LabState.RUNNING, LabState.RUNNING, []),
    ],
)
def test_starting_starts_what_does_not_run_and_is_harmless_otherwise(
    cast: Cast, lab: Lab, state: LabState, after: LabState, wanted: list[str]
) -> None:
    lab.state = state
    lab.progress, lab.message = 70, "before"
    assert start_lab(cast.session, cast.actor("grace"), lab, LabStart(), SETTINGS) == bool(wanted)
    assert lab.state is after
    assert [kind for kind, _ in jobs(cast.session)] == wanted
    assert actions(cast.session) == ["lab:start"] * len(wanted)
    if wanted:
        assert lab.started_with == lab.launch_settings()
        assert (lab.progress, lab.message) == (0, "Waiting for its turn")
    else:
        assert (lab.progress, lab.message) == (70, "before")


@pytest.mark.parametrize(("size", "full"), [(FULL, True), (FULL - 1, False), (None, False)])
def test_a_lab_whose_home_is_full_is_started_to_clean_up_only(
    cast: Cast, lab: Lab, size: int | None, full: bool
) -> None:
    lab.disk_bytes = size
    grace = cast.actor("grace")
    if full:
        with pytest.raises(Conflict, match="clean up"):
            start_lab(cast.session, grace, lab, LabStart(), SETTINGS)
        assert (lab.state, lab.clean_up) == (LabState.STOPPED, False)
    assert start_lab(cast.session, grace, lab, LabStart(clean_up=True), SETTINGS)
    assert lab.clean_up is full
    [event] = events(cast.session)
    assert event.detail["clean_up"] is full


def test_a_lab_that_was_filling_the_disk_is_started_to_clean_up_only(cast: Cast, lab: Lab) -> None:
    lab.filled_disk = True
    grace = cast.actor("grace")
    with pytest.raises(Conflict, match="hardly any room"):
        start_lab(cast.session, grace, lab, LabStart(), SETTINGS)
    assert start_lab(cast.session, grace, lab, LabStart(clean_up=True), SETTINGS)
    assert lab.clean_up


def test_a_full_lab_that_runs_goes_on(cast: Cast, lab: Lab) -> None:
    lab.state, lab.disk_bytes = LabState.RUNNING, FULL
    assert not start_lab(cast.session, cast.actor("grace"), lab, LabStart(), SETTINGS)
    assert lab.state is LabState.RUNNING


def test_a_lab_that_is_being_stopped_is_not_started(cast: Cast, lab: Lab) -> None:
    lab.state = LabState.STOPPING
    with pytest.raises(Conflict, match="just being stopped"):
        start_lab(cast.session, cast.actor("grace"), lab, LabStart(), SETTINGS)


@pytest.mark.parametrize(
    ("state", "after", "wanted"),
    [
        (LabState.RUNNING, LabState.STOPPING, ["stop_lab"]),
        (LabState.STARTING, LabState.STOPPING, ["stop_lab"]),
        (LabState.STOPPING, LabState.STOPPING, []),
        (LabState.STOPPED, LabState.STOPPED, []),
        (LabState.FAILED, LabState.FAILED, []),
    ],
)
def test_stopping_stops_what_runs_and_is_harmless_otherwise(
    cast: Cast, lab: Lab, state: LabState, after: LabState, wanted: list[str]
) -> None:
    lab.state = state
    assert stop_lab(cast.session, cast.actor("grace"), lab) == bool(wanted)
    assert lab.state is after
    assert [kind for kind, _ in jobs(cast.session)] == wanted
    assert actions(cast.session) == ["lab:stop"] * len(wanted)


@pytest.mark.parametrize("state", LabState)
def test_a_running_lab_is_kept_as_if_somebody_worked_in_it(
    cast: Cast, lab: Lab, state: LabState
) -> None:
    before = clock.utcnow() - timedelta(hours=2)
    lab.state, lab.last_activity, lab.stops_at = state, before, clock.utcnow()
    planned = lab.stops_at
    if state is LabState.RUNNING:
        keep_lab(cast.session, cast.actor("grace"), lab)
        assert lab.stops_at is None
        assert lab.last_activity > before + timedelta(hours=1)
        assert actions(cast.session) == ["lab:keep"]
    else:
        with pytest.raises(Conflict, match="not running"):
            keep_lab(cast.session, cast.actor("grace"), lab)
        assert (lab.last_activity, lab.stops_at) == (before, planned)


def test_starting_and_stopping_in_a_row_are_done_in_a_row(cast: Cast, lab: Lab) -> None:
    start_lab(cast.session, cast.actor("grace"), lab, LabStart(), SETTINGS)
    stop_lab(cast.session, cast.actor("grace"), lab)
    assert jobs(cast.session) == [
        ("start_lab", f"lab:{lab.id}"),
        ("stop_lab", f"lab:{lab.id}"),
    ]


@pytest.mark.parametrize("state", LabState)
def test_a_lab_is_opened_while_it_runs(cast: Cast, lab: Lab, state: LabState) -> None:
    lab.state = state
    if state is LabState.RUNNING:
        entry = open_lab(cast.session, cast.actor("grace"), lab)
        assert (entry.path, entry.mode) == ("user/project-lens/bench/lab/workspaces/grace", "edit")
        assert events(cast.session)[-1].detail == {"mode": "edit"}
    else:
        with pytest.raises(Conflict, match="start it first"):
            open_lab(cast.session, cast.actor("grace"), lab)
        with pytest.raises(Conflict, match="Members of the group start it"):
            open_lab(cast.session, cast.actor("alan"), lab)


def test_a_viewer_opens_a_lab_to_watch_and_strangers_open_none(cast: Cast, lab: Lab) -> None:
    lab.state = LabState.RUNNING
    entry = open_lab(cast.session, cast.actor("alan"), lab)
    assert (entry.path, entry.mode) == ("user/project-lens/bench/lab/workspaces/alan", "watch")
    assert events(cast.session)[-1].detail == {"mode": "watch"}
    with pytest.raises(Forbidden, match="lab:watch"):
        open_lab(cast.session, cast.actor("barbara"), lab)


def lock(cast: Cast, lab: Lab, name: str, reason: str = "") -> Lab:
    return lock_lab(cast.session, cast.actor(name), lab, LockReason(reason=reason))


@pytest.mark.parametrize("name", ["ada", "root"])
def test_a_locked_lab_is_left_alone_by_everybody_but_who_locked_it(
    cast: Cast, lab: Lab, settings: Sophon, name: str
) -> None:
    lab.state = LabState.RUNNING
    lock(cast, lab, "grace", "exam until noon")
    actor, session = cast.actor(name), cast.session
    for attempt in (
        lambda: edit(cast, lab, settings, name, internet=False),
        lambda: empty_trash(session, actor, lab),
        lambda: start_lab(session, actor, lab, LabStart(), SETTINGS),
        lambda: stop_lab(session, actor, lab),
        lambda: keep_lab(session, actor, lab),
        lambda: lock(cast, lab, name, "mine"),
    ):
        with pytest.raises(Conflict, match="locked by Grace: exam until noon"):
            attempt()
    assert actions(session) == ["lab:lock"]
    assert open_lab(session, actor, lab).mode == "watch"
    lab.state = LabState.STOPPED
    with pytest.raises(Conflict, match="locked by Grace: exam until noon"):
        open_lab(session, actor, lab)
    lab.state = LabState.RUNNING
    grace = cast.actor("grace")
    edit(cast, lab, settings, internet=False)
    assert open_lab(session, grace, lab).mode == "edit"
    assert stop_lab(session, grace, lab)
    lab.state = LabState.STOPPED
    assert start_lab(session, grace, lab, LabStart(), SETTINGS)


def test_a_locked_lab_is_not_deleted_before_it_is_unlocked(cast: Cast, lab: Lab) -> None:
    lock(cast, lab, "grace")
    with pytest.raises(Conflict, match=r"locked by Grace\."):
        delete_lab(cast.session, cast.actor("ada"), lab)
    unlock_lab(cast.session, cast.actor("ada"), lab)
    delete_lab(cast.session, cast.actor("ada"), lab)
    assert lab.deleted_at


def test_the_hub_hears_of_every_lock_that_comes_and_goes(cast: Cast, lab: Lab) -> None:
    wanted = ("sync_lock", f"lock:{lab.id}")
    lock(cast, lab, "grace")
    assert jobs(cast.session) == [wanted]
    cast.session.execute(delete(Job))
    unlock_lab(cast.session, cast.actor("grace"), lab)
    assert jobs(cast.session) == [wanted]


def test_who_locked_a_lab_may_give_another_reason(cast: Cast, lab: Lab) -> None:
    lock(cast, lab, "grace", "exam")
    again = lock(cast, lab, "grace", "still")
    assert again.locked_by is cast.people["grace"]
    assert again.lock_reason == "still"


@pytest.mark.parametrize("name", ["grace", "ada", "root"])
def test_a_lock_is_lifted_by_who_set_it_by_owners_and_by_admins(
    cast: Cast, lab: Lab, name: str
) -> None:
    lock(cast, lab, "grace", "exam")
    unlocked = unlock_lab(cast.session, cast.actor(name), lab)
    cast.session.flush()
    cast.session.refresh(lab, ["locked_by_id"])
    assert (unlocked.locked_by, unlocked.locked_by_id, unlocked.lock_reason) == (None, None, "")
    assert events(cast.session)[-1].detail == {"locked_by": "grace"}
    with pytest.raises(Conflict, match="not locked"):
        unlock_lab(cast.session, cast.actor("ada"), lab)


def test_a_member_does_not_lift_the_lock_of_another(cast: Cast, lab: Lab) -> None:
    lock(cast, lab, "ada")
    with pytest.raises(Forbidden, match="lab:unlock"):
        unlock_lab(cast.session, cast.actor("grace"), lab)


@pytest.mark.parametrize("state", LabState)
def test_a_lab_is_deleted_when_it_has_no_server(cast: Cast, lab: Lab, state: LabState) -> None:
    lab.state = state
    ada = cast.actor("ada")
    if state.has_server:
        with pytest.raises(Conflict, match="Stop the lab"):
            delete_lab(cast.session, ada, lab)
        return
    delete_lab(cast.session, ada, lab)
    assert (lab.deleted_by_id, jobs(cast.session)) == (ada.person_id, [])
    with pytest.raises(Conflict, match="already"):
        delete_lab(cast.session, ada, lab)
    with pytest.raises(Forbidden, match="restore it first"):
        start_lab(cast.session, ada, lab, LabStart(), SETTINGS)
    with pytest.raises(NotFound):
        start_lab(cast.session, cast.actor("grace"), lab, LabStart(), SETTINGS)
    restored = restore_lab(cast.session, ada, lab)
    assert (restored.deleted_at, restored.deleted_by_id) == (None, None)
    with pytest.raises(Conflict, match="not in the trash"):
        restore_lab(cast.session, ada, lab)


def test_a_member_neither_deletes_nor_restores_a_lab(cast: Cast, lab: Lab) -> None:
    with pytest.raises(Forbidden, match="lab:delete"):
        delete_lab(cast.session, cast.actor("grace"), lab)
    delete_lab(cast.session, cast.actor("ada"), lab)
    with pytest.raises(NotFound):
        restore_lab(cast.session, cast.actor("grace"), lab)


def test_what_is_decided_about_a_lab_is_decided_by_its_row_of_this_moment(
    cast: Cast, lab: Lab
) -> None:
    """Somebody else changed it after it was read and before it was locked."""
    table = Lab.__table__
    assert lab.state is LabState.STOPPED
    assert lab.locked_by is None
    cast.session.execute(table.update().values(state="running", locked_by_id=cast.people["ada"].id))
    with pytest.raises(Conflict, match="locked by Ada"):
        start_lab(cast.session, cast.actor("grace"), lab, LabStart(), SETTINGS)
    assert start_lab(cast.session, cast.actor("ada"), lab, LabStart(), SETTINGS) is False
    unlock_lab(cast.session, cast.actor("ada"), lab)
    cast.session.execute(table.update().values(deleted_at=make.LONG_AGO))
    with pytest.raises(NotFound):
        stop_lab(cast.session, cast.actor("grace"), lab)
