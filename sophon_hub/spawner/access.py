"""Who may enter labs, told to the Hub: three hub groups and one hub role a research group.

Shares to a group do not work in JupyterHub 6.1 and shares to people do not scale, so the people
of a research group hold one role whose scopes are filtered to the group of the collaboration
accounts. Those who watch hold it too, in a hub group of their own by which the lab tells them
apart. Membership changes act at once. A role can only be made inside the Hub's process, and
only one that is marked as managed by the authenticator outlives a restart. All that is known
about this stays in this module; tests/hub/test_access.py fails when a new JupyterHub changes it.
"""

from typing import Any

from jupyterhub import orm, roles
from sqlalchemy import delete, event

from sophon_hub import names


def role_scopes(group_slug: str) -> list[str]:
    """The scopes of a group's role: enter its labs and see their state, nothing else."""
    accounts = names.accounts_group(group_slug)
    return [f"access:servers!group={accounts}", f"read:servers!group={accounts}"]


def ensure_role(db: Any, group_slug: str) -> None:
    """Make the hub groups and the role of a research group, or put them right again.

    ``db`` is the Hub's own session; call it in the Hub's thread. Doing it twice changes nothing.
    """
    people = _ensure_group(db, names.people_group(group_slug))
    watchers = _ensure_group(db, names.watchers_group(group_slug))
    _ensure_group(db, names.accounts_group(group_slug))
    name = names.hub_role(group_slug)
    scopes = role_scopes(group_slug)
    role = orm.Role.find(db, name)
    if role is None or role.scopes != scopes:
        role = roles.create_role(
            db,
            {
                "name": name,
                "description": f"People of the research group {group_slug} enter its labs",
                "scopes": scopes,
                "managed_by_auth": True,
            },
            commit=False,
        )
    if not role.managed_by_auth:
        role.managed_by_auth = True
    for group in (people, watchers):
        if role not in group.roles:
            roles.grant_role(db, group, rolename=name, managed=True, commit=False)
    db.commit()


VISITOR_SCOPES = [
    "access:servers!user",
    # what a server is told of whoever enters it
    "read:users:name!user",
    "read:users:groups!user",
    # the server itself tells the Hub when something was done in it
    "users:activity!user",
]
"""Entering the own server, and what belongs to that."""


def admit_visitor(db: Any, hub_user: Any) -> None:
    """Give the hub user behind a temporary lab the visitors' role, and no other one.

    With the role that the Hub gives to everybody a visitor could make tokens and servers, and
    look at the portal as somebody who is signed in.
    """
    role = orm.Role.find(db, names.VISITOR_ROLE)
    if role is None or role.scopes != VISITOR_SCOPES:
        role = roles.create_role(
            db,
            {
                "name": names.VISITOR_ROLE,
                "description": "Visitors enter their own temporary lab",
                "scopes": VISITOR_SCOPES,
                "managed_by_auth": True,
            },
            commit=False,
        )
    role.managed_by_auth = True
    for other in [other for other in hub_user.roles if other is not role]:
        roles.strip_role(db, hub_user, other.name)
    if role not in hub_user.roles:
        roles.grant_role(db, hub_user, rolename=role.name, managed=True, commit=False)
    db.commit()


def drop_roles_with_groups() -> None:
    """Have the Hub forget a research group's role in the moment its hub group is removed.

    The worker removes the group through the REST API, which has no way to remove a role.
    """
    if not event.contains(orm.Group, "after_delete", _drop_role):
        event.listen(orm.Group, "after_delete", _drop_role)


def _drop_role(_mapper: Any, connection: Any, group: Any) -> None:
    slug = names.group_of_hub_group(group.name)
    if slug is not None and group.name == names.people_group(slug):
        connection.execute(delete(orm.Role).where(orm.Role.name == names.hub_role(slug)))


def skip_consent(spawner: Any) -> None:
    """Spare members the page that asks whether the lab may know who they are.

    The set is the Hub's own, of the clients that need no confirmation. It lives in memory, so
    this has to be said again after each start of the Hub.
    """
    trusted = spawner.user.settings.get("oauth_no_confirm_list")
    if trusted is not None:
        trusted.add(spawner.oauth_client_id)


def _ensure_group(db: Any, name: str) -> Any:
    group = orm.Group.find(db, name)
    if group is None:
        group = orm.Group(name=name)
        db.add(group)
        db.flush()
    return group
