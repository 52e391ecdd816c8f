"""What people do with labs: create, edit, start, stop, open, lock, delete, restore."""

from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from sophon_hub import audit, clock, jobs, names
from sophon_hub.actions.forms import LabChanges, LabStart, LockReason, NewLab
from sophon_hub.actions.slugs import choose_slug
from sophon_hub.actions.trash import move_to_trash, take_from_trash
from sophon_hub.errors import Conflict, Invalid, refuse
from sophon_hub.models import Lab, LabState, Person, ResearchProject
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, may, require, require_person
from sophon_hub.policy.quota import clean_up_sentence, quota_state
from sophon_hub.settings import Sophon
from sophon_hub.store import groups as group_store
from sophon_hub.store import labs as store
from sophon_hub.store import people
from sophon_hub.store import projects as project_store


def take_lab(
    session: Session, actor: Actor, permission: Permission, lab: Lab, *, project: bool = False
) -> Actor:
    """Lock a lab, and require the permission with the rights the actor has by then.

    Whoever waited for a lock may just have been removed, or demoted, by who held it.

    Args:
        session: of the action.
        actor: who asks.
        permission: what it takes.
        lab: what it is about.
        project: whether the project's row is locked, too.
    """
    _hold(session, lab.project)
    if project:
        project_store.lock(session, lab.project)
    store.lock(session, lab)
    actor = people.refresh_actor(session, actor)
    require(actor, permission, lab)
    return actor


def _hold(session: Session, project: ResearchProject) -> None:
    """Nobody leaves the project's group, and it goes to no other, until this transaction ends."""
    group_id = project.group_id
    group_store.hold(session, group_id)
    if project_store.system_group_id(session, project.id) != group_id:
        raise Conflict("Somebody has just moved this project to another group.")


def create_lab(
    session: Session, actor: Actor, project: ResearchProject, form: NewLab, settings: Sophon
) -> Lab:
    """Create a lab in a project; it is stopped."""
    _hold(session, project)
    project_store.lock(session, project)
    require(people.refresh_actor(session, actor), Permission.LAB_CREATE, project)
    image = form.image if form.image is not None else settings.default_image
    _check_limits(form.cpu_limit, form.memory_limit, image, settings)
    slug = choose_slug(
        form.name,
        form.slug,
        lambda slug: bool(
            session.scalar(select(exists().where(Lab.project_id == project.id, Lab.slug == slug)))
        ),
        lab=True,
    )
    lab = Lab(
        uid=names.new_uid(),
        project=project,
        slug=slug,
        name=form.name,
        image=image,
        internet=form.internet,
        restart_on_removal=form.restart_on_removal,
        cpu_limit=form.cpu_limit,
        memory_limit=form.memory_limit,
        state=LabState.STOPPED,
        locked_by=None,
        started_by=None,
        stopped_by=None,
        created_at=clock.utcnow(),
    )
    session.add(lab)
    session.flush()
    audit.record(session, actor, "lab:create", lab, name=lab.name, **lab.launch_settings())
    return lab


def _check_limits(
    cpu_limit: float | None, memory_limit: int | None, image: str | None, settings: Sophon
) -> None:
    if image is not None and image not in settings.images:
        raise Invalid.of("image", "Give one of: " + ", ".join(sorted(settings.images)) + ".")
    if cpu_limit is not None and cpu_limit > settings.max_cpu_limit:
        raise Invalid.of("cpu_limit", f"This hub allows at most {settings.max_cpu_limit:g} cores.")
    if memory_limit is not None and memory_limit > settings.max_memory_limit_bytes:
        raise Invalid.of(
            "memory_limit", f"This hub allows at most {settings.max_memory_limit} of memory."
        )


def check_unlocked(actor: Actor, lab: Lab) -> None:
    """Refuse what somebody else has locked."""
    refuse(obstacles.of_lock(actor, lab))


def edit_lab(session: Session, actor: Actor, lab: Lab, form: LabChanges, settings: Sophon) -> Lab:
    """Change a lab. What decides how it runs takes effect at the next start."""
    take_lab(session, actor, Permission.LAB_EDIT, lab)
    check_unlocked(actor, lab)
    changes = form.changes()
    _check_limits(
        changes.get("cpu_limit"), changes.get("memory_limit"), changes.get("image"), settings
    )
    before = {name: getattr(lab, name) for name in changes}
    for name, value in changes.items():
        setattr(lab, name, value)
    audit.record(session, actor, "lab:edit", lab, before=before, after=changes)
    return lab


def start_lab(session: Session, actor: Actor, lab: Lab, form: LabStart, settings: Sophon) -> bool:
    """Have a lab started; True unless it runs, or starts, already."""
    take_lab(session, actor, Permission.LAB_START, lab)
    check_unlocked(actor, lab)
    if lab.state in (LabState.RUNNING, LabState.STARTING):
        return False
    if lab.state is LabState.STOPPING:
        raise Conflict("This lab is just being stopped; start it again in a moment.")
    state = quota_state(lab.disk_bytes, settings, filled_disk=lab.filled_disk)
    if state.must_clean_up and not form.clean_up:
        raise Conflict(clean_up_sentence(state, settings, own=False))
    lab.clean_up = state.must_clean_up
    lab.state, lab.progress, lab.message = LabState.STARTING, 0, "Waiting for its turn"
    lab.started_with = lab.launch_settings()
    lab.started_at, lab.stopped_at, lab.stop_reason = clock.utcnow(), None, ""
    lab.started_by, lab.stopped_by = session.get(Person, actor.person_id), None
    audit.record(session, actor, "lab:start", lab, clean_up=lab.clean_up)
    jobs.enqueue(session, "start_lab", f"lab:{lab.id}", lab_id=lab.id)
    return True


