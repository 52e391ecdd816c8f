"""Administrators who look at private things: an event that the owners can read."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from sophon_hub import audit
from sophon_hub.models import Dataset, Lab, ResearchProject
from sophon_hub.policy.actor import Actor
from sophon_hub.store.looks import Seen


@dataclass(frozen=True)
class Look:
    """What was looked at; can be kept when the session that read it has ended."""

    action: str
    where: audit.Where


def look_at(actor: Actor, seen: Seen) -> Look:
    """What is to be written down about somebody who has seen this."""
    noun = "group"
    if isinstance(seen, ResearchProject):
        noun = "project"
    elif isinstance(seen, Lab):
        noun = "lab"
    elif isinstance(seen, Dataset):
        noun = "dataset"
    return Look(f"{noun}:look", audit.where_of(seen, actor))


def record_looks(session: Session, actor: Actor, looks: Iterable[Look]) -> None:
    """Write down what an administrator has looked at."""
    for look in looks:
        audit.record(session, actor, look.action, look.where)
