"""Memberships that follow what the sign-on system says about a person's groups."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from sophon_hub.actions.claims import Applied, apply_claims
from sophon_hub.actions.forms import MemberSettings
from sophon_hub.actions.groups import leave_group
from sophon_hub.actions.members import remove_member, set_member
from sophon_hub.errors import Conflict
from sophon_hub.models import MemberRole, Membership, MembershipSource, Person, ResearchGroup
from sophon_hub.policy.actor import Actor
from tests import make
from tests.cast import Cast
from tests.conftest import StoppedClock
from tests.database import actions, contents, events, jobs

SYSTEM = Actor(via="system")
SIGN_ON = MembershipSource.SIGN_ON
PERSON = MembershipSource.PERSON


@pytest.fixture(autouse=True)
def now(stopped_clock: StoppedClock) -> StoppedClock:
    return stopped_clock


@pytest.fixture
def waves(cast: Cast) -> ResearchGroup:
    """A second group, of which Ada is the owner."""
    waves = make.group(cast.session, "waves")
    make.membership(cast.session, waves, cast.people["ada"], MemberRole.OWNER)
    return waves


def claim(cast: Cast, username: str, **groups: str) -> Applied:
    """Somebody signs in, and these are the research groups and roles claimed."""
    person = cast.people[username]
    person.sign_on_groups = dict(groups)
    return apply_claims(cast.session, SYSTEM, person.id)


def membership(
    session: Session, group: ResearchGroup, person: Person
) -> tuple[str, MembershipSource] | None:
    session.flush()
    row = session.get(Membership, (group.id, person.id))
    return (str(row.role), row.source) if row else None


def standing(cast: Cast, username: str) -> tuple[str, MembershipSource] | None:
    return membership(cast.session, cast.group, cast.people[username])


@pytest.mark.parametrize("role", MemberRole)
def test_a_claim_becomes_a_membership_with_its_role(cast: Cast, role: MemberRole) -> None:
    assert claim(cast, "barbara", optics=role) == Applied((), ())
    assert standing(cast, "barbara") == (role, SIGN_ON)
    assert cast.actor("barbara").role_in(cast.group.id) is role
    [event] = events(cast.session)
    assert (event.action, event.subject, event.actor, event.via) == (
        "member:add",
        "optics",
        None,
        "system",
    )
    assert event.group_id == cast.group.id
    assert event.detail == {
        "username": "barbara",
        "source": "sign-on",
        "before": None,
        "after": {"role": role},
    }
    assert jobs(cast.session) == [("sync_group", f"group:{cast.group.id}")]


def test_the_same_claim_again_changes_nothing(cast: Cast) -> None:
    claim(cast, "barbara", optics="member")
    before = contents(cast.session)
    assert claim(cast, "barbara", optics="member") == Applied((), ())
    assert contents(cast.session) == before


def test_a_lost_claim_ends_the_membership_it_gave(cast: Cast, waves: ResearchGroup) -> None:
    claim(cast, "barbara", optics="member", waves="viewer")
    claim(cast, "barbara", waves="viewer")
    assert standing(cast, "barbara") is None
    assert membership(cast.session, waves, cast.people["barbara"]) == ("viewer", SIGN_ON)
    assert actions(cast.session) == ["member:add", "member:add", "member:remove"]
    assert events(cast.session)[-1].detail["before"] == {"role": "member"}


def test_the_role_follows_the_claim(cast: Cast) -> None:
    for role in ("member", "owner", "viewer"):
        claim(cast, "barbara", optics=role)
        assert standing(cast, "barbara") == (role, SIGN_ON)
    assert actions(cast.session) == ["member:add", "member:change", "member:change"]
    last = events(cast.session)[-1].detail
    assert (last["before"], last["after"]) == ({"role": "owner"}, {"role": "viewer"})


@pytest.mark.parametrize("claimed", [{}, {"optics": "viewer"}, {"optics": "owner"}])
@pytest.mark.parametrize("username", ["alan", "grace", "ada"])
def test_memberships_that_people_gave_are_never_touched(
    cast: Cast, username: str, claimed: dict[str, str]
) -> None:
    before = standing(cast, username)
    assert before
    claim(cast, username, **claimed)
    assert standing(cast, username) == before
    assert before[1] is PERSON
    assert actions(cast.session) == []


def test_what_an_owner_decides_afterwards_is_the_owners_decision(cast: Cast) -> None:
    claim(cast, "barbara", optics="member")
    for role in (MemberRole.VIEWER, MemberRole.VIEWER):
        set_member(
            cast.session, cast.actor("ada"), cast.group, "barbara", MemberSettings(role=role)
        )
        assert standing(cast, "barbara") == ("viewer", PERSON)
    for claimed in ({"optics": "owner"}, {}):
        claim(cast, "barbara", **claimed)
        assert standing(cast, "barbara") == ("viewer", PERSON)
    remove_member(cast.session, cast.actor("ada"), cast.group, "barbara")
    assert standing(cast, "barbara") is None
    claim(cast, "barbara", optics="owner")
    assert standing(cast, "barbara") == ("owner", SIGN_ON)


def test_an_ended_membership_is_none_and_a_claim_begins_a_new_one(
    cast: Cast, now: StoppedClock
) -> None:
    end = now() + timedelta(days=1)
    form = MemberSettings(role=MemberRole.VIEWER, expires_at=end)
    set_member(cast.session, cast.actor("ada"), cast.group, "barbara", form)
    claim(cast, "barbara", optics="member")
    assert standing(cast, "barbara") == ("viewer", PERSON)
    now.forward(days=2)
    claim(cast, "barbara")
    assert standing(cast, "barbara") == ("viewer", PERSON)
    claim(cast, "barbara", optics="member")
    assert standing(cast, "barbara") == ("member", SIGN_ON)
    row = cast.session.get(Membership, (cast.group.id, cast.people["barbara"].id))
    assert row
    assert (row.expires_at, row.added_at, row.added_by_id) == (None, now(), None)


def test_what_has_ended_needs_no_end(cast: Cast, waves: ResearchGroup) -> None:
    barbara = cast.people["barbara"]
    make.membership(cast.session, waves, barbara, source=SIGN_ON, expires_at=make.LONG_AGO)
    assert claim(cast, "barbara") == Applied((), ())
    assert actions(cast.session) == []


@pytest.mark.parametrize("claimed", [{}, {"waves": "member"}])
def test_the_last_owner_stays_and_is_told_about_once(
    cast: Cast, waves: ResearchGroup, claimed: dict[str, str]
) -> None:
    claim(cast, "barbara", waves="owner")
    ada = cast.people["ada"]
    row = cast.session.get(Membership, (waves.id, ada.id))
    assert row
    cast.session.delete(row)
    barbara = cast.people["barbara"]
    assert claim(cast, "barbara", **claimed) == Applied((), ("waves",))
    assert membership(cast.session, waves, barbara) == ("owner", PERSON)
    assert claim(cast, "barbara", **claimed) == Applied((), ())
    assert actions(cast.session) == ["member:add", "member:keep"]
    assert events(cast.session)[-1].detail == {
        "username": "barbara",
        "source": "sign-on",
        "before": {"role": "owner"},
    }


@pytest.mark.parametrize("claimed", [{}, {"waves": "member"}])
def test_an_owner_who_is_not_the_last_goes_or_is_lowered(
    cast: Cast, waves: ResearchGroup, claimed: dict[str, str]
) -> None:
    claim(cast, "barbara", waves="owner")
    assert claim(cast, "barbara", **claimed) == Applied((), ())
    expected = ("member", SIGN_ON) if claimed else None
    assert membership(cast.session, waves, cast.people["barbara"]) == expected


def test_groups_that_do_not_exist_or_are_in_the_trash_are_named_and_left_alone(
    cast: Cast, waves: ResearchGroup, now: StoppedClock
) -> None:
    claim(cast, "barbara", waves="member")
    waves.deleted_at = now()
    applied = claim(cast, "barbara", nowhere="owner", waves="owner", optics="viewer")
    assert applied == Applied(("nowhere", "waves"), ())
    barbara = cast.people["barbara"]
    assert membership(cast.session, waves, barbara) == ("member", SIGN_ON)
    assert standing(cast, "barbara") == ("viewer", SIGN_ON)
    assert claim(cast, "barbara") == Applied((), ())
    assert membership(cast.session, waves, barbara) == ("member", SIGN_ON)
    waves.deleted_at = None
    claim(cast, "barbara")
    assert membership(cast.session, waves, barbara) is None


def test_whoever_gets_in_has_nothing_left_to_ask_for(cast: Cast) -> None:
    make.request(cast.session, cast.group, cast.people["barbara"])
    claim(cast, "barbara", optics="member")
    assert contents(cast.session)["join_requests"] == []


def test_one_persons_claims_are_no_one_elses(cast: Cast) -> None:
    claim(cast, "barbara", optics="member")
    claim(cast, "root")
    assert standing(cast, "barbara") == ("member", SIGN_ON)


def test_owners_hear_why_a_membership_of_the_sign_on_cannot_be_removed(cast: Cast) -> None:
    claim(cast, "barbara", optics="member")
    for by in ("ada", "root"):
        with pytest.raises(Conflict, match="back at the next sign-in"):
            remove_member(cast.session, cast.actor(by), cast.group, "barbara")
    with pytest.raises(Conflict, match="back at your next sign-in"):
        leave_group(cast.session, cast.actor("barbara"), cast.group)
    assert standing(cast, "barbara") == ("member", SIGN_ON)
    assert actions(cast.session) == ["member:add"]
    remove_member(cast.session, cast.actor("ada"), cast.group, "grace")
    leave_group(cast.session, cast.actor("alan"), cast.group)
