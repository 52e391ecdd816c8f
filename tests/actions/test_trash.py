"""The trash: what goes together comes back together, and nothing else does."""

from dataclasses import dataclass

import pytest
from sqlalchemy import select

from sophon_hub.actions.groups import delete_group, restore_group
from sophon_hub.actions.labs import delete_lab, restore_lab
from sophon_hub.actions.projects import delete_project, restore_project
from sophon_hub.errors import Conflict, Forbidden, NotFound
from sophon_hub.models import Lab, LabState, ResearchGroup, ResearchProject, Visibility
from tests import make
from tests.cast import Cast
from tests.conftest import StoppedClock
from tests.database import jobs


@pytest.fixture(autouse=True)
def now(stopped_clock: StoppedClock) -> StoppedClock:
    return stopped_clock


@dataclass
class Things:
    """Two projects with their labs, in one group."""

    lens: ResearchProject
    lab: Lab
    slugs: tuple[str, ...] = ("lens", "lens/a", "lens/b", "mirror", "mirror/a")


@pytest.fixture
def things(cast: Cast) -> Things:
    lens = make.project(cast.session, cast.group, "lens", visibility=Visibility.PUBLIC)
    mirror = make.project(cast.session, cast.group, "mirror")
    make.lab(cast.session, lens, "b")
    make.lab(cast.session, mirror, "a")
    return Things(lens, make.lab(cast.session, lens, "a"))


def in_trash(cast: Cast) -> set[str]:
    """Slugs of what is in the trash."""
    cast.session.flush()
    gone = set()
    for kind in (ResearchGroup, ResearchProject):
        query = select(kind.slug).where(kind.deleted_at.is_not(None))  # type: ignore[attr-defined]
        gone |= set(cast.session.scalars(query))
    labs = (
        select(ResearchProject.slug, Lab.slug).join(Lab.project).where(Lab.deleted_at.is_not(None))
    )
    return gone | {f"{project}/{lab}" for project, lab in cast.session.execute(labs)}


def test_a_group_goes_with_all_it_has_and_comes_back_with_it(cast: Cast, things: Things) -> None:
    delete_group(cast.session, cast.actor("ada"), cast.group)
    assert in_trash(cast) == {"optics", *things.slugs}
    assert things.lens.deleted_by_id == things.lab.deleted_by_id == cast.people["ada"].id
    restored = restore_group(cast.session, cast.actor("root"), cast.group)
    assert in_trash(cast) == set()
    assert restored.deleted_by_id is None


def test_what_was_deleted_before_stays_in_the_trash(
    cast: Cast, things: Things, now: StoppedClock
) -> None:
    ada = cast.actor("ada")
    lens, lab = things.lens, things.lab
    delete_lab(cast.session, ada, lab)
    now.forward(days=1)
    delete_project(cast.session, ada, lens)
    now.forward(days=1)
    delete_group(cast.session, ada, cast.group)
    assert in_trash(cast) == {"optics", *things.slugs}
    restore_group(cast.session, ada, cast.group)
    assert in_trash(cast) == {"lens", "lens/a", "lens/b"}
    restore_project(cast.session, ada, lens)
    assert in_trash(cast) == {"lens/a"}
    restore_lab(cast.session, ada, lab)
    assert in_trash(cast) == set()


def test_nothing_comes_back_before_what_it_is_in(
    cast: Cast, things: Things, now: StoppedClock
) -> None:
    ada = cast.actor("ada")
    lens, lab = things.lens, things.lab
    delete_project(cast.session, ada, lens)
    with pytest.raises(Conflict, match="restore the project first"):
        restore_lab(cast.session, ada, lab)
    now.forward(seconds=1)
    delete_group(cast.session, ada, cast.group)
    with pytest.raises(Conflict, match="restore the group first"):
        restore_project(cast.session, ada, lens)


def test_nothing_goes_or_comes_back_twice(cast: Cast, things: Things) -> None:
    ada, session = cast.actor("ada"), cast.session
    lens = things.lens
    with pytest.raises(Conflict, match="not in the trash"):
        restore_project(session, ada, lens)
    with pytest.raises(Conflict, match="not in the trash"):
        restore_group(session, ada, cast.group)
    delete_project(session, ada, lens)
    with pytest.raises(Conflict, match="already"):
        delete_project(session, ada, lens)
    delete_group(session, ada, cast.group)
    with pytest.raises(Conflict, match="already"):
        delete_group(session, ada, cast.group)


@pytest.mark.parametrize("what", ["group", "project"])
def test_labs_that_go_to_the_trash_are_stopped(cast: Cast, things: Things, what: str) -> None:
    lens = things.lens
    labs = {state: make.lab(cast.session, lens, str(state), state=state) for state in LabState}
    if what == "group":
        delete_group(cast.session, cast.actor("ada"), cast.group)
    else:
        delete_project(cast.session, cast.actor("ada"), lens)
    assert {before: lab.state for before, lab in labs.items()} == {
        LabState.STOPPED: LabState.STOPPED,
        LabState.FAILED: LabState.FAILED,
        LabState.STARTING: LabState.STOPPING,
        LabState.RUNNING: LabState.STOPPING,
        LabState.STOPPING: LabState.STOPPING,
    }
    stopped = {key for kind, key in jobs(cast.session) if kind == "stop_lab"}
    assert stopped == {f"lab:{lab.id}" for state, lab in labs.items() if state.has_server}


def test_what_is_in_the_trash_is_gone_for_members_and_strangers(cast: Cast, things: Things) -> None:
    lens = things.lens
    delete_group(cast.session, cast.actor("ada"), cast.group)
    for name in ("guest", "barbara", "alan", "grace"):
        with pytest.raises(NotFound):
            restore_group(cast.session, cast.actor(name), cast.group)
        with pytest.raises(NotFound):
            delete_project(cast.session, cast.actor(name), lens)


def test_members_neither_delete_nor_restore(cast: Cast, things: Things) -> None:
    lens = things.lens
    for name in ("alan", "grace", "barbara"):
        with pytest.raises(Forbidden):
            delete_group(cast.session, cast.actor(name), cast.group)
        with pytest.raises(Forbidden):
            delete_project(cast.session, cast.actor(name), lens)
    assert in_trash(cast) == set()


def test_a_lab_that_somebody_else_has_just_started_is_stopped(cast: Cast, things: Things) -> None:
    """It was read while it did not run: its row is read again under its lock."""
    assert things.lab.state is LabState.STOPPED
    cast.session.execute(Lab.__table__.update().values(state="running"))
    delete_project(cast.session, cast.actor("ada"), things.lens)
    assert things.lab.state is LabState.STOPPING
    assert ("stop_lab", f"lab:{things.lab.id}") in jobs(cast.session)
    assert things.lab.project is things.lens, "relationships that were loaded stay loaded"
