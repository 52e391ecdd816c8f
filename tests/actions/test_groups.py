"""Creating, editing, joining and leaving research groups."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from sophon_hub import clock
from sophon_hub.actions.forms import GroupChanges, JoinMessage, MemberSettings, NewGroup
from sophon_hub.actions.groups import (
    create_group,
    create_group_for,
    edit_group,
    join_group,
    leave_group,
)
from sophon_hub.actions.members import set_member
from sophon_hub.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from sophon_hub.models import AccessMode, JoinRequest, MemberRole, Membership, Visibility
from sophon_hub.policy.actor import Actor
from tests import make
from tests.cast import STANDINGS, Cast
from tests.conftest import StoppedClock
from tests.database import actions, events, jobs

everybody_signed_in = pytest.mark.parametrize(
    "name", [name for name in STANDINGS if name != "guest"]
)


def join(cast: Cast, name: str, message: str = "") -> Membership | JoinRequest:
    return join_group(cast.session, cast.actor(name), cast.group, JoinMessage(message=message))


def leave(cast: Cast, name: str) -> None:
    leave_group(cast.session, cast.actor(name), cast.group)


def own(cast: Cast, name: str, *, role: str = "owner", days: int | None = None) -> None:
    """Make somebody an owner, perhaps for some days only."""
    end = clock.utcnow() + timedelta(days=days) if days else None
    set_member(
        cast.session,
        cast.actor("root"),
        cast.group,
        name,
        MemberSettings(role=role, expires_at=end),
    )


@everybody_signed_in
def test_whoever_is_signed_in_creates_groups_and_owns_them(cast: Cast, name: str) -> None:
    group = create_group(cast.session, cast.actor(name), NewGroup(name="Quantum Waves"))
    assert (group.slug, group.name, group.description) == ("quantum-waves", "Quantum Waves", "")
    assert (group.visibility, group.access) == (Visibility.PUBLIC, AccessMode.MANUAL)
    owner = cast.session.get(Membership, (group.id, cast.people[name].id))
    assert owner
    assert (owner.role, owner.expires_at, owner.added_by_id) == (
        MemberRole.OWNER,
        None,
        cast.people[name].id,
    )


def test_a_guest_who_creates_a_group_is_asked_to_sign_in(cast: Cast) -> None:
    with pytest.raises(Unauthenticated):
        create_group(cast.session, Actor(), NewGroup(name="Waves"))


def test_administrators_create_groups_that_others_own(cast: Cast) -> None:
    form = NewGroup(name="Lasers", visibility=Visibility.PRIVATE)
    root = cast.actor("root")
    group = create_group_for(cast.session, root, form, "barbara")
    [membership] = cast.session.scalars(
        select(Membership).where(Membership.group_id == group.id)
    ).all()
    barbara = cast.people["barbara"]
    assert (membership.person_id, membership.role) == (barbara.id, MemberRole.OWNER)
    assert membership.added_by_id == root.person_id
    assert group.visibility is Visibility.PRIVATE
    with pytest.raises(Invalid, match="no account “nobody”"):
        create_group_for(cast.session, root, form, "nobody")
    with pytest.raises(Forbidden, match="Only administrators"):
        create_group_for(cast.session, cast.actor("ada"), form, "barbara")
    with pytest.raises(Unauthenticated):
        create_group_for(cast.session, cast.actor("guest"), form, "barbara")


def test_a_group_is_created_as_the_form_says(cast: Cast) -> None:
    form = NewGroup.read(
        {
            "name": "W",
            "slug": "waves",
            "description": "# Sea",
            "visibility": "private",
            "access": "request",
        }
    )
    group = create_group(cast.session, cast.actor("barbara"), form)
    assert (group.slug, group.description) == ("waves", "# Sea")
    assert (group.visibility, group.access) == (Visibility.PRIVATE, AccessMode.REQUEST)
    [event] = events(cast.session)
    assert event.detail == {"name": "W", "visibility": "private", "access": "request"}


@pytest.mark.parametrize(("name", "may"), [("ada", True), ("root", True), ("grace", False)])
def test_owners_and_admins_edit_a_group(cast: Cast, name: str, may: bool) -> None:
    form = GroupChanges.read({"name": "Light", "description": "new", "access": "manual"})
    if may:
        group = edit_group(cast.session, cast.actor(name), cast.group, form)
        assert (group.name, group.description, group.access) == ("Light", "new", AccessMode.MANUAL)
        assert group.visibility is Visibility.PUBLIC
        [event] = events(cast.session)
        assert event.detail["before"] == {"name": "Optics", "description": "", "access": "open"}
        assert event.detail["after"] == {"name": "Light", "description": "new", "access": "manual"}
    else:
        with pytest.raises(Forbidden, match="group:edit"):
            edit_group(cast.session, cast.actor(name), cast.group, form)
        assert cast.group.name == "Optics"


@pytest.mark.parametrize(
    ("visibility", "offending"),
    [
        (Visibility.PUBLIC, []),
        (Visibility.INTERNAL, ["a-public", "z-trashed"]),
        (Visibility.PRIVATE, ["a-public", "b-internal", "z-trashed"]),
    ],
)
def test_a_group_is_not_lowered_below_its_projects_not_even_below_those_in_the_trash(
    cast: Cast, visibility: Visibility, offending: list[str]
) -> None:
    session, ada = cast.session, cast.actor("ada")
    make.project(
        session, cast.group, "z-trashed", visibility=Visibility.PUBLIC, deleted_at=make.LONG_AGO
    )
    make.project(session, cast.group, "b-internal", visibility=Visibility.INTERNAL)
    make.project(session, cast.group, "a-public", visibility=Visibility.PUBLIC)
    make.project(session, cast.group, "c-private", visibility=Visibility.PRIVATE)
    form = GroupChanges.read({"visibility": visibility})
    if not offending:
        assert edit_group(session, ada, cast.group, form).visibility is visibility
        return
    with pytest.raises(Conflict, match=", ".join(offending)) as refusal:
        edit_group(session, ada, cast.group, form)
    assert refusal.value.extra == {"projects": offending}
    assert cast.group.visibility is Visibility.PUBLIC


def test_a_group_is_raised_without_raising_its_projects(cast: Cast) -> None:
    cast.group.visibility = Visibility.PRIVATE
    project = make.project(cast.session, cast.group)
    edit_group(
        cast.session, cast.actor("ada"), cast.group, GroupChanges(visibility=Visibility.PUBLIC)
    )
    assert (cast.group.visibility, project.visibility) == (Visibility.PUBLIC, Visibility.PRIVATE)


def test_who_joins_an_open_group_is_a_member_at_once(cast: Cast) -> None:
    joined = join(cast, "barbara")
    assert isinstance(joined, Membership)
    assert (joined.role, joined.expires_at) == (MemberRole.MEMBER, None)
    assert cast.actor("barbara").role_in(cast.group.id) is MemberRole.MEMBER


def test_who_joins_a_group_with_requests_has_asked(cast: Cast) -> None:
    cast.group.access = AccessMode.REQUEST
    asked = join(cast, "barbara", "I work on lenses")
    assert isinstance(asked, JoinRequest)
    assert asked.message == "I work on lenses"
    assert cast.actor("barbara").role_in(cast.group.id) is None
    with pytest.raises(Conflict, match="asked already"):
        join(cast, "barbara")
    assert actions(cast.session) == ["group:ask"]


def test_nobody_joins_a_group_whose_owners_add_people(cast: Cast) -> None:
    cast.group.access = AccessMode.MANUAL
    with pytest.raises(Forbidden, match="Owners add people"):
        join(cast, "barbara")


@pytest.mark.parametrize("access", AccessMode)
@pytest.mark.parametrize("name", ["alan", "grace", "ada"])
def test_who_belongs_to_a_group_does_not_join_it_again(
    cast: Cast, name: str, access: AccessMode
) -> None:
    cast.group.access = access
    with pytest.raises(Conflict, match="already"):
        join(cast, name)


@pytest.mark.parametrize("access", AccessMode)
def test_nobody_joins_a_group_they_do_not_see(cast: Cast, access: AccessMode) -> None:
    cast.group.visibility = Visibility.PRIVATE
    cast.group.access = access
    for name in ("barbara", "guest"):
        with pytest.raises(NotFound):
            join(cast, name)


@pytest.mark.parametrize("access", AccessMode)
def test_a_guest_who_joins_or_leaves_is_asked_to_sign_in(cast: Cast, access: AccessMode) -> None:
    cast.group.access = access
    with pytest.raises(Unauthenticated):
        join(cast, "guest")
    with pytest.raises(Unauthenticated):
        leave(cast, "guest")


def test_nobody_joins_a_group_in_the_trash(cast: Cast) -> None:
    cast.group.deleted_at = make.LONG_AGO
    with pytest.raises(NotFound):
        join(cast, "barbara")
    with pytest.raises(Conflict, match="trash"):
        join(cast, "root")


@pytest.mark.parametrize("access", [AccessMode.OPEN, AccessMode.REQUEST])
def test_whose_membership_has_ended_may_join_as_if_there_had_never_been_one(
    cast: Cast, stopped_clock: StoppedClock, access: AccessMode
) -> None:
    own(cast, "barbara", days=1)
    cast.group.access = access
    stopped_clock.forward(days=1)
    joined = join(cast, "barbara")
    if access is AccessMode.OPEN:
        assert isinstance(joined, Membership)
        assert (joined.role, joined.expires_at) == (MemberRole.MEMBER, None)
    else:
        assert isinstance(joined, JoinRequest)


def test_who_joins_has_nothing_left_to_ask_for(cast: Cast) -> None:
    make.request(cast.session, cast.group, cast.people["barbara"])
    join(cast, "barbara")
    assert cast.session.get(JoinRequest, (cast.group.id, cast.people["barbara"].id)) is None


@pytest.mark.parametrize("name", ["alan", "grace"])
def test_viewers_and_members_leave_when_they_like(cast: Cast, name: str) -> None:
    leave(cast, name)
    assert cast.actor(name).role_in(cast.group.id) is None
    assert jobs(cast.session) == [("sync_group", f"group:{cast.group.id}")]


def test_who_does_not_belong_cannot_leave(cast: Cast) -> None:
    for name in ("barbara", "root"):
        with pytest.raises(Conflict, match="do not belong"):
            leave(cast, name)
    cast.group.visibility = Visibility.PRIVATE
    with pytest.raises(NotFound):
        leave(cast, "barbara")


def test_whose_membership_has_ended_cannot_leave(cast: Cast, stopped_clock: StoppedClock) -> None:
    own(cast, "barbara", days=1)
    stopped_clock.forward(days=1)
    with pytest.raises(Conflict, match="do not belong"):
        leave(cast, "barbara")


def test_the_last_owner_stays_until_there_is_another(cast: Cast) -> None:
    with pytest.raises(Conflict, match="needs an owner"):
        leave(cast, "ada")
    own(cast, "grace")
    leave(cast, "ada")
    with pytest.raises(Conflict, match="needs an owner"):
        leave(cast, "grace")


def test_an_owner_whose_time_ends_does_not_count_as_the_one_who_stays(
    cast: Cast, stopped_clock: StoppedClock
) -> None:
    own(cast, "grace", days=30)
    with pytest.raises(Conflict, match="without an end date"):
        leave(cast, "ada")
    leave(cast, "grace")
    assert cast.actor("grace").role_in(cast.group.id) is None
