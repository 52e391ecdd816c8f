"""What refusals at the doors of labs leave in the audit trail, and how little of it."""

import pytest
from sqlalchemy import Engine, select

from sophon_hub.audit import ALTOGETHER, EACH
from sophon_hub.authenticator.door import Door
from sophon_hub.models import AuditEvent
from sophon_hub.store import chain
from sophon_hub.store.engine import reading, writing
from tests import make
from tests.cast import Cast
from tests.conftest import StoppedClock

LABS = 2 * EACH
REQUEST = "r-1"


@pytest.fixture
def door(sqlite_engine: Engine, stopped_clock: StoppedClock) -> Door:
    """Of labs of optics, and of Ada's own one."""
    with writing(sqlite_engine) as session:
        cast = Cast.enter(session)
        lens = make.project(session, cast.group)
        for number in range(LABS):
            make.lab(session, lens, f"l{number}")
        for number in range(ALTOGETHER + 1):
            make.person(session, f"p{number}")
    return Door(sqlite_engine)


def knock(door: Door, who: str, where: str = "project-lens/l0") -> None:
    account, _, server = where.partition("/")
    door.refused(who, account, server, REQUEST)


def events(engine: Engine) -> list[AuditEvent]:
    with reading(engine) as session:
        assert chain.system_verify(session).problem is None
        return list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def test_who_is_refused_is_on_record_with_the_lab_the_group_and_the_request(
    door: Door, sqlite_engine: Engine
) -> None:
    knock(door, "barbara")
    knock(door, "barbara", "ada")
    lab, own = events(sqlite_engine)
    assert (lab.actor, lab.action, lab.subject) == ("barbara", "lab:deny", "lens/l0")
    assert (lab.detail, lab.via, lab.request_id) == ({"permission": "lab:watch"}, "page", REQUEST)
    assert lab.group_id is not None
    assert (own.actor, own.action, own.subject) == ("barbara", "personal:deny", "ada")
    assert own.group_id is None


@pytest.mark.parametrize(
    ("who", "where"),
    [
        ("nobody", "project-lens/l0"),
        ("\x00", "project-lens/l0"),
        ("barbara", "project-lens/nothing"),
        ("barbara", "project-nothing/l0"),
        ("barbara", "nobody"),
        ("barbara", "tmp-1"),
    ],
)
def test_people_and_labs_that_the_portal_does_not_know_leave_nothing(
    door: Door, sqlite_engine: Engine, who: str, where: str
) -> None:
    knock(door, who, where)
    assert events(sqlite_engine) == []


def test_who_asks_again_soon_is_refused_once_and_later_anew(
    door: Door, sqlite_engine: Engine, stopped_clock: StoppedClock
) -> None:
    for _ in range(5):
        knock(door, "barbara")
        stopped_clock.forward(seconds=59)
    knock(door, "grace")
    assert [event.actor for event in events(sqlite_engine)] == ["barbara", "grace"]
    stopped_clock.forward(seconds=6)
    knock(door, "barbara")
    assert [event.actor for event in events(sqlite_engine)] == ["barbara", "grace", "barbara"]


def test_nobody_fills_the_trail_with_many_labs_and_not_many_together(
    door: Door, sqlite_engine: Engine, stopped_clock: StoppedClock
) -> None:
    for number in range(LABS):
        knock(door, "barbara", f"project-lens/l{number}")
    assert len(events(sqlite_engine)) == EACH
    for number in range(ALTOGETHER + 1):
        knock(door, f"p{number}")
    assert len(events(sqlite_engine)) == ALTOGETHER
    stopped_clock.forward(minutes=1)
    knock(door, "grace")
    told = events(sqlite_engine)
    left_out = sum(event.detail.get("unrecorded_before", 0) for event in told)
    assert len(told) + left_out == LABS + ALTOGETHER + 2
