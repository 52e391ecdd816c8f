"""Stopping labs that nobody asked to stop: what they hold or keep is at the cost of all others.

Nothing is deleted: the files stay as they are, and the lab is started again to clean up.
"""

import logging

from sqlalchemy.orm import Session

from sophon_hub import audit, jobs
from sophon_hub.clock import utcnow
from sophon_hub.models import Lab, LabState, Person, PersonalLab
from sophon_hub.policy.actor import Actor
from sophon_hub.store import labs, personal
from sophon_hub.store.servers import Kind
from sophon_hub.worker.context import SYSTEM

log = logging.getLogger("sophon.worker")

TOO_LARGE = "its files take more than this hub allows"
FILLED = "its files were growing until the disk had hardly any room left"


def too_large(session: Session, kind: Kind, number: int, actor: Actor) -> None:
    """Stop a running lab whose home is too large; one that is to clean up goes on."""
    lab = _running(session, kind, number)
    if lab is not None and not lab.clean_up:
        _halt(session, lab, TOO_LARGE, actor)


def filled_disk(session: Session, kind: Kind, number: int) -> None:
    """Stop a running lab that is filling the disk; it starts to clean up until there is room."""
    lab = _running(session, kind, number)
    if lab is not None:
        lab.filled_disk = True
        _halt(session, lab, FILLED)


def unused(session: Session, kind: Kind, number: int, reason: str) -> None:
    """Stop a running lab that nobody works in; people were warned in time."""
    lab = _running(session, kind, number)
    if lab is not None:
        _halt(session, lab, reason)


def _running(session: Session, kind: Kind, number: int) -> Lab | PersonalLab | None:
    find = personal.system_personal_lab if kind is PersonalLab else labs.system_lab
    lab = find(session, number)
    if lab is None:
        return None
    session.refresh(lab, ["state", "clean_up"], with_for_update=True)
    return lab if lab.state is LabState.RUNNING else None


def _halt(session: Session, lab: Lab | PersonalLab, reason: str, actor: Actor = SYSTEM) -> None:
    lab.state, lab.message = LabState.STOPPING, f"Stopping, because {reason}"
    lab.stopped_at, lab.stop_reason = utcnow(), reason
    if isinstance(lab, Lab):
        lab.stopped_by_id = None
        subject: Lab | Person = lab
        name = f"{lab.project.slug}/{lab.slug}"
        jobs.enqueue(session, "stop_lab", f"lab:{lab.id}", lab_id=lab.id)
    else:
        subject, name = lab.person, f"of {lab.person.username}"
        jobs.enqueue(session, "stop_personal", f"personal:{lab.id}", personal_id=lab.id)
    action = "lab:halt" if isinstance(lab, Lab) else "personal:halt"
    audit.record(session, actor, action, subject, reason=reason, disk_bytes=lab.disk_bytes)
    log.warning("stopping the lab %s, because %s", name, reason)
