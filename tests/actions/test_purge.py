"""The end of the trash: what goes for good, when, and what comes back instead."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sophon_hub import audit, clock
from sophon_hub.actions import forms
from sophon_hub.actions.datasets import delete_dataset
from sophon_hub.actions.forms import Confirmation, NewGroup
from sophon_hub.actions.groups import create_group, delete_group, restore_group
from sophon_hub.actions.labs import delete_lab, restore_lab
from sophon_hub.actions.members import remove_member, set_member
from sophon_hub.actions.projects import delete_project, restore_project
from sophon_hub.actions.purge import (
    cancel_deletions,
    end_deletion,
    finish_purge,
    purge_now,
)
from sophon_hub.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from sophon_hub.models import (
    Dataset,
    DatasetKind,
    DatasetState,
    Lab,
    MemberRole,
    Membership,
    ResearchGroup,
    ResearchProject,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import permitted
from sophon_hub.store.engine import transact
from sophon_hub.store.events import list_events
from sophon_hub.store.paging import Paging
from sophon_hub.store.trash import Deleted, Kind, Remains, system_deletions, system_remains
from tests import make
from tests.cast import Cast
from tests.conftest import StoppedClock
from tests.database import events, jobs

HUB = Actor(via="system")


@pytest.fixture(autouse=True)
def now(stopped_clock: StoppedClock) -> StoppedClock:
    return stopped_clock


@dataclass
class Things:
    """A project with two labs and a published dataset, in a group with two owners."""

    lens: ResearchProject
    lab: Lab
    other: Lab
    dataset: Dataset


@pytest.fixture
def things(cast: Cast) -> Things:
    lens = make.project(cast.session, cast.group, "lens")
    set_member(
        cast.session,
        cast.actor("ada"),
        cast.group,
        "grace",
        forms.MemberSettings(role=MemberRole.OWNER),
    )
    return Things(
        lens,
        make.lab(cast.session, lens, "a"),
        make.lab(cast.session, lens, "b"),
        make.dataset(cast.session, group=cast.group, kind=DatasetKind.PUBLISHED),
    )


def end_due(session: Session, *, days: int = 30) -> None:
    """What the worker does every few seconds."""
    session.flush()
    before = clock.utcnow() - timedelta(days=days)
    for deleted in system_deletions(session, before=before):
        end_deletion(session, HUB, deleted, before)


def purges(session: Session) -> list[tuple[str, str]]:
    return [job for job in jobs(session) if job[0].startswith("purge_")]


def last_event(session: Session) -> tuple[str, str, dict[str, object]]:
    event = events(session)[-1]
    return event.action, event.subject, event.detail


def test_what_is_in_the_trash_goes_when_its_time_is_over_and_not_before(
    cast: Cast, things: Things, now: StoppedClock
) -> None:
    delete_project(cast.session, cast.actor("ada"), things.lens)
    now.forward(days=29, hours=23)
    end_due(cast.session)
    assert purges(cast.session) == []
    now.forward(hours=1)
    end_due(cast.session)
    end_due(cast.session)
    assert purges(cast.session) == [("purge_project", f"project:{things.lens.id}")]
    assert things.lab.purge_started_at == things.lens.purge_started_at == now()
    assert things.dataset.purge_started_at is None


def test_what_is_being_removed_cannot_come_back_and_nothing_more_can_be_done_to_it(
    cast: Cast, things: Things, now: StoppedClock
) -> None:
    ada = cast.actor("ada")
    delete_lab(cast.session, ada, things.lab)
    delete_project(cast.session, ada, things.lens)
    now.forward(seconds=1)
    delete_group(cast.session, ada, cast.group)
    purge_now(cast.session, ada, things.lens, Confirmation(confirm="lens"))
    assert permitted(ada, things.lens) == ["project:see", "events:see"]
    with pytest.raises(Forbidden, match="cannot come back"):
        restore_project(cast.session, ada, things.lens)
    with pytest.raises(Forbidden, match="cannot come back"):
        purge_now(cast.session, ada, things.lens, Confirmation(confirm="lens"))
    restore_group(cast.session, ada, cast.group)
    assert things.lens.deleted_at is not None
    assert things.dataset.deleted_at is None


def test_a_group_takes_all_it_has_with_it_but_what_is_being_removed_already(
    cast: Cast, things: Things, now: StoppedClock
) -> None:
    ada = cast.actor("ada")
    delete_group(cast.session, ada, cast.group)
    purge_now(cast.session, ada, things.lab, Confirmation(confirm="a"))
    restore_group(cast.session, ada, cast.group)
    assert things.lab.deleted_at is not None
    assert things.other.deleted_at is None
    delete_group(cast.session, ada, cast.group)
    now.forward(days=30)
    end_due(cast.session)
    assert ("purge_group", f"group:{cast.group.id}") in purges(cast.session)
    for thing in (cast.group, things.lens, things.lab, things.other, things.dataset):
        assert thing.purge_started_at is not None


@pytest.mark.parametrize("typed", ["", "Lens", "optics"])
def test_who_removes_something_types_its_address(cast: Cast, things: Things, typed: str) -> None:
    ada = cast.actor("ada")
    with pytest.raises(Conflict, match="to the trash first"):
        purge_now(cast.session, ada, things.lens, Confirmation(confirm="lens"))
    delete_project(cast.session, ada, things.lens)
    with pytest.raises(Invalid, match="Type lens"):
        purge_now(cast.session, ada, things.lens, Confirmation(confirm=typed))
    assert things.lens.purge_started_at is None


def test_an_owner_who_was_just_removed_removes_nothing(cast: Cast, things: Things) -> None:
    grace = cast.actor("grace")
    delete_project(cast.session, grace, things.lens)
    remove_member(cast.session, cast.actor("ada"), cast.group, "grace")
    with pytest.raises(NotFound):
        purge_now(cast.session, grace, things.lens, Confirmation(confirm="lens"))


def test_a_dataset_of_the_hub_goes_as_well(cast: Cast, now: StoppedClock) -> None:
    dataset = make.dataset(cast.session, deleted_at=make.LONG_AGO)
    end_due(cast.session)
    assert purges(cast.session) == [("purge_dataset", f"dataset:{dataset.id}")]
    assert system_remains(cast.session, Kind.DATASET, dataset.id) == Remains()
    finish_purge(cast.session, HUB, Kind.DATASET, dataset.id, Remains())
    assert cast.session.scalars(select(Dataset)).all() == []


def test_what_is_gone_by_the_time_it_is_looked_at_is_left_alone(cast: Cast) -> None:
    gone = Deleted(Kind.LAB, 4711, None)
    before = len(events(cast.session))
    end_deletion(cast.session, HUB, gone, clock.utcnow())
    assert len(events(cast.session)) == before
    assert purges(cast.session) == []


def test_a_dataset_of_a_group_is_removed_at_once_by_its_owner(cast: Cast, things: Things) -> None:
    ada = cast.actor("ada")
    delete_dataset(cast.session, ada, things.dataset)
    purge_now(cast.session, ada, things.dataset, Confirmation(confirm="stars"))
    assert purges(cast.session) == [("purge_dataset", f"dataset:{things.dataset.id}")]
    remains = system_remains(cast.session, Kind.DATASET, things.dataset.id)
    assert remains == Remains(datasets=(things.dataset.uid,))


# whoever asked is no owner any more

Loses = Callable[[Cast, StoppedClock], None]


def _is_removed(cast: Cast, _: StoppedClock) -> None:
    remove_member(cast.session, cast.actor("ada"), cast.group, "grace")


def _is_demoted(cast: Cast, _: StoppedClock) -> None:
    settings = forms.MemberSettings(role=MemberRole.MEMBER)
    set_member(cast.session, cast.actor("ada"), cast.group, "grace", settings)


def _expires(cast: Cast, now: StoppedClock) -> None:
    membership = cast.session.get_one(Membership, (cast.group.id, cast.people["grace"].id))
    membership.expires_at = now() + timedelta(seconds=1)
    now.forward(seconds=1)


LOSSES: dict[str, Loses] = {
    "is removed": _is_removed,
    "is made a member": _is_demoted,
    "was owner until a date": _expires,
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("when", ["at once", "when its time is over"])
def test_a_deletion_is_cancelled_when_who_asked_for_it(
    cast: Cast, things: Things, now: StoppedClock, loss: Loses, when: str
) -> None:
    delete_project(cast.session, cast.actor("grace"), things.lens)
    loss(cast, now)
    if when == "at once":
        cancel_deletions(cast.session, HUB, cast.group.id)
    else:
        now.forward(days=30)
        end_due(cast.session)
    assert things.lens.deleted_at is None
    assert things.lab.deleted_at is None
    assert purges(cast.session) == []
    assert last_event(cast.session) == (
        "project:delete-cancelled",
        "lens",
        {"username": "grace"},
    )
    assert events(cast.session)[-1].group_id == cast.group.id
    assert ("sync_group", f"group:{cast.group.id}") in jobs(cast.session)


def test_the_deletions_of_others_and_of_administrators_stand(
    cast: Cast, things: Things, now: StoppedClock
) -> None:
    delete_lab(cast.session, cast.actor("ada"), things.lab)
    delete_lab(cast.session, cast.actor("root"), things.other)
    _is_removed(cast, now)
    cancel_deletions(cast.session, HUB, cast.group.id)
    assert things.lab.deleted_at is not None
    now.forward(days=30)
    end_due(cast.session)
    assert len(purges(cast.session)) == 2


def test_who_was_an_administrator_when_deleting_is_asked_about_as_well(
    cast: Cast, things: Things
) -> None:
    delete_lab(cast.session, cast.actor("root"), things.lab)
    cast.people["root"].is_admin = False
    cancel_deletions(cast.session, HUB, cast.group.id)
    assert things.lab.deleted_at is None
    assert last_event(cast.session)[0] == "lab:delete-cancelled"


def test_a_group_comes_back_with_what_went_with_it(
    cast: Cast, things: Things, now: StoppedClock
) -> None:
    delete_group(cast.session, cast.actor("grace"), cast.group)
    _expires(cast, now)
    cancel_deletions(cast.session, HUB, cast.group.id)
    for thing in (cast.group, things.lens, things.lab, things.dataset):
        assert thing.deleted_at is None
    assert [event.action for event in events(cast.session)][-1:] == ["group:delete-cancelled"]


def test_what_is_kept_inside_something_deleted_waits_with_that(
    cast: Cast, things: Things, now: StoppedClock
) -> None:
    """Grace's deletion of a lab is void; Ada's of the project around it stands."""
    delete_lab(cast.session, cast.actor("grace"), things.lab)
    now.forward(days=1)
    delete_project(cast.session, cast.actor("ada"), things.lens)
    _is_removed(cast, now)
    cancel_deletions(cast.session, HUB, cast.group.id)
    assert things.lab.deleted_at == things.lens.deleted_at is not None
    assert things.lab.deleted_by_id == cast.people["ada"].id
    restore_project(cast.session, cast.actor("ada"), things.lens)
    assert things.lab.deleted_at is None


def test_nothing_is_cancelled_that_came_back_or_is_being_removed(
    cast: Cast, things: Things, now: StoppedClock
) -> None:
    grace = cast.actor("grace")
    delete_lab(cast.session, grace, things.lab)
    delete_lab(cast.session, grace, things.other)
    purge_now(cast.session, grace, things.other, Confirmation(confirm="b"))
    cast.session.flush()
    before = clock.utcnow()
    [deleted] = system_deletions(cast.session, before=before)
    restore_lab(cast.session, grace, things.lab)
    _is_removed(cast, now)
    cancel_deletions(cast.session, HUB, cast.group.id)
    end_deletion(cast.session, HUB, deleted, before)
    assert things.other.purge_started_at is not None
    assert things.other.deleted_at is not None
    assert things.lab.purge_started_at is None


# the last step


def test_what_is_cleared_away_is_forgotten_once_with_one_event(cast: Cast, things: Things) -> None:
    ada, group_id = cast.actor("ada"), cast.group.id
    make.request(cast.session, cast.group, cast.people["barbara"])
    delete_group(cast.session, ada, cast.group)
    purge_now(cast.session, ada, cast.group, Confirmation(confirm="optics"))
    remains = system_remains(cast.session, Kind.GROUP, group_id)
    assert remains == Remains(
        group="optics",
        accounts=("project-lens",),
        homes=(things.lab.uid, things.other.uid),
        datasets=(things.dataset.uid,),
    )
    finish_purge(cast.session, HUB, Kind.GROUP, group_id, remains)
    assert last_event(cast.session) == (
        "group:purged",
        "optics",
        {"projects": 1, "labs": 2, "datasets": 1},
    )
    before = len(events(cast.session))
    finish_purge(cast.session, HUB, Kind.GROUP, group_id, remains)
    assert system_remains(cast.session, Kind.GROUP, group_id) is None
    assert len(events(cast.session)) == before
    cast.session.expire_all()
    for kind in (ResearchGroup, ResearchProject, Lab, Dataset, Membership):
        assert cast.session.scalars(select(kind)).all() == []


def test_nothing_is_forgotten_that_was_not_cleared_away(cast: Cast, things: Things) -> None:
    ada = cast.actor("ada")
    delete_project(cast.session, ada, things.lens)
    purge_now(cast.session, ada, things.lens, Confirmation(confirm="lens"))
    remains = system_remains(cast.session, Kind.PROJECT, things.lens.id)
    assert remains is not None
    make.lab(cast.session, things.lens, "late", deleted_at=clock.utcnow())
    with pytest.raises(Unavailable, match="has changed"):
        finish_purge(cast.session, HUB, Kind.PROJECT, things.lens.id, remains)


def test_a_dataset_that_is_being_copied_is_waited_for(cast: Cast, things: Things) -> None:
    things.dataset.state = DatasetState.PREPARING
    delete_group(cast.session, cast.actor("ada"), cast.group)
    purge_now(cast.session, cast.actor("ada"), cast.group, Confirmation(confirm="optics"))
    remains = system_remains(cast.session, Kind.GROUP, cast.group.id)
    assert remains is not None
    assert remains.busy


def test_who_reuses_a_slug_sees_nothing_of_what_happened_under_it(engine: Engine) -> None:
    def first(session: Session) -> int:
        cast = Cast.enter(session)
        audit.record(session, HUB, "group:edit", cast.group)
        delete_group(session, cast.actor("ada"), cast.group)
        purge_now(session, cast.actor("ada"), cast.group, Confirmation(confirm="optics"))
        return cast.group.id

    number = transact(engine, first)
    cleared = Remains(group="optics")
    transact(engine, lambda session: finish_purge(session, HUB, Kind.GROUP, number, cleared))

    def second(session: Session) -> list[str]:
        barbara = Cast(session, {}, ResearchGroup()).actor("barbara")
        group = create_group(session, barbara, NewGroup(name="Optics"))
        assert group.slug == "optics"
        assert group.id != number
        session.flush()
        assert session.scalars(select(Membership.person_id)).all() == [barbara.person_id]
        return [event.action for event in list_events(session, barbara, group, Paging()).items]

    assert transact(engine, second) == ["group:create"]
