"""What people do with projects: create, edit, move, delete, restore."""

from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from sophon_hub import audit, clock
from sophon_hub.actions.forms import NewProject, ProjectChanges
from sophon_hub.actions.groups import lock_for, sync
from sophon_hub.actions.slugs import choose_slug
from sophon_hub.actions.trash import move_to_trash, take_from_trash
from sophon_hub.errors import Conflict, Invalid, NotFound, refuse
from sophon_hub.models import ResearchGroup, ResearchProject, Visibility
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require, require_person
from sophon_hub.store import groups as group_store
from sophon_hub.store import labs as lab_store
from sophon_hub.store import people
from sophon_hub.store import projects as project_store


def create_project(session: Session, actor: Actor, form: NewProject) -> ResearchProject:
    """Create a project in one of the actor's groups."""
    require_person(actor)
    group = _group_of_form(session, actor, form.group)
    group = lock_for(session, actor, Permission.PROJECT_CREATE, group)
    visibility = form.visibility or Visibility.INTERNAL.within(group.visibility)
    if visibility.openness > group.visibility.openness:
        raise Invalid.of(
            "visibility",
            f"The group is {group.visibility}; a project cannot be seen by more people.",
        )
    now = clock.utcnow()
    slug = choose_slug(
        form.name,
        form.slug,
        lambda slug: bool(session.scalar(select(exists().where(ResearchProject.slug == slug)))),
    )
    project = ResearchProject(
        slug=slug,
        group=group,
        name=form.name,
        description=form.description,
        visibility=visibility,
        created_at=now,
        updated_at=now,
    )
    session.add(project)
    session.flush()
    audit.record(
        session, actor, "project:create", project, name=project.name, visibility=visibility
    )
    sync(session, group)
    return project


def _group_of_form(session: Session, actor: Actor, slug: str) -> ResearchGroup:
    """The group named in a form."""
    try:
        return group_store.get_group(session, actor, slug)
    except NotFound:
        raise Invalid.of("group", "There is no such group, or you may not see it.") from None


def edit_project(
    session: Session, actor: Actor, project: ResearchProject, form: ProjectChanges
) -> ResearchProject:
    """Change name, description, visibility or the group of a project."""
    changes = form.changes()
    _require_changes(actor, project, changes)
    wanted_group = _group_of_form(session, actor, form.group) if "group" in changes else None
    old_group, *others = lock_project(session, project, wanted_group)
    actor = people.refresh_actor(session, actor)
    _require_changes(actor, project, changes)
    before: dict[str, Any] = {
        name: old_group.slug if name == "group" else getattr(project, name) for name in changes
    }
    group = others[0] if others else old_group
    _check_visibility(project, group, changes)
    if group is not old_group:
        require(actor, Permission.PROJECT_CREATE, group)
        _check_stopped(session, project)
    for name, value in changes.items():
        setattr(project, name, group if name == "group" else value)
    project.updated_at = clock.utcnow()
    session.flush()
    audit.record(session, actor, "project:edit", project, before=before, after=changes)
    if group is not old_group:
        sync(session, old_group)
        sync(session, group)
    return project


def _require_changes(actor: Actor, project: ResearchProject, changes: dict[str, Any]) -> None:
    """Sending the visibility or group that a project has anyway changes nothing."""
    require(actor, Permission.PROJECT_EDIT, project)
    if changes.get("visibility", project.visibility) is not project.visibility:
        require(actor, Permission.PROJECT_VISIBILITY, project)
    if changes.get("group", project.group.slug) != project.group.slug:
        require(actor, Permission.PROJECT_MOVE, project)


def lock_project(
    session: Session, project: ResearchProject, wanted_group: ResearchGroup | None = None
) -> list[ResearchGroup]:
    """Lock the project and its group, and the one it is to go to: always groups first, by number.

    Gives the group of the project and, when it is another one, the wanted group.
    """
    ids = {project.group_id} | ({wanted_group.id} if wanted_group else set())
    groups = {group_id: group_store.lock(session, group_id) for group_id in sorted(ids)}
    project_store.lock(session, project)
    if project.group_id not in groups:
        raise Conflict("Somebody has just moved this project to another group.")
    return [groups.pop(project.group_id), *groups.values()]


def _check_visibility(
    project: ResearchProject, group: ResearchGroup, changes: dict[str, Any]
) -> None:
    """A project is never more visible than its group, the new group included."""
    wanted: Visibility = changes.get("visibility", project.visibility)
    if wanted.openness <= group.visibility.openness:
        return
    if "visibility" in changes:
        raise Invalid.of(
            "visibility",
            f"The group is {group.visibility}; a project cannot be seen by more people.",
        )
    raise Conflict(
        f"In the group “{group.name}” this project would become {group.visibility}. "
        f"Send visibility {group.visibility} with the move if that is what you want.",
        visibility=group.visibility,
    )


def _check_stopped(session: Session, project: ResearchProject) -> None:
    """The people of another group get in by another hub role, which a start makes."""
    labs = lab_store.system_labs_of(session, [project.id], lock=True)
    refuse(obstacles.to_moving([lab.name for lab in labs if lab.state.has_server]))


def delete_project(session: Session, actor: Actor, project: ResearchProject) -> None:
    """Move a project with its labs to the trash; its labs are stopped."""
    (group,) = lock_project(session, project)
    require(people.refresh_actor(session, actor), Permission.PROJECT_DELETE, project)
    if project.deleted_at:
        raise Conflict("This project is in the trash already.")
    labs = lab_store.system_labs_of(session, [project.id], lock=True)
    move_to_trash(session, actor, [project, *labs])
    audit.record(session, actor, "project:delete", project)
    sync(session, group)


def restore_project(session: Session, actor: Actor, project: ResearchProject) -> ResearchProject:
    """Take a project, and the labs that went with it, out of the trash."""
    (group,) = lock_project(session, project)
    require(people.refresh_actor(session, actor), Permission.PROJECT_DELETE, project)
    if not project.deleted_at:
        raise Conflict("This project is not in the trash.")
    refuse(obstacles.to_restoring(project))
    labs = lab_store.system_labs_of(session, [project.id], lock=True)
    take_from_trash(project.deleted_at, [project, *labs])
    audit.record(session, actor, "project:restore", project)
    sync(session, group)
    return project
