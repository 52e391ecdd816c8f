"""Roles, end dates, removal, and requests to join."""

from datetime import datetime, timedelta

import pytest

from sophon_hub.actions.forms import Approval, MemberSettings
from sophon_hub.actions.members import (
    approve_request,
    decline_request,
    remove_member,
    set_member,
    withdraw_request,
)
from sophon_hub.actions.people import note_person
from sophon_hub.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from sophon_hub.models import JoinRequest, MemberRole, Membership, Visibility
from tests import make
from tests.cast import Cast
from tests.conftest import StoppedClock
from tests.database import actions, events


@pytest.fixture(autouse=True)
def now(stopped_clock: StoppedClock) -> StoppedClock:
    return stopped_clock


def give(
    cast: Cast,
    username: str,
    role: MemberRole = MemberRole.MEMBER,
    *,
    until: datetime | None = None,
    by: str = "ada",
) -> tuple[Membership, bool]:
    form = MemberSettings(role=role, expires_at=until)
    return set_member(cast.session, cast.actor(by), cast.group, username, form)


def remove(cast: Cast, username: str, *, by: str = "ada") -> None:
    remove_member(cast.session, cast.actor(by), cast.group, username)


@pytest.mark.parametrize("role", MemberRole)
@pytest.mark.parametrize("by", ["ada", "root"])
def test_owners_and_admins_give_any_role(cast: Cast, role: MemberRole, by: str) -> None:
    membership, is_new = give(cast, "barbara", role, by=by)
    assert is_new
    assert (membership.role, membership.added_by_id) == (role, cast.people[by].id)
    assert cast.actor("barbara").role_in(cast.group.id) is role
    assert events(cast.session)[-1].detail == {
        "username": "barbara",
        "before": None,
        "after": {"role": role, "expires_at": None},
    }


@pytest.mark.parametrize("by", ["grace", "alan", "barbara"])
def test_nobody_else_gives_roles_and_nobody_to_themselves(cast: Cast, by: str) -> None:
    for username in ("barbara", by):
        with pytest.raises(Forbidden, match="group:people"):
            give(cast, username, MemberRole.OWNER, by=by)
    with pytest.raises(Forbidden):
        remove(cast, "alan", by=by)
    assert actions(cast.session) == []


def test_guests_are_asked_to_sign_in_and_strangers_hear_nothing(cast: Cast) -> None:
    with pytest.raises(Unauthenticated):
        give(cast, "barbara", by="guest")
    cast.group.visibility = Visibility.PRIVATE
    for by in ("guest", "barbara"):
        with pytest.raises(NotFound):
            give(cast, "barbara", by=by)


def test_a_changed_role_is_a_change_and_not_a_new_membership(cast: Cast) -> None:
    before = cast.session.get(Membership, (cast.group.id, cast.people["grace"].id))
    assert before
    membership, is_new = give(cast, "grace", MemberRole.OWNER)
    assert not is_new
    assert membership is before
    assert (membership.role, membership.added_at) == (MemberRole.OWNER, make.LONG_AGO)
    assert events(cast.session)[-1].detail["before"] == {"role": "member", "expires_at": None}


@pytest.mark.parametrize("username", ["nobody", "", "ADA", "\x00", "\ud800"], ids=ascii)
def test_a_role_needs_an_account(cast: Cast, username: str) -> None:
    with pytest.raises(Invalid) as refusal:
        give(cast, username)
    assert [error.field for error in refusal.value.errors] == ["username"]
    with pytest.raises(NotFound):
        remove(cast, username)


def test_a_membership_ends_at_its_moment(cast: Cast, now: StoppedClock) -> None:
    membership, _ = give(cast, "barbara", until=now() + timedelta(hours=1))
    assert membership.expires_at == now() + timedelta(hours=1)
    now.forward(minutes=59)
    assert cast.actor("barbara").role_in(cast.group.id) is MemberRole.MEMBER
    now.forward(minutes=1)
    assert cast.actor("barbara").role_in(cast.group.id) is None
    with pytest.raises(NotFound):
        remove(cast, "barbara")


