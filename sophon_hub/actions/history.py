"""What people do with the versions of notebooks that labs keep: list, compare, restore."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from sophon_hub import audit, clock, jobs
from sophon_hub.actions.labs import take_lab
from sophon_hub.errors import Conflict
from sophon_hub.models import HistoryState, HistoryTask, HistoryVerb, Lab, LabState
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission
from sophon_hub.store import history as store
from sophon_hub.store.history import KnownVersion

COMPARED_FOR = timedelta(hours=1)
"""How long the database has what changed between two versions, once somebody has asked."""


def look(session: Session, actor: Actor, lab: Lab) -> HistoryTask:
    """Have the versions in a lab's home listed anew."""
    actor = take_lab(session, actor, Permission.LAB_WATCH, lab)
    audit.record(session, actor, "lab:history-look", lab)
    return _ask(session, actor, lab, HistoryVerb.LOOK)


def compare(session: Session, actor: Actor, lab: Lab, version: str, since: str) -> HistoryTask:
    """Have two versions of a notebook compared: what changed since the second one."""
    actor = take_lab(session, actor, Permission.LAB_WATCH, lab)
    new = store.get_version(session, actor, lab, version)
    old = store.get_version(session, actor, lab, since)
    if new.path != old.path:
        raise Conflict("These are versions of two notebooks.")
    _forget_old(session, lab)
    audit.record(session, actor, "lab:history-compare", lab, path=new.path)
    return _ask(session, actor, lab, HistoryVerb.COMPARE, version, since)


def _forget_old(session: Session, lab: Lab) -> None:
    old = HistoryTask.asked_at < clock.utcnow() - COMPARED_FOR
    compared = HistoryTask.verb != HistoryVerb.LOOK
    session.execute(delete(HistoryTask).where(HistoryTask.lab_id == lab.id, compared, old))


def restore_version(session: Session, actor: Actor, lab: Lab, version: str) -> HistoryTask:
    """Have a version become what the notebook is; what it was before becomes a version."""
    actor = take_lab(session, actor, Permission.LAB_OPEN, lab)
    wanted = store.get_version(session, actor, lab, version)
    if lab.state in (LabState.STARTING, LabState.STOPPING):
        raise Conflict("This lab is just starting or stopping; try again in a moment.")
    _forget_old(session, lab)
    audit.record(
        session,
        actor,
        "lab:history-restore",
        lab,
        path=wanted.path,
        version=wanted.id,
        was_at=_moment(wanted),
    )
    return _ask(session, actor, lab, HistoryVerb.RESTORE, version)


def _moment(version: KnownVersion) -> str | None:
    return clock.rfc3339(datetime.fromtimestamp(version.at / 1000, UTC))


def _ask(
    session: Session, actor: Actor, lab: Lab, verb: HistoryVerb, version: str = "", since: str = ""
) -> HistoryTask:
    task = store.find_task(session, actor, lab, verb, version, since)
    task.state, task.message, task.by = HistoryState.WAITING, "", actor.username or ""
    task.asked_at = clock.utcnow()
    session.add(task)
    session.flush()
    jobs.enqueue(session, "history", f"history:{lab.id}", task_id=task.id)
    return task
