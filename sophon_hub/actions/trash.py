"""Moving things to the trash and back. What goes together carries the same time."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from sophon_hub import clock, jobs
from sophon_hub.models import Dataset, Lab, LabState, ResearchGroup, ResearchProject
from sophon_hub.policy.actor import Actor

Thing = ResearchGroup | ResearchProject | Lab | Dataset


def move_to_trash(session: Session, actor: Actor, things: Iterable[Thing]) -> None:
    """Mark what is not in the trash yet, and stop labs that run."""
    now = clock.utcnow()
    for thing in things:
        if thing.deleted_at is not None:
            continue
        thing.deleted_at = now
        thing.deleted_by_id = actor.person_id
        if isinstance(thing, Lab) and thing.state.has_server:
            thing.state = LabState.STOPPING
            jobs.enqueue(session, "stop_lab", f"lab:{thing.id}", lab_id=thing.id)


def take_from_trash(deleted_at: datetime, things: Iterable[Thing]) -> None:
    """Bring back what went to the trash at this moment and is not being removed for good."""
    for thing in things:
        if thing.deleted_at == deleted_at and thing.purge_started_at is None:
            thing.deleted_at = None
            thing.deleted_by_id = None