def test_who_is_given_a_role_after_the_end_is_new(cast: Cast, now: StoppedClock) -> None:
    give(cast, "barbara", MemberRole.VIEWER, until=now() + timedelta(hours=1), by="root")
    ended = now.forward(hours=1)
    membership, is_new = give(cast, "barbara")
    assert is_new
    assert (membership.added_by_id, membership.added_at) == (cast.people["ada"].id, ended)
    assert events(cast.session)[-1].detail["before"] is None


@pytest.mark.parametrize("span", [timedelta(0), timedelta(microseconds=-1), timedelta(days=-999)])
def test_an_end_lies_in_the_future(cast: Cast, now: StoppedClock, span: timedelta) -> None:
    with pytest.raises(Invalid) as refusal:
        give(cast, "barbara", until=now() + span)
    assert [error.field for error in refusal.value.errors] == ["expires_at"]


def test_the_last_owner_is_neither_demoted_nor_given_an_end_nor_removed(
    cast: Cast, now: StoppedClock
) -> None:
    later = now() + timedelta(days=1)

    def each_way(username: str) -> None:
        for by in (username, "root"):
            with pytest.raises(Conflict, match="needs an owner"):
                give(cast, username, MemberRole.MEMBER, by=by)
            with pytest.raises(Conflict, match="needs an owner"):
                give(cast, username, MemberRole.OWNER, until=later, by=by)
            with pytest.raises(Conflict, match="needs an owner"):
                remove(cast, username, by=by)

    each_way("ada")
    give(cast, "grace", MemberRole.OWNER, until=later)
    each_way("ada")
    give(cast, "grace", MemberRole.OWNER)
    give(cast, "ada", MemberRole.OWNER, until=later)
    each_way("grace")


def test_an_owner_stays_owner_when_set_again(cast: Cast) -> None:
    _, is_new = give(cast, "ada", MemberRole.OWNER)
    assert not is_new


def test_nobody_prolongs_their_own_membership(cast: Cast, now: StoppedClock) -> None:
    end = now() + timedelta(days=7)
    give(cast, "grace", MemberRole.OWNER, until=end)
    for longer in (None, end + timedelta(microseconds=1)):
        with pytest.raises(Forbidden, match="ask another owner"):
            give(cast, "grace", MemberRole.OWNER, until=longer, by="grace")
    give(cast, "grace", MemberRole.OWNER, until=end, by="grace")
    give(cast, "grace", MemberRole.OWNER, until=end - timedelta(days=1), by="grace")
    give(cast, "grace", MemberRole.OWNER, by="ada")


def test_an_owner_whose_time_ends_still_changes_others(cast: Cast, now: StoppedClock) -> None:
    give(cast, "grace", MemberRole.OWNER, until=now() + timedelta(days=7))
    give(cast, "alan", MemberRole.MEMBER, by="grace")
    assert cast.actor("alan").role_in(cast.group.id) is MemberRole.MEMBER


def test_an_admin_prolongs_any_membership(cast: Cast, now: StoppedClock) -> None:
    give(cast, "root", MemberRole.OWNER, until=now() + timedelta(days=7))
    membership, _ = give(cast, "root", MemberRole.OWNER, by="root")
    assert membership.expires_at is None


def test_a_removed_member_is_gone_at_once(cast: Cast) -> None:
    remove(cast, "grace")
    assert cast.actor("grace").role_in(cast.group.id) is None
    with pytest.raises(NotFound):
        remove(cast, "grace")
    with pytest.raises(NotFound):
        remove(cast, "barbara")


@pytest.mark.parametrize("then", ["removed", "demoted", "ended"])
def test_who_has_just_lost_the_right_to_act_does_not_act_any_more(
    cast: Cast, now: StoppedClock, then: str
) -> None:
    """On PostgreSQL an owner may wait for the lock that another holds to remove them."""
    give(cast, "grace", MemberRole.OWNER, until=now() + timedelta(days=1))
    grace = cast.actor("grace")
    if then == "removed":
        remove(cast, "grace")
    elif then == "demoted":
        give(cast, "grace", MemberRole.MEMBER)
    else:
        now.forward(days=1)
    form = MemberSettings(role=MemberRole.OWNER)
    for username in ("grace", "alan"):
        with pytest.raises(Forbidden):
            set_member(cast.session, grace, cast.group, username, form)
    with pytest.raises(Forbidden):
        remove_member(cast.session, grace, cast.group, "ada")


