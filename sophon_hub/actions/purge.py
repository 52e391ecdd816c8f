"""The end of the trash: things go for good, or come back because nobody stands by the deletion."""

from datetime import datetime

from sqlalchemy.orm import Session

from sophon_hub import audit, clock, jobs, names
from sophon_hub.actions.forms import Confirmation
from sophon_hub.actions.groups import lock_contents, sync
from sophon_hub.actions.trash import take_from_trash
from sophon_hub.errors import Conflict, Invalid, Unavailable
from sophon_hub.models import Dataset, Lab, Person, ResearchGroup, ResearchProject
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, may, require
from sophon_hub.store import datasets as dataset_store
from sophon_hub.store import groups as group_store
from sophon_hub.store import labs as lab_store
from sophon_hub.store import people
from sophon_hub.store import projects as project_store
from sophon_hub.store.trash import (
    Deleted,
    Kind,
    Remains,
    Thing,
    kind_of,
    system_deletions,
    system_remains,
    system_thing,
)

PERMISSIONS = {
    Kind.GROUP: Permission.GROUP_DELETE,
    Kind.PROJECT: Permission.PROJECT_DELETE,
    Kind.LAB: Permission.LAB_DELETE,
    Kind.DATASET: Permission.DATASET_DELETE,
}


def purge_now(session: Session, actor: Actor, thing: Thing, form: Confirmation) -> None:
    """Have something in the trash removed for good without waiting; its slug was typed."""
    contents = _lock(session, thing)
    kind = kind_of(thing)
    require(people.refresh_actor(session, actor), PERMISSIONS[kind], thing)
    if thing.deleted_at is None:
        raise Conflict(f"Move the {kind} to the trash first.")
    if form.confirm != thing.slug:
        raise Invalid.of("confirm", f"Type {thing.slug} to confirm.")
    audit.record(session, actor, f"{kind}:purge", thing)
    _begin(session, thing, contents)


def _lock(session: Session, thing: Thing) -> list[Thing]:
    """Lock something with what it is in, from the top down, and all that goes with it.

    Gives what goes with it.
    """
    if isinstance(thing, ResearchGroup):
        return [*lock_contents(session, group_store.lock(session, thing.id))]
    if isinstance(thing, Dataset):
        if thing.group_id is not None:
            group_store.lock(session, thing.group_id)
        dataset_store.lock(session, thing)
        return []
    project = thing.project if isinstance(thing, Lab) else thing
    group_store.lock(session, project.group_id)
    project_store.lock(session, project)
    if isinstance(thing, Lab):
        lab_store.lock(session, thing)
        return []
    return [*lab_store.system_labs_of(session, [project.id], lock=True)]


def _begin(session: Session, thing: Thing, contents: list[Thing]) -> None:
    """From here on nothing comes back, and the worker clears away."""
    for one in (thing, *contents):
        one.purge_started_at = clock.utcnow()
    kind = kind_of(thing)
    jobs.enqueue(session, f"purge_{kind}", f"{kind}:{thing.id}", **{f"{kind}_id": thing.id})


def end_deletion(session: Session, actor: Actor, deleted: Deleted, before: datetime) -> None:
    """Begin to remove what was deleted until ``before``, or cancel that; the hub itself."""
    thing = system_thing(session, deleted.kind, deleted.number)
    if thing is None:
        return
    contents = _lock(session, thing)
    if thing.deleted_at is None or thing.deleted_at > before or not _waits(thing):
        return
    if _stands(session, thing):
        _begin(session, thing, contents)
    else:
        _cancel(session, actor, thing, contents)


def cancel_deletions(session: Session, actor: Actor, group_id: int) -> None:
    """Cancel all deletions in a group whose authors may not delete there any more.

    Owners read it in the group's events and on its page.
    """
    for deleted in system_deletions(session, group_id=group_id):
        thing = system_thing(session, deleted.kind, deleted.number)
        contents = [] if thing is None else _lock(session, thing)
        if thing is not None and _waits(thing) and not _stands(session, thing):
            _cancel(session, actor, thing, contents)


def _waits(thing: Thing) -> bool:
    """Whether something is in the trash and can still come back."""
    return thing.deleted_at is not None and thing.purge_started_at is None


def _stands(session: Session, thing: Thing) -> bool:
    """Whether who deleted this may still do so; a shell on the machine always may."""
    if thing.deleted_by_id is None:
        return True
    person = session.get_one(Person, thing.deleted_by_id)
    author = people.find_actor(
        session, person.username, is_admin=person.is_admin, via="system", now=clock.utcnow()
    )
    return author is not None and may(author, PERMISSIONS[kind_of(thing)], thing)


def _parent(thing: Thing) -> ResearchGroup | ResearchProject | None:
    if isinstance(thing, ResearchGroup):
        return None
    return thing.project if isinstance(thing, Lab) else thing.group


def _cancel(session: Session, actor: Actor, thing: Thing, contents: list[Thing]) -> None:
    """Take something out of the trash; if what it is in is there too, it goes along with that."""
    author = session.get_one(Person, thing.deleted_by_id)
    deleted_at = thing.deleted_at
    assert deleted_at is not None  # noqa: S101 - whoever calls has looked
    parent = _parent(thing)
    for one in (thing, *contents):
        if one.deleted_at == deleted_at and parent is not None and parent.deleted_at is not None:
            one.deleted_at, one.deleted_by_id = parent.deleted_at, parent.deleted_by_id
    take_from_trash(deleted_at, [thing, *contents])
    audit.record(
        session,
        actor,
        f"{kind_of(thing)}:delete-cancelled",
        thing,
        username=names.shown_username(author.username),
    )
    if isinstance(thing, ResearchGroup):
        sync(session, thing)
    elif isinstance(thing, ResearchProject):
        sync(session, thing.group)


def finish_purge(session: Session, actor: Actor, kind: Kind, number: int, cleared: Remains) -> None:
    """Forget what has been cleared away; the hub itself. The slug is free from here on.

    Raises:
        Unavailable: there is more to clear away by now.
    """
    thing = system_thing(session, kind, number)
    if thing is None:
        return
    contents = _lock(session, thing)
    if system_remains(session, kind, number) != cleared:
        raise Unavailable(f"The {kind} has changed while it was being removed.")
    counts = {
        f"{noun}s": sum(kind_of(one) is noun for one in contents)
        for noun in (Kind.PROJECT, Kind.LAB, Kind.DATASET)
    }
    audit.record(session, actor, f"{kind}:purged", thing, **counts)
    session.flush()
    session.delete(thing)
