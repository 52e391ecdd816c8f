"""What people do with research groups: create, edit, join, leave, delete, restore."""

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from sophon_hub import audit, clock, jobs
from sophon_hub.actions.forms import GroupChanges, JoinMessage, NewGroup
from sophon_hub.actions.slugs import choose_slug
from sophon_hub.actions.trash import move_to_trash, take_from_trash
from sophon_hub.errors import Conflict, Forbidden, Invalid, refuse
from sophon_hub.models import (
    AccessMode,
    Dataset,
    JoinRequest,
    Lab,
    MemberRole,
    Membership,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require, require_person
from sophon_hub.store import datasets as dataset_store
from sophon_hub.store import groups as store
from sophon_hub.store import labs as lab_store
from sophon_hub.store import people
from sophon_hub.store import projects as project_store


def sync(session: Session, group: ResearchGroup) -> None:
    """Have the worker make the Hub's groups and accounts equal to this research group."""
    jobs.enqueue(session, "sync_group", f"group:{group.id}", group_id=group.id)


def lock_for(
    session: Session, actor: Actor, permission: Permission, group: ResearchGroup
) -> ResearchGroup:
    """Lock the group and require the permission with the rights the actor has by then.

    Whoever waited for the lock may just have been removed, or demoted, by who held it.
    """
    group = store.lock(session, group.id)
    require(people.refresh_actor(session, actor), permission, group)
    return group


def create_group(session: Session, actor: Actor, form: NewGroup) -> ResearchGroup:
    """Create a research group; the actor becomes its owner."""
    return _make(session, actor, form, require_person(actor))


def create_group_for(
    session: Session, actor: Actor, form: NewGroup, username: str
) -> ResearchGroup:
    """Create a research group that somebody else owns; administrators."""
    if not actor.is_admin:
        require_person(actor)
        raise Forbidden("Only administrators create groups for others.")
    owner = people.find_person(session, username)
    if owner is None:
        raise Invalid.of("owner", f"There is no account “{username}” at this hub.")
    return _make(session, actor, form, owner.id, owner=username)


def _make(
    session: Session, actor: Actor, form: NewGroup, owner_id: int, **detail: str
) -> ResearchGroup:
    now = clock.utcnow()
    slug = choose_slug(
        form.name,
        form.slug,
        lambda slug: bool(session.scalar(select(exists().where(ResearchGroup.slug == slug)))),
    )
    group = ResearchGroup(
        slug=slug,
        name=form.name,
        description=form.description,
        visibility=form.visibility,
        access=form.access,
        created_at=now,
    )
    session.add(group)
    session.flush()
    session.add(_membership(group, owner_id, MemberRole.OWNER, actor.person_id, now))
    audit.record(
        session,
        actor,
        "group:create",
        group,
        name=group.name,
        visibility=group.visibility,
        access=group.access,
        **detail,
    )
    sync(session, group)
    return group


def _membership(
    group: ResearchGroup, person_id: int, role: MemberRole, by: int | None, now: datetime
) -> Membership:
    return Membership(
        group_id=group.id, person_id=person_id, role=role, added_by_id=by, added_at=now
    )


def edit_group(
    session: Session, actor: Actor, group: ResearchGroup, form: GroupChanges
) -> ResearchGroup:
    """Change name, description, visibility or access mode."""
    group = lock_for(session, actor, Permission.GROUP_EDIT, group)
    changes = form.changes()
    if "visibility" in changes:
        _check_contents_fit(session, group, form.visibility)
    before = {name: getattr(group, name) for name in changes}
    for name, value in changes.items():
        setattr(group, name, value)
    audit.record(session, actor, "group:edit", group, before=before, after=changes)
    return group


def in_the_way(session: Session, group: ResearchGroup) -> dict[Visibility, dict[str, list[str]]]:
    """What keeps a group from each lower visibility: slugs by noun; those in the trash count.

    A project is never more visible than its group, and what is in the trash may come back.
    """
    projects = project_store.system_projects_of(session, group)
    datasets = dataset_store.system_datasets_of(session, group)
    found = {}
    for one in Visibility:
        nouns = {
            "projects": obstacles.more_visible(projects, one),
            "datasets": obstacles.more_visible(datasets, one),
        }
        found[one] = {noun: slugs for noun, slugs in nouns.items() if slugs}
    return {one: nouns for one, nouns in found.items() if nouns}


def _check_contents_fit(session: Session, group: ResearchGroup, visibility: Visibility) -> None:
    nouns = in_the_way(session, group).get(visibility)
    if nouns:
        raise Conflict(
            f"A {visibility} group cannot have {' or '.join(nouns)} that more people see."
            f" Lower first: {', '.join(slug for slugs in nouns.values() for slug in slugs)}.",
            **nouns,
        )


def join_group(
    session: Session, actor: Actor, group: ResearchGroup, form: JoinMessage
) -> Membership | JoinRequest:
    """Join an open research group, or ask to join one that takes requests."""
    group = lock_for(session, actor, Permission.GROUP_SEE, group)
    person_id = require_person(actor)
    if group.deleted_at:
        raise Conflict("This group is in the trash; nobody can join it.")
    now = clock.utcnow()
    if store.find_membership(session, group, person_id, now):
        raise Conflict("You belong to this group already.")
    if group.access is AccessMode.OPEN:
        _forget_expired(session, group, person_id)
        drop_request(session, group, person_id)
        membership = _membership(group, person_id, MemberRole.MEMBER, person_id, now)
        session.add(membership)
        audit.record(session, actor, "group:join", group)
        sync(session, group)
        return membership
    if group.access is AccessMode.REQUEST:
        if store.find_request(session, group, person_id):
            raise Conflict("You have asked already; an owner will decide.")
        request = JoinRequest(
            group_id=group.id, person_id=person_id, message=form.message, created_at=now
        )
        session.add(request)
        audit.record(session, actor, "group:ask", group)
        return request
    raise Forbidden("Owners add people to this group; ask one of them.")


def _forget_expired(session: Session, group: ResearchGroup, person_id: int) -> None:
    """An expired membership is the same as none: make room for the new row."""
    expired = session.get(Membership, (group.id, person_id))
    if expired:
        session.delete(expired)
        session.flush()


def has_expired(membership: Membership, now: datetime) -> bool:
    """Whether the membership has ended, which is the same as none."""
    return membership.expires_at is not None and membership.expires_at <= now


def drop_request(session: Session, group: ResearchGroup, person_id: int) -> None:
    """Whoever is in the group has nothing left to ask for."""
    request = store.find_request(session, group, person_id)
    if request:
        session.delete(request)


def leave_group(session: Session, actor: Actor, group: ResearchGroup) -> None:
    """Leave a research group; its last owner cannot."""
    group = store.lock(session, group.id)
    require(actor, Permission.GROUP_SEE, group)
    person_id = require_person(actor)
    membership = store.find_membership(session, group, person_id, clock.utcnow())
    if membership is None:
        raise Conflict("You do not belong to this group.")
    refuse(obstacles.to_leaving(membership, store.list_lasting_owners(session, group)))
    session.delete(membership)
    audit.record(session, actor, "group:leave", group)
    sync(session, group)


def check_owner_stays(session: Session, group: ResearchGroup, leaving: int) -> None:
    """Refuse what would leave a research group without an owner who stays."""
    refuse(obstacles.to_losing_owner(store.list_lasting_owners(session, group), leaving))


def delete_group(session: Session, actor: Actor, group: ResearchGroup) -> None:
    """Move a research group with its projects and labs to the trash; its labs are stopped."""
    group = lock_for(session, actor, Permission.GROUP_DELETE, group)
    if group.deleted_at:
        raise Conflict("This group is in the trash already.")
    contents = lock_contents(session, group)
    move_to_trash(session, actor, [group, *contents])
    audit.record(session, actor, "group:delete", group)
    sync(session, group)


def lock_contents(session: Session, group: ResearchGroup) -> list[ResearchProject | Lab | Dataset]:
    """Lock all that belongs to a research group, which is locked already."""
    projects = project_store.system_projects_of(session, group, lock=True)
    numbers = [project.id for project in projects]
    labs = lab_store.system_labs_of(session, numbers, lock=True)
    return [*projects, *labs, *dataset_store.system_datasets_of(session, group, lock=True)]


def restore_group(session: Session, actor: Actor, group: ResearchGroup) -> ResearchGroup:
    """Take a research group, and what went to the trash with it, out of the trash."""
    group = lock_for(session, actor, Permission.GROUP_DELETE, group)
    if not group.deleted_at:
        raise Conflict("This group is not in the trash.")
    contents = lock_contents(session, group)
    take_from_trash(group.deleted_at, [group, *contents])
    audit.record(session, actor, "group:restore", group)
    sync(session, group)
    return group