def ask(cast: Cast, name: str = "barbara") -> None:
    make.request(cast.session, cast.group, cast.people[name])


def has_asked(cast: Cast, name: str = "barbara") -> bool:
    cast.session.flush()
    return cast.session.get(JoinRequest, (cast.group.id, cast.people[name].id)) is not None


def approve(cast: Cast, form: Approval | None = None, *, by: str = "ada") -> Membership:
    actor = cast.actor(by)
    return approve_request(cast.session, actor, cast.group, "barbara", form or Approval())


def test_who_is_let_in_is_a_member_unless_another_role_is_given(cast: Cast) -> None:
    ask(cast)
    assert approve(cast).role is MemberRole.MEMBER
    assert not has_asked(cast)
    remove(cast, "barbara")
    ask(cast)
    assert approve(cast, Approval(role=MemberRole.VIEWER)).role is MemberRole.VIEWER


def test_who_is_let_in_again_after_the_end_starts_anew(cast: Cast, now: StoppedClock) -> None:
    give(cast, "barbara", MemberRole.OWNER, until=now() + timedelta(days=1))
    now.forward(days=1)
    ask(cast)
    membership = approve(cast)
    assert (membership.role, membership.expires_at) == (MemberRole.MEMBER, None)


def test_owners_decide_requests_and_nobody_else(cast: Cast) -> None:
    ask(cast)
    for by in ("grace", "alan", "barbara"):
        with pytest.raises(Forbidden):
            approve(cast, by=by)
        with pytest.raises(Forbidden):
            decline_request(cast.session, cast.actor(by), cast.group, "barbara")
    assert has_asked(cast)
    decline_request(cast.session, cast.actor("root"), cast.group, "barbara")
    assert not has_asked(cast)
    ask(cast)


def test_a_request_that_nobody_made_is_not_found(cast: Cast) -> None:
    session = cast.session
    for username in ("barbara", "nobody", "\x00"):
        with pytest.raises(NotFound):
            approve_request(session, cast.actor("ada"), cast.group, username, Approval())
        with pytest.raises(NotFound):
            decline_request(session, cast.actor("ada"), cast.group, username)
    with pytest.raises(NotFound):
        withdraw_request(session, cast.actor("barbara"), cast.group, "barbara")


def test_a_request_is_withdrawn_by_who_made_it(cast: Cast) -> None:
    ask(cast)
    with pytest.raises(Forbidden):
        withdraw_request(cast.session, cast.actor("grace"), cast.group, "barbara")
    with pytest.raises(Conflict, match="decline it instead"):
        withdraw_request(cast.session, cast.actor("ada"), cast.group, "barbara")
    with pytest.raises(Unauthenticated):
        withdraw_request(cast.session, cast.actor("guest"), cast.group, "barbara")
    withdraw_request(cast.session, cast.actor("barbara"), cast.group, "barbara")
    assert not has_asked(cast)


def test_who_is_added_has_nothing_left_to_ask_for(cast: Cast) -> None:
    ask(cast)
    give(cast, "barbara")
    assert not has_asked(cast)


def test_the_people_of_a_group_in_the_trash_stay_as_they_are(cast: Cast) -> None:
    cast.group.deleted_at = make.LONG_AGO
    with pytest.raises(Forbidden, match="restore it first"):
        give(cast, "barbara")
    with pytest.raises(Forbidden, match="restore it first"):
        remove(cast, "grace")
    with pytest.raises(NotFound):
        give(cast, "barbara", by="grace")


def test_what_the_hub_says_of_a_person_is_written_down_without_an_event(
    cast: Cast, now: StoppedClock
) -> None:
    person = note_person(cast.session, "new", "New One", is_admin=True)
    assert (person.display_name, person.is_admin, person.created_at) == ("New One", True, now())
    assert events(cast.session) == []
