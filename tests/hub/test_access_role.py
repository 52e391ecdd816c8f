"""The role of a research group, in the Hub's own database."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm, roles

from sophon_hub import names
from sophon_hub.spawner.access import (
    VISITOR_SCOPES,
    admit_visitor,
    drop_roles_with_groups,
    ensure_role,
    skip_consent,
)


@pytest.fixture
def db() -> Iterator[Any]:
    make_session = orm.new_session_factory("sqlite:///:memory:")
    session = make_session()
    yield session
    session.close()
    session.get_bind().dispose()


def entering(role: Any) -> set[str]:
    """The hub groups whose people have the role."""
    return {group.name for group in role.groups}


def test_the_role_has_exactly_two_scopes_and_belongs_to_those_who_edit_and_watch(db: Any) -> None:
    ensure_role(db, "optics")

    role = orm.Role.find(db, names.hub_role("optics"))
    assert set(role.scopes) == {
        "access:servers!group=sophon-optics-labs",
        "read:servers!group=sophon-optics-labs",
    }
    assert role.managed_by_auth is True
    assert entering(role) == {"sophon-optics-people", "sophon-optics-watchers"}
    assert role.users == role.services == []
    assert orm.Group.find(db, "sophon-optics-labs").roles == []


def test_doing_it_again_changes_nothing(db: Any) -> None:
    ensure_role(db, "optics")
    before = [(role.id, role.name, role.scopes) for role in db.query(orm.Role)]

    ensure_role(db, "optics")

    assert [(role.id, role.name, role.scopes) for role in db.query(orm.Role)] == before
    assert db.query(orm.Group).count() == 3


def test_a_role_that_was_changed_is_put_right(db: Any) -> None:
    ensure_role(db, "optics")
    wide = {"name": names.hub_role("optics"), "scopes": ["admin:servers", "access:servers"]}
    role = roles.create_role(db, wide)
    role.managed_by_auth = False
    people = orm.Group.find(db, "sophon-optics-people")
    roles.strip_role(db, people, rolename=role.name)

    ensure_role(db, "optics")

    assert set(role.scopes) == {
        "access:servers!group=sophon-optics-labs",
        "read:servers!group=sophon-optics-labs",
    }
    assert role.managed_by_auth is True
    assert entering(role) == {"sophon-optics-people", "sophon-optics-watchers"}


def test_two_groups_stay_apart(db: Any) -> None:
    ensure_role(db, "optics")
    ensure_role(db, "acoustics")

    for slug, other in (("optics", "acoustics"), ("acoustics", "optics")):
        role = orm.Role.find(db, names.hub_role(slug))
        assert not any(other in scope for scope in role.scopes)
        assert entering(role) == {f"sophon-{slug}-people", f"sophon-{slug}-watchers"}


def test_people_already_in_the_group_stay_in_it(db: Any) -> None:
    group = orm.Group(name="sophon-optics-people", users=[orm.User(name="ada")])
    db.add(group)
    db.commit()

    ensure_role(db, "optics")

    assert [user.name for user in orm.Group.find(db, "sophon-optics-people").users] == ["ada"]


def test_the_role_goes_with_the_group_of_people_and_others_stay(db: Any) -> None:
    drop_roles_with_groups()
    drop_roles_with_groups()
    ensure_role(db, "optics")
    ensure_role(db, "acoustics")
    for name in ("sophon-optics-labs", "sophon-optics-watchers", "sophon-optics-people"):
        assert orm.Role.find(db, names.hub_role("optics")) is not None
        db.delete(orm.Group.find(db, name))
        db.commit()
    assert [role.name for role in db.query(orm.Role)] == [names.hub_role("acoustics")]
    ensure_role(db, "optics")
    role = orm.Role.find(db, names.hub_role("optics"))
    assert entering(role) == {"sophon-optics-people", "sophon-optics-watchers"}


def test_only_the_lab_itself_is_spared_the_consent_page() -> None:
    trusted = {"service-portal"}
    user = SimpleNamespace(settings={"oauth_no_confirm_list": trusted})

    skip_consent(SimpleNamespace(user=user, oauth_client_id="jupyterhub-user-project-x-lab"))

    assert trusted == {"service-portal", "jupyterhub-user-project-x-lab"}


@pytest.fixture
def visitor(db: Any) -> Any:
    """A hub user as the Hub makes it, with the role of everybody."""
    roles.create_role(db, {"name": "user", "scopes": ["self"]})
    user = orm.User(name=names.new_temporary())
    db.add(user)
    db.commit()
    roles.grant_role(db, user, rolename="user")
    return user


def test_a_visitor_has_the_visitors_role_and_no_other(db: Any, visitor: Any) -> None:
    admit_visitor(db, visitor)

    (role,) = visitor.roles
    assert (role.name, role.managed_by_auth) == (names.VISITOR_ROLE, True)
    assert set(role.scopes) == set(VISITOR_SCOPES)
    assert not [scope for scope in role.scopes if not scope.endswith("!user")]


def test_a_visitor_who_got_the_role_of_everybody_back_loses_it_again(db: Any, visitor: Any) -> None:
    admit_visitor(db, visitor)
    roles.grant_role(db, visitor, rolename="user")
    wide = roles.create_role(db, {"name": names.VISITOR_ROLE, "scopes": ["admin:servers"]})

    admit_visitor(db, visitor)

    assert [role.name for role in visitor.roles] == [names.VISITOR_ROLE]
    assert set(wide.scopes) == set(VISITOR_SCOPES)