def stop_lab(session: Session, actor: Actor, lab: Lab) -> bool:
    """Have a lab stopped; True unless it is stopped, or being stopped, already."""
    take_lab(session, actor, Permission.LAB_STOP, lab)
    check_unlocked(actor, lab)
    if lab.state in (LabState.STOPPED, LabState.FAILED, LabState.STOPPING):
        return False
    lab.state = LabState.STOPPING
    lab.message, lab.stop_reason = "Stopping", ""
    lab.stopped_at, lab.stopped_by = clock.utcnow(), session.get(Person, actor.person_id)
    audit.record(session, actor, "lab:stop", lab)
    jobs.enqueue(session, "stop_lab", f"lab:{lab.id}", lab_id=lab.id)
    return True


def keep_lab(session: Session, actor: Actor, lab: Lab) -> Lab:
    """Let a running lab go on that would be stopped unused: this counts as work in it."""
    take_lab(session, actor, Permission.LAB_STOP, lab)
    check_unlocked(actor, lab)
    if lab.state is not LabState.RUNNING:
        raise Conflict("This lab is not running; start it.")
    lab.last_activity, lab.stops_at = clock.utcnow(), None
    audit.record(session, actor, "lab:keep", lab)
    return lab


def empty_trash(session: Session, actor: Actor, lab: Lab) -> Lab:
    """Have the trash in the home of a lab emptied, whether it runs or not."""
    take_lab(session, actor, Permission.LAB_EDIT, lab)
    check_unlocked(actor, lab)
    audit.record(session, actor, "lab:empty-trash", lab)
    jobs.enqueue(session, "empty_lab_trash", f"trash-lab:{lab.id}", lab_id=lab.id)
    return lab


@dataclass(frozen=True)
class Entry:
    """Where a lab is entered, below the Hub's base URL, and what one may do inside."""

    path: str
    mode: str


def open_lab(session: Session, actor: Actor, lab: Lab) -> Entry:
    """Say where the lab is entered, and write down who enters; a locked one is only watched."""
    actor = take_lab(session, actor, Permission.LAB_WATCH, lab)
    mode = "edit" if may(actor, Permission.LAB_OPEN, lab) else "watch"
    if lab.state is not LabState.RUNNING:
        check_unlocked(actor, lab)
        raise Conflict(
            "This lab is not running; start it first."
            if mode == "edit"
            else "This lab is not running. Members of the group start it."
        )
    audit.record(session, actor, "lab:open", lab, mode=mode)
    path = names.workspace_path(lab.project.slug, lab.slug, actor.username or "")
    return Entry(path, mode)


def lock_lab(session: Session, actor: Actor, lab: Lab, form: LockReason) -> Lab:
    """Lock a lab: nobody else starts, stops or changes it, and who is in it only watches."""
    take_lab(session, actor, Permission.LAB_LOCK, lab)
    check_unlocked(actor, lab)
    lab.locked_by_id = require_person(actor)
    lab.lock_reason = form.reason
    audit.record(session, actor, "lab:lock", lab, reason=form.reason)
    _sync_lock(session, lab)
    session.flush()
    session.refresh(lab, ["locked_by"])
    return lab


def unlock_lab(session: Session, actor: Actor, lab: Lab) -> Lab:
    """Unlock a lab: whoever locked it, an owner or an admin."""
    take_lab(session, actor, Permission.LAB_UNLOCK, lab)
    if lab.locked_by is None:
        raise Conflict("This lab is not locked.")
    lift_lock(session, actor, lab)
    return lab


def lift_lock(session: Session, actor: Actor, lab: Lab) -> None:
    """Unlock a locked lab, whoever asks."""
    locker = names.shown_username(lab.locked_by.username) if lab.locked_by else ""
    lab.locked_by = None
    lab.lock_reason = ""
    audit.record(session, actor, "lab:unlock", lab, locked_by=locker)
    _sync_lock(session, lab)


def _sync_lock(session: Session, lab: Lab) -> None:
    """Have the worker tell the Hub, and those who are in the lab."""
    jobs.enqueue(session, "sync_lock", f"lock:{lab.id}", lab_id=lab.id)


def delete_lab(session: Session, actor: Actor, lab: Lab) -> None:
    """Move a stopped lab to the trash."""
    take_lab(session, actor, Permission.LAB_DELETE, lab)
    if lab.deleted_at:
        raise Conflict("This lab is in the trash already.")
    refuse(obstacles.to_deleting_lab(actor, lab))
    move_to_trash(session, actor, [lab])
    audit.record(session, actor, "lab:delete", lab)


def restore_lab(session: Session, actor: Actor, lab: Lab) -> Lab:
    """Take a lab out of the trash."""
    # whoever deletes the project at this moment has both rows
    take_lab(session, actor, Permission.LAB_DELETE, lab, project=True)
    if not lab.deleted_at:
        raise Conflict("This lab is not in the trash.")
    refuse(obstacles.to_restoring(lab))
    take_from_trash(lab.deleted_at, [lab])
    audit.record(session, actor, "lab:restore", lab)
    return lab
