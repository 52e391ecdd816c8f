"""Who may do what: one table, one function that decides, and the same function explains.

`decide` says yes or no and why; `require` turns a no into the right error: a guest is told to
sign in, somebody who does not even see the object hears that there is nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sophon_hub.errors import Forbidden, NotFound, Unauthenticated
from sophon_hub.models import Dataset, Lab, ResearchGroup, ResearchProject, Visibility
from sophon_hub.policy.actor import Actor, Standing
from sophon_hub.policy.visibility import sees

Subject = ResearchGroup | ResearchProject | Lab | Dataset


class Permission(StrEnum):
    """Everything that can be permitted, as ``noun:verb``; the words of the REST API."""

    GROUP_SEE = "group:see"
    GROUP_EDIT = "group:edit"
    GROUP_PEOPLE = "group:people"
    GROUP_DELETE = "group:delete"
    PROJECT_CREATE = "project:create"
    PROJECT_SEE = "project:see"
    PROJECT_EDIT = "project:edit"
    PROJECT_VISIBILITY = "project:visibility"
    PROJECT_MOVE = "project:move"
    PROJECT_DELETE = "project:delete"
    LAB_CREATE = "lab:create"
    LAB_EDIT = "lab:edit"
    LAB_START = "lab:start"
    LAB_STOP = "lab:stop"
    LAB_OPEN = "lab:open"
    LAB_WATCH = "lab:watch"
    LAB_LOCK = "lab:lock"
    LAB_UNLOCK = "lab:unlock"
    LAB_DELETE = "lab:delete"
    DATASET_CREATE = "dataset:create"
    DATASET_SEE = "dataset:see"
    DATASET_EDIT = "dataset:edit"
    DATASET_VISIBILITY = "dataset:visibility"
    DATASET_DELETE = "dataset:delete"
    EVENTS_SEE = "events:see"


LEAST_STANDING = {
    Permission.GROUP_EDIT: Standing.OWNER,
    Permission.GROUP_PEOPLE: Standing.OWNER,
    Permission.GROUP_DELETE: Standing.OWNER,
    Permission.PROJECT_CREATE: Standing.MEMBER,
    Permission.PROJECT_EDIT: Standing.MEMBER,
    Permission.PROJECT_VISIBILITY: Standing.OWNER,
    Permission.PROJECT_MOVE: Standing.OWNER,
    Permission.PROJECT_DELETE: Standing.OWNER,
    Permission.LAB_CREATE: Standing.MEMBER,
    Permission.LAB_EDIT: Standing.MEMBER,
    Permission.LAB_START: Standing.MEMBER,
    Permission.LAB_STOP: Standing.MEMBER,
    Permission.LAB_OPEN: Standing.MEMBER,
    Permission.LAB_WATCH: Standing.VIEWER,
    Permission.LAB_LOCK: Standing.MEMBER,
    Permission.LAB_UNLOCK: Standing.OWNER,
    Permission.LAB_DELETE: Standing.OWNER,
    Permission.DATASET_CREATE: Standing.MEMBER,
    Permission.DATASET_EDIT: Standing.MEMBER,
    Permission.DATASET_VISIBILITY: Standing.OWNER,
    Permission.DATASET_DELETE: Standing.OWNER,
    Permission.EVENTS_SEE: Standing.MEMBER,
}
"""The least standing in the research group for everything but seeing (DESIGN, section 6)."""

SEEING = frozenset({Permission.GROUP_SEE, Permission.PROJECT_SEE, Permission.DATASET_SEE})
IN_TRASH = frozenset(
    {
        Permission.GROUP_DELETE,
        Permission.PROJECT_DELETE,
        Permission.LAB_DELETE,
        Permission.DATASET_DELETE,
        Permission.EVENTS_SEE,
    }
)
"""What may be done to something in the trash: restore or remove it, and read what happened."""

TRASH_RULE = "nothing can be done to what is in the trash but restore it"
PURGE_RULE = "what is being removed for good cannot come back"
LOCK_RULE = "in a locked lab nobody edits but who locked it"

GROUP_PERMISSIONS: tuple[Permission, ...] = (
    Permission.GROUP_SEE,
    Permission.GROUP_EDIT,
    Permission.GROUP_PEOPLE,
    Permission.GROUP_DELETE,
    Permission.PROJECT_CREATE,
    Permission.DATASET_CREATE,
    Permission.EVENTS_SEE,
)
PROJECT_PERMISSIONS: tuple[Permission, ...] = (
    Permission.PROJECT_SEE,
    Permission.PROJECT_EDIT,
    Permission.PROJECT_VISIBILITY,
    Permission.PROJECT_MOVE,
    Permission.PROJECT_DELETE,
    Permission.LAB_CREATE,
    Permission.EVENTS_SEE,
)
LAB_PERMISSIONS: tuple[Permission, ...] = tuple(
    permission
    for permission in Permission
    if permission.startswith("lab:") and permission is not Permission.LAB_CREATE
)
DATASET_PERMISSIONS: tuple[Permission, ...] = tuple(
    permission
    for permission in Permission
    if permission.startswith("dataset:") and permission is not Permission.DATASET_CREATE
)


@dataclass(frozen=True)
class Decision:
    """Whether something is allowed, by which rule, from which source, until when."""

    allowed: bool
    rule: str
    source: str
    until: datetime | None = None


def _group_id(subject: Subject) -> int | None:
    if isinstance(subject, ResearchGroup):
        return subject.id
    if isinstance(subject, Lab):
        return subject.project.group_id
    return subject.group_id


def _about(permission: Permission, subject: Subject) -> Subject:
    """What the permission is about: the subject, or the project or group that holds it."""
    of_group = permission in GROUP_PERMISSIONS and permission is not Permission.EVENTS_SEE
    of_lab = permission in LAB_PERMISSIONS
    if isinstance(subject, Lab) and not of_lab:
        subject = subject.project
    if isinstance(subject, ResearchProject) and of_group:
        return subject.group
    return subject


def _is_deleted(subject: Subject) -> bool:
    if subject.deleted_at is not None:
        return True
    return isinstance(subject, Lab) and subject.project.deleted_at is not None


def _visibility(subject: Subject) -> Visibility:
    """Of a group or project itself; a lab is as visible as its project."""
    return subject.project.visibility if isinstance(subject, Lab) else subject.visibility


def is_visible(actor: Actor, subject: Subject) -> bool:
    """Whether the actor sees this object, in the trash or not."""
    return sees(actor, _visibility(subject), _group_id(subject), deleted=_is_deleted(subject))


def _source(actor: Actor, group_id: int | None) -> tuple[str, datetime | None]:
    if actor.is_admin:
        return "admin", None
    membership = None if group_id is None else actor.memberships.get(group_id)
    if membership:
        return f"membership:{membership.role}", membership.expires_at
    return ("guest" if actor.is_guest else "signed-in"), None


def decide(actor: Actor, permission: Permission, subject: Subject) -> Decision:
    """Say whether the actor may, and why.

    A permission that is about the project or group of the subject is looked up there.
    """
    subject = _about(permission, subject)
    group_id = _group_id(subject)
    standing = actor.standing_in(group_id)
    source, until = _source(actor, group_id)
    if permission in SEEING:
        visibility = _visibility(subject)
        allowed = is_visible(actor, subject)
        public_source = standing < Standing.VIEWER and allowed
        return Decision(
            allowed,
            rule=f"visibility {visibility}" + (", in the trash" if _is_deleted(subject) else ""),
            source=f"visibility:{visibility}" if public_source else source,
            until=None if public_source else until,
        )
    least = LEAST_STANDING[permission]
    if _is_deleted(subject):
        if permission not in IN_TRASH:
            return Decision(False, TRASH_RULE, "trash")
        if subject.purge_started_at is not None and permission is not Permission.EVENTS_SEE:
            return Decision(False, PURGE_RULE, "trash")
        least = max(least, Standing.OWNER)
    if permission is Permission.LAB_UNLOCK and _locked_by(subject, actor):
        return Decision(True, "whoever locked a lab may unlock it", "lock", until)
    if permission is Permission.LAB_OPEN and standing >= least and _is_locked_for(subject, actor):
        return Decision(False, LOCK_RULE, "lock")
    return Decision(standing >= least, f"at least {least.name.lower()} of the group", source, until)


def _is_locked_for(subject: Subject, actor: Actor) -> bool:
    """Whether somebody else has locked this lab; the people of its group may still watch."""
    return (
        isinstance(subject, Lab)
        and subject.locked_by_id is not None
        and subject.locked_by_id != actor.person_id
    )


def _locked_by(subject: Subject, actor: Actor) -> bool:
    return (
        isinstance(subject, Lab)
        and subject.locked_by_id is not None
        and subject.locked_by_id == actor.person_id
        and actor.standing_in(_group_id(subject)) >= Standing.MEMBER
    )


def may(actor: Actor, permission: Permission, subject: Subject) -> bool:
    """Whether the actor may."""
    return decide(actor, permission, subject).allowed


def permitted(actor: Actor, subject: Subject) -> list[str]:
    """Everything the actor may do to this object: the ``can`` of the REST API."""
    if isinstance(subject, ResearchGroup):
        candidates = GROUP_PERMISSIONS
    elif isinstance(subject, ResearchProject):
        candidates = PROJECT_PERMISSIONS
    elif isinstance(subject, Dataset):
        candidates = DATASET_PERMISSIONS
    else:
        candidates = LAB_PERMISSIONS
    return [str(permission) for permission in candidates if may(actor, permission, subject)]


def require(actor: Actor, permission: Permission, subject: Subject) -> None:
    """Pass when the actor may; else raise what the actor is to be told."""
    decision = decide(actor, permission, subject)
    if decision.allowed:
        return
    if not is_visible(actor, subject):
        raise NotFound
    if actor.is_guest and not actor.is_admin:  # a shell on the machine has no account either
        raise Unauthenticated
    raise Forbidden(_refusal(permission, decision), permission=permission, subject=subject)


def _refusal(permission: Permission, decision: Decision) -> str:
    said = {
        TRASH_RULE: "This is in the trash; restore it first.",
        PURGE_RULE: "This is being removed for good and cannot come back.",
        LOCK_RULE: "Somebody has locked this lab; you can watch.",
    }
    usual = f"You may not do this ({permission}): it takes {decision.rule}."
    return said.get(decision.rule, usual)


def require_person(actor: Actor) -> int:
    """The number of the person who acts; guests are asked to sign in."""
    if actor.person_id is None:
        raise Unauthenticated
    return actor.person_id
