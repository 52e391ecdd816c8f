"""Who may see what: one SQL predicate per noun, carried by every read.

A list, a point read and a search use the same predicate, so they cannot disagree. `sees` says
the same about a row already in hand, for explanations; a property test holds the two equal.

What is in the trash is seen by owners and admins only.
"""

from collections.abc import Set as AbstractSet

from sqlalchemy import ColumnElement, and_, false, or_, true
from sqlalchemy.orm import InstrumentedAttribute

from sophon_hub.models import Dataset, Lab, MemberRole, ResearchGroup, ResearchProject, Visibility
from sophon_hub.policy.actor import Actor, Standing

GroupId = InstrumentedAttribute[int] | InstrumentedAttribute[int | None]


def _in_groups(column: GroupId, ids: AbstractSet[int]) -> ColumnElement[bool]:
    return column.in_(sorted(ids)) if ids else false()


def _visible(
    actor: Actor,
    visibility: InstrumentedAttribute[Visibility],
    group_id: GroupId,
) -> ColumnElement[bool]:
    if actor.is_admin:
        return true()
    if actor.is_guest:
        return visibility == Visibility.PUBLIC
    return or_(visibility != Visibility.PRIVATE, _in_groups(group_id, actor.group_ids()))


def _owned(actor: Actor, group_id: GroupId) -> ColumnElement[bool]:
    if actor.is_admin:
        return true()
    return _in_groups(group_id, actor.group_ids(MemberRole.OWNER))


def visible_groups(actor: Actor) -> ColumnElement[bool]:
    """The WHERE clause of every read of a research group."""
    return or_(
        and_(
            ResearchGroup.deleted_at.is_(None),
            _visible(actor, ResearchGroup.visibility, ResearchGroup.id),
        ),
        and_(ResearchGroup.deleted_at.is_not(None), _owned(actor, ResearchGroup.id)),
    )


def visible_projects(actor: Actor) -> ColumnElement[bool]:
    """The WHERE clause of every read of a project.

    The group needs no look: a project is never more visible than its group, and trash of the
    group is trash of its projects.
    """
    return or_(
        and_(
            ResearchProject.deleted_at.is_(None),
            _visible(actor, ResearchProject.visibility, ResearchProject.group_id),
        ),
        and_(ResearchProject.deleted_at.is_not(None), _owned(actor, ResearchProject.group_id)),
    )


def visible_labs(actor: Actor) -> ColumnElement[bool]:
    """The WHERE clause of every read of a lab; the query must join the lab's project."""
    return and_(
        visible_projects(actor),
        or_(Lab.deleted_at.is_(None), _owned(actor, ResearchProject.group_id)),
    )


def visible_datasets(actor: Actor) -> ColumnElement[bool]:
    """The WHERE clause of every read of a dataset; those of no group are the admins'."""
    return or_(
        and_(Dataset.deleted_at.is_(None), _visible(actor, Dataset.visibility, Dataset.group_id)),
        and_(Dataset.deleted_at.is_not(None), _owned(actor, Dataset.group_id)),
    )


def sees(actor: Actor, visibility: Visibility, group_id: int | None, *, deleted: bool) -> bool:
    """Whether the actor sees a thing with this visibility, in words of Python."""
    standing = actor.standing_in(group_id)
    if deleted:
        return standing >= Standing.OWNER
    least = {
        Visibility.PUBLIC: Standing.GUEST,
        Visibility.INTERNAL: Standing.USER,
        Visibility.PRIVATE: Standing.VIEWER,
    }
    return standing >= least[visibility]
