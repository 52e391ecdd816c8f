"""What the hub lets somebody do in this lab, read off the groups that they are in.

In the lab of a project people edit who are in the group of its research group's members, and
whoever is let in otherwise watches. `sophon_hub.names` gives these groups their names.
"""

import re
from enum import StrEnum
from typing import Any


class Rights(StrEnum):
    """What somebody may do in the lab."""

    EDIT = "edit"
    WATCH = "watch"
    NONE = "none"


def rights_of(visitor: dict[str, Any], owner: dict[str, Any] | None) -> Rights:
    """What a visitor may do; both are the hub's models of users, ``owner`` the lab's account.

    The visitor has been let in by the hub. Administrators edit everywhere, and so do other
    services that the site lets in.
    """
    if owner is None:  # the hub has just forgotten the lab
        return Rights.NONE
    if visitor["name"] == owner["name"] or visitor.get("admin") or visitor["kind"] == "service":
        return Rights.EDIT
    if not owner["name"].startswith("project-"):
        return Rights.EDIT  # somebody's own lab, who has let others in
    group, groups = _research_group(owner), set(visitor.get("groups", ()))
    if group is None:
        return Rights.WATCH
    if f"sophon-{group}-people" in groups and f"sophon-{group}-watchers" not in groups:
        return Rights.EDIT
    return Rights.WATCH


def _research_group(owner: dict[str, Any]) -> str | None:
    for name in owner.get("groups", ()):
        found = re.fullmatch(r"sophon-(.+)-labs", name)
        if found:
            return found[1]
    return None
