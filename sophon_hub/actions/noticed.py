"""Events about what changes nothing: administrators who look at private things, and refusals."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from sophon_hub import audit
from sophon_hub.models import Dataset, Lab, ResearchGroup, ResearchProject
from sophon_hub.policy.actor import Actor
from sophon_hub.store.looks import Seen

NOUNS: dict[type, str] = {
    ResearchGroup: "group",
    ResearchProject: "project",
    Lab: "lab",
    Dataset: "dataset",
}


@dataclass(frozen=True)
class Noticed:
    """What was looked at, or refused; can be kept when the session that read it has ended."""

    action: str
    where: audit.Where
    permission: str = ""


def look_at(actor: Actor, seen: Seen) -> Noticed:
    """What is to be written down about somebody who has seen this."""
    return Noticed(f"{NOUNS[type(seen)]}:look", audit.where_of(seen, actor))


def refusal_of(actor: Actor, permission: str, subject: Seen) -> Noticed:
    """What is to be written down about somebody who may not do this."""
    return Noticed(f"{NOUNS[type(subject)]}:deny", audit.where_of(subject, actor), permission)


def record_looks(session: Session, actor: Actor, looks: Iterable[Noticed]) -> None:
    """Write down what an administrator has looked at."""
    for look in looks:
        audit.record(session, actor, look.action, look.where)


def record_refusal(session: Session, actor: Actor, refusal: Noticed, unrecorded: int) -> None:
    """Write down what somebody may not do, and how many refusals were not written before it."""
    more = {"unrecorded_before": unrecorded} if unrecorded else {}
    audit.record(
        session, actor, refusal.action, refusal.where, permission=refusal.permission, **more
    )
