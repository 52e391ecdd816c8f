"""What the hub lets somebody do in this lab, read off the groups that they are in.

In the lab of a project people edit who are in the group of its research group's members, and
whoever is let in otherwise watches. While the lab is locked, its account and who has locked it
are in a group of the lab, and all others watch. `sophon_hub.names` gives these groups their names.
"""

import re
from enum import StrEnum
from typing import Any

ACCOUNT = "project-"
"""What the names of collaboration accounts begin with."""


class Rights(StrEnum):
    """What somebody may do in the lab."""

    EDIT = "edit"
    WATCH = "watch"
    NONE = "none"


def rights_of(visitor: dict[str, Any], owner: dict[str, Any] | None, server: str) -> Rights:
    """What a visitor may do; both are the hub's models of users, ``owner`` the lab's account.

    The visitor has been let in by the hub. Administrators edit everywhere, and so do other
    services that the site lets in, but not in a lab that somebody else has locked. ``server`` is
    the name of the lab at the hub.
    """
    if owner is None:  # the hub has just forgotten the lab
        return Rights.NONE
    if visitor["name"] == owner["name"]:
        return Rights.EDIT
    if _lock(owner, server) in set(owner.get("groups", ())) - set(visitor.get("groups", ())):
        return Rights.WATCH
    may_edit = visitor.get("admin") or visitor["kind"] == "service" or _is_member(visitor, owner)
    return Rights.EDIT if may_edit else Rights.WATCH


def _is_member(visitor: dict[str, Any], owner: dict[str, Any]) -> bool:
    if not owner["name"].startswith(ACCOUNT):
        return True  # somebody's own lab, who has let others in
    group, groups = _research_group(owner), set(visitor.get("groups", ()))
    people, watchers = f"sophon-{group}-people", f"sophon-{group}-watchers"
    return group is not None and people in groups and watchers not in groups


def _lock(owner: dict[str, Any], server: str) -> str:
    return f"sophon-{owner['name'].removeprefix(ACCOUNT)}--{server}-locked"


def _research_group(owner: dict[str, Any]) -> str | None:
    for name in owner.get("groups", ()):
        found = re.fullmatch(r"sophon-(.+)-labs", name)
        if found:
            return found[1]
    return None
