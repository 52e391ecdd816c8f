"""Which datasets labs have: what is chosen here is mounted from the next start on."""

from sqlalchemy.orm import Session

from sophon_hub import audit
from sophon_hub.actions.labs import check_unlocked, take_lab
from sophon_hub.errors import Conflict, NotFound
from sophon_hub.models import Dataset, DatasetState, Lab, PersonalLab
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.datasets import may_be_in_labs_of
from sophon_hub.policy.permissions import Permission
from sophon_hub.store import datasets as store
from sophon_hub.store import personal as personal_store

MOST_IN_A_LAB = 20


def attach_to_lab(session: Session, actor: Actor, lab: Lab, slug: str) -> bool:
    """Give a lab a dataset from its next start on; True unless it has it already."""
    actor = _take_lab(session, actor, lab)
    dataset = store.get_dataset(session, actor, slug)
    if not may_be_in_labs_of(dataset, lab.project.group_id):
        raise Conflict("This dataset is private to another group than the lab's.")
    return _attach(session, actor, lab, dataset, "lab:attach")


def detach_from_lab(session: Session, actor: Actor, lab: Lab, slug: str) -> None:
    """Take a dataset from a lab; it has it until it is stopped."""
    actor = _take_lab(session, actor, lab)
    _detach(session, actor, lab, store.get_dataset(session, actor, slug), "lab:detach")


def _take_lab(session: Session, actor: Actor, lab: Lab) -> Actor:
    actor = take_lab(session, actor, Permission.LAB_EDIT, lab)
    check_unlocked(actor, lab)
    return actor


def attach_to_own(session: Session, actor: Actor, slug: str) -> PersonalLab:
    """Give one's personal lab a dataset from its next start on."""
    lab = personal_store.lock_own(session, actor)
    _attach(session, actor, lab, store.get_dataset(session, actor, slug), "personal:attach")
    return lab


def detach_from_own(session: Session, actor: Actor, slug: str) -> PersonalLab:
    """Take a dataset from one's personal lab; it has it until it is stopped."""
    lab = personal_store.lock_own(session, actor)
    _detach(session, actor, lab, store.get_dataset(session, actor, slug), "personal:detach")
    return lab


def _attach(
    session: Session, actor: Actor, lab: Lab | PersonalLab, dataset: Dataset, action: str
) -> bool:
    if dataset.deleted_at:
        raise Conflict("This dataset is in the trash.")
    if dataset.uid in lab.dataset_uids:
        return False
    if dataset.state is not DatasetState.READY:
        raise Conflict("This dataset is not ready yet. Its page says when it is.")
    if len(lab.dataset_uids) >= MOST_IN_A_LAB:
        raise Conflict(f"A lab has at most {MOST_IN_A_LAB} datasets; remove one first.")
    lab.dataset_uids = [*lab.dataset_uids, dataset.uid]
    audit.record(session, actor, action, lab, dataset=dataset.slug)
    return True


def _detach(
    session: Session, actor: Actor, lab: Lab | PersonalLab, dataset: Dataset, action: str
) -> None:
    if dataset.uid not in lab.dataset_uids:
        raise NotFound
    lab.dataset_uids = [uid for uid in lab.dataset_uids if uid != dataset.uid]
    audit.record(session, actor, action, lab, dataset=dataset.slug)
