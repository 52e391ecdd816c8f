"""What stands in the way of a change that somebody may make otherwise, as a sentence or a list.

Actions refuse with it, and forms do not offer what has an obstacle: both ask here.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sophon_hub.models import (
    Dataset,
    Lab,
    Membership,
    MembershipSource,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from sophon_hub.policy.actor import Actor

NO_OWNER = "A group needs an owner without an end date. Make somebody else an owner first."
OWN_END = "Nobody prolongs their own membership; ask another owner."


def more_visible(
    things: Iterable[ResearchProject] | Iterable[Dataset], visibility: Visibility
) -> list[str]:
    """Slugs of what more people see than a group with this visibility allows."""
    return sorted(one.slug for one in things if one.visibility.openness > visibility.openness)


def to_losing_owner(owners: Collection[int], person_id: int) -> str | None:
    """Why somebody stays an owner for good: ``owners`` has those without an end date."""
    return None if any(one != person_id for one in owners) else NO_OWNER


def to_leaving(membership: Membership, owners: Collection[int]) -> str | None:
    """Why somebody cannot leave their group."""
    if membership.source is MembershipSource.SIGN_ON:
        return (
            "You belong to this group because the campus sign-on says so, and would be back at your"
            " next sign-in. It is ended there."
        )
    return to_losing_owner(owners, membership.person_id)


def to_removing(membership: Membership, owners: Collection[int]) -> str | None:
    """Why somebody cannot be taken out of their group; the person is loaded."""
    if membership.source is MembershipSource.SIGN_ON:
        name = membership.person.username
        return (
            f"{name} belongs to this group because the campus sign-on says so, and would be"
            " back at the next sign-in. It is ended there. To end it here until then, save a role"
            f" for {name} first."
        )
    return to_losing_owner(owners, membership.person_id)


def own_end(actor: Actor, group: ResearchGroup, person_id: int) -> datetime | None:
    """The end that the actor cannot put off: of their own membership, if it is theirs and ends."""
    own = actor.memberships.get(group.id)
    if actor.is_admin or own is None or person_id != actor.person_id:
        return None
    return own.expires_at


def to_moving(running: Sequence[str]) -> str | None:
    """Why a project cannot be moved, with the names of its labs that have a server."""
    if running:
        return "Stop the labs of the project before moving it: " + ", ".join(running) + "."
    return None


def of_lock(actor: Actor, lab: Lab) -> str | None:
    """Why the actor cannot change or delete a lab; who locked it is loaded."""
    if lab.locked_by is None or lab.locked_by.id == actor.person_id:
        return None
    reason = f": {lab.lock_reason}" if lab.lock_reason else "."
    return f"This lab is locked by {lab.locked_by.display_name}{reason}"


def to_deleting_lab(actor: Actor, lab: Lab) -> str | None:
    """Why a lab cannot be moved to the trash by who may delete it."""
    running = "Stop the lab before deleting it." if lab.state.has_server else None
    return of_lock(actor, lab) or running


def to_restoring(thing: ResearchGroup | ResearchProject | Lab | Dataset) -> str | None:
    """Why something cannot come out of the trash; what it is in is loaded."""
    if isinstance(thing, Lab):
        if thing.project.deleted_at:
            return "The project of this lab is in the trash; restore the project first."
    elif (
        not isinstance(thing, ResearchGroup) and thing.group is not None and thing.group.deleted_at
    ):
        noun = "project" if isinstance(thing, ResearchProject) else "dataset"
        return f"The group of this {noun} is in the trash; restore the group first."
    return None
