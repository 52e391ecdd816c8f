"""Reads of what is known about the versions of notebooks in labs."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from sophon_hub import clock, names
from sophon_hub.errors import NotFound
from sophon_hub.models import (
    HistoryState,
    HistoryTask,
    HistoryVerb,
    Lab,
    LabState,
    Person,
    ResearchProject,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission, require


def find_task(
    session: Session, actor: Actor, lab: Lab, verb: HistoryVerb, version: str = "", since: str = ""
) -> HistoryTask:
    """What came of a task, for those who may watch the lab; one nobody asked for says so."""
    require(actor, Permission.LAB_WATCH, lab)
    query = select(HistoryTask).where(
        HistoryTask.lab_id == lab.id,
        HistoryTask.verb == verb,
        HistoryTask.version == version,
        HistoryTask.since == since,
    )
    return session.scalar(query) or HistoryTask(
        lab_id=lab.id,
        verb=verb,
        version=version,
        since=since,
        state=HistoryState.NEVER,
        message="",
        by="",
        asked_at=clock.utcnow(),
    )


def find_last_restore(session: Session, actor: Actor, lab: Lab) -> HistoryTask | None:
    """The restore that was asked for last, for those who may watch the lab."""
    require(actor, Permission.LAB_WATCH, lab)
    of_lab = HistoryTask.lab_id == lab.id, HistoryTask.verb == HistoryVerb.RESTORE
    query = select(HistoryTask).where(*of_lab).order_by(HistoryTask.asked_at.desc()).limit(1)
    return session.scalar(query)


@dataclass(frozen=True)
class KnownVersion:
    """A version of a notebook, as the home of a lab says; see `volumes.history`."""

    id: str
    path: str
    at: int
    editors: tuple[str, ...]
    reason: str
    size: int


def list_versions(session: Session, actor: Actor, lab: Lab) -> list[KnownVersion]:
    """The versions that were there at the last look, the newest first."""
    found = find_task(session, actor, lab, HistoryVerb.LOOK)
    listed = found.result["versions"] if found.result else []
    return [KnownVersion(**{**one, "editors": tuple(one["editors"])}) for one in listed]


def get_version(session: Session, actor: Actor, lab: Lab, version: str) -> KnownVersion:
    """A version that was there at the last look, or NotFound."""
    for one in list_versions(session, actor, lab):
        if one.id == version:
            return one
    raise NotFound


def list_display_names(
    session: Session, actor: Actor, lab: Lab, versions: list[KnownVersion]
) -> dict[str, str]:
    """What the editors of versions are called, by user name, as far as the portal knows them."""
    require(actor, Permission.LAB_WATCH, lab)
    wanted = {name for one in versions for name in one.editors}
    query = select(Person.username, Person.display_name).where(Person.username.in_(sorted(wanted)))
    return {row.username: row.display_name for row in session.execute(query)}


@dataclass(frozen=True)
class TaskSpec:
    """All that the worker needs to know to do a task.

    ``account`` and ``server`` are those of the lab at the Hub.
    """

    verb: HistoryVerb
    version: str
    since: str
    by: str
    lab_id: int
    home_uid: str
    image: str
    account: str
    server: str
    state: LabState


def system_look(session: Session, lab_id: int) -> HistoryTask | None:
    """The task that lists the versions in a lab, if anybody has ever asked for it."""
    is_look = HistoryTask.lab_id == lab_id, HistoryTask.verb == HistoryVerb.LOOK
    return session.scalar(select(HistoryTask).where(*is_look))


def system_task(session: Session, task_id: int) -> TaskSpec | None:
    """A task that waits; None when there is nothing to do any more."""
    task = session.scalar(
        select(HistoryTask)
        .join(HistoryTask.lab)
        .join(Lab.project)
        .options(contains_eager(HistoryTask.lab).contains_eager(Lab.project))
        .where(HistoryTask.id == task_id, HistoryTask.state == HistoryState.WAITING)
        .where(Lab.deleted_at.is_(None), ResearchProject.deleted_at.is_(None))
    )
    if task is None:
        return None
    lab = task.lab
    account = names.account_name(lab.project.slug)
    return TaskSpec(
        task.verb,
        task.version,
        task.since,
        task.by,
        lab.id,
        lab.uid,
        lab.image,
        account,
        lab.slug,
        lab.state,
    )
