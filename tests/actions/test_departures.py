"""What becomes of people's groups, requests and locks when their accounts are gone."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sophon_hub import clock
from sophon_hub.actions.departures import Settled, settle_person
from sophon_hub.actions.groups import delete_group
from sophon_hub.actions.purge import cancel_deletions
from sophon_hub.models import JoinRequest, MemberRole, Membership, MembershipSource
from sophon_hub.policy.actor import Actor
from sophon_hub.store.events import list_notices
from sophon_hub.store.paging import Paging
from sophon_hub.store.people import find_person, search_people, system_retire_person
from tests import make
from tests.cast import Cast
from tests.database import actions, contents, events, jobs

SYSTEM = Actor(via="system")


def go(cast: Cast, username: str) -> Settled:
    """The account is removed at the Hub, and the worker settles what is left."""
    person = cast.people[username]
    system_retire_person(cast.session, person, now=clock.utcnow())
    return settle_person(cast.session, SYSTEM, person.id)


def roles(session: Session) -> dict[str, tuple[MemberRole, bool]]:
    """Role by name, and whether it lasts."""
    session.flush()
    session.expire_all()
    rows = session.scalars(select(Membership)).all()
    for row in rows:
        session.refresh(row, ["person"])
    return {row.person.username: (row.role, row.expires_at is None) for row in rows}


def test_who_goes_leaves_groups_that_still_have_an_owner(cast: Cast) -> None:
    make.membership(cast.session, cast.group, cast.people["barbara"], MemberRole.OWNER)
    assert go(cast, "ada") == Settled()
    assert roles(cast.session) == {
        "barbara": (MemberRole.OWNER, True),
        "grace": (MemberRole.MEMBER, True),
        "alan": (MemberRole.VIEWER, True),
    }
    [event] = events(cast.session)
    assert (event.action, event.actor, event.via) == ("member:remove", None, "system")
    assert event.detail == {"username": "ada", "before": {"role": "owner"}, "source": "account"}
    assert jobs(cast.session) == [("sync_group", f"group:{cast.group.id}")]


def test_a_group_without_its_last_owner_passes_to_the_longest_standing_member(cast: Cast) -> None:
    session, now = cast.session, clock.utcnow()
    new = make.person(session, "new")
    make.membership(session, cast.group, new).added_at = now
    first = make.person(session, "first")
    ended = make.membership(session, cast.group, first, expires_at=now)
    ended.added_at = make.LONG_AGO - timedelta(days=9)
    alan = session.get_one(Membership, (cast.group.id, cast.people["alan"].id))
    alan.added_at = make.LONG_AGO - timedelta(days=9)
    assert go(cast, "ada") == Settled(passed={"optics": "grace"})
    found = roles(session)
    assert found["grace"] == (MemberRole.OWNER, True)
    assert (found["new"][0], found["alan"][0]) == (MemberRole.MEMBER, MemberRole.VIEWER)
    assert actions(session) == ["member:remove", "group:pass"]
    assert events(session)[-1].detail == {
        "username": "grace",
        "before": {"role": "member", "expires_at": None},
        "former": "ada",
    }


def test_an_owner_whose_time_would_end_stays_for_good_before_others_inherit(cast: Cast) -> None:
    end = clock.utcnow() + timedelta(days=1)
    barbara = cast.people["barbara"]
    late = make.membership(cast.session, cast.group, barbara, MemberRole.OWNER, expires_at=end)
    late.source = MembershipSource.SIGN_ON
    go(cast, "ada")
    assert roles(cast.session)["barbara"] == (MemberRole.OWNER, True)
    assert late.source is MembershipSource.PERSON


def test_a_viewer_inherits_where_there_is_nobody_else_and_nobody_where_there_is_nobody(
    cast: Cast,
) -> None:
    go(cast, "grace")
    assert go(cast, "ada").passed == {"optics": "alan"}
    assert go(cast, "alan") == Settled(ownerless=["optics"])
    assert roles(cast.session) == {}
    assert actions(cast.session)[-1] == "group:deserted"


def test_requests_and_locks_go_with_who_made_them(cast: Cast) -> None:
    session = cast.session
    for name in ("barbara", "root"):
        make.request(session, cast.group, cast.people[name])
    lens = make.project(session, cast.group, "lens")
    hers = make.lab(session, lens, "hers", locked_by=cast.people["grace"])
    other = make.lab(session, lens, "other", locked_by=cast.people["ada"])
    go(cast, "barbara")
    assert [row.person_id for row in session.scalars(select(JoinRequest))] == [
        cast.people["root"].id
    ]
    assert actions(session) == []
    go(cast, "grace")
    assert (hers.locked_by, hers.lock_reason) == (None, "")
    assert other.locked_by is cast.people["ada"]
    unlocked = events(session)[-1]
    assert (unlocked.action, unlocked.detail) == ("lab:unlock", {"locked_by": "grace"})
    assert ("sync_lock", f"lock:{hers.id}") in jobs(session)


def test_settling_twice_changes_nothing(cast: Cast) -> None:
    go(cast, "ada")
    before = contents(cast.session)
    assert settle_person(cast.session, SYSTEM, cast.people["ada"].id) == Settled()
    assert contents(cast.session) == before


def test_deletions_of_who_goes_are_cancelled(cast: Cast) -> None:
    make.membership(cast.session, cast.group, cast.people["barbara"], MemberRole.OWNER)
    delete_group(cast.session, cast.actor("ada"), cast.group)
    go(cast, "ada")
    cancel_deletions(cast.session, SYSTEM, cast.group.id)
    assert cast.group.deleted_at is None
    assert events(cast.session)[-1].detail == {"username": "ada"}


def test_who_comes_under_an_old_name_is_another_person(cast: Cast) -> None:
    session, old = cast.session, cast.people["ada"]
    go(cast, "ada")
    assert find_person(session, "ada") is None
    assert search_people(session, cast.actor("root"), "ada", Paging(10)).items == []
    new = make.person(session, "ada")
    assert new.id != old.id
    assert cast.actor("ada").memberships == {}
    assert old.display_name == "Ada"
    found = search_people(session, cast.actor("root"), "ada", Paging(10)).items
    assert [person.id for person in found] == [new.id]


@pytest.mark.parametrize(("name", "told"), [("root", True), ("grace", True), ("barbara", False)])
def test_the_new_owner_and_the_administrators_are_told_and_nobody_else(
    cast: Cast, name: str, told: bool
) -> None:
    go(cast, "ada")
    since = clock.utcnow() - timedelta(days=1)
    found = list_notices(cast.session, cast.actor(name), since)
    assert [event.action for event in found] == ["group:pass"] * told
    assert list_notices(cast.session, cast.actor(name), since, cast.group.id + 1) == []
    assert list_notices(cast.session, cast.actor(name), clock.utcnow()) == []
