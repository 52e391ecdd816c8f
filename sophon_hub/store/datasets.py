"""Reads of datasets."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Select, false, select
from sqlalchemy.orm import Session, joinedload, undefer

from sophon_hub import names
from sophon_hub.errors import NotFound
from sophon_hub.models import Dataset, ResearchGroup
from sophon_hub.models.servers import HasServer
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.datasets import fits_group, is_mountable
from sophon_hub.policy.visibility import visible_datasets, visible_groups
from sophon_hub.store.locking import lock_rows
from sophon_hub.store.looks import note_look
from sophon_hub.store.paging import Page, Paging, fetch_page, matches

MOST_CHOICES = 200
"""Datasets offered in a form; who knows the address of another one uses the API."""


def _datasets(actor: Actor) -> Select[Dataset]:
    return select(Dataset).options(joinedload(Dataset.group)).where(visible_datasets(actor))


def list_datasets(
    session: Session,
    actor: Actor,
    paging: Paging,
    *,
    q: str = "",
    group: str | None = None,
    trash: bool = False,
) -> Page[Dataset]:
    """Datasets the actor may see, by slug; ``trash`` lists the deleted ones instead."""
    deleted = Dataset.deleted_at
    query = _datasets(actor).where(deleted.is_not(None) if trash else deleted.is_(None))
    if q.strip():
        query = query.where(matches(q, Dataset.name, Dataset.slug))
    if group is not None:
        fits = ResearchGroup.slug == group if names.is_slug(group) else false()
        query = query.join(Dataset.group).where(fits, visible_groups(actor))
    return fetch_page(
        session, query, Dataset.slug, paging, lambda row: row[0], lambda dataset: dataset.slug
    )


def get_dataset(session: Session, actor: Actor, slug: str) -> Dataset:
    """The dataset with its group loaded, or NotFound when it is not there or not visible."""
    if not names.is_slug(slug):
        raise NotFound
    dataset = session.scalar(_datasets(actor).where(Dataset.slug == slug))
    if dataset is None:
        raise NotFound
    note_look(session, actor, dataset)
    return dataset


def get_manifest(session: Session, actor: Actor, slug: str) -> str:
    """The manifest of a visible dataset; NotFound as well when there is none yet."""
    if not names.is_slug(slug):
        raise NotFound
    query = _datasets(actor).where(Dataset.slug == slug).options(undefer(Dataset.manifest))
    dataset = session.scalar(query)
    if dataset is None or dataset.manifest is None:
        raise NotFound
    note_look(session, actor, dataset)
    return dataset.manifest


def find_attached(session: Session, actor: Actor, labs: Iterable[HasServer]) -> dict[str, Dataset]:
    """The datasets of these labs by uid, as far as the actor may know of them; one statement."""
    uids = {uid for lab in labs for uid in lab.dataset_uids}
    if not uids:
        return {}
    query = _datasets(actor).where(Dataset.uid.in_(sorted(uids)), Dataset.deleted_at.is_(None))
    return {dataset.uid: dataset for dataset in session.scalars(query)}


def list_usable(session: Session, actor: Actor, group_id: int | None) -> Sequence[Dataset]:
    """Datasets that can be chosen for labs of a group, or with None for the actor's own lab."""
    query = _datasets(actor).where(is_mountable())
    if group_id is not None:
        query = query.where(fits_group(group_id))
    return session.scalars(query.order_by(Dataset.name, Dataset.id).limit(MOST_CHOICES)).all()


def lock(session: Session, dataset: Dataset) -> None:
    """Take the dataset's row for this transaction and read it again, so that its state holds."""
    columns = [column.key for column in Dataset.__table__.columns if column.key != "manifest"]
    session.flush()  # refresh would throw away what this transaction has changed so far
    session.refresh(dataset, columns, with_for_update=True)


def system_datasets_of(
    session: Session, group: ResearchGroup, *, lock: bool = False
) -> Sequence[Dataset]:
    """All datasets of a group, whoever asks; ``lock`` takes the rows for this transaction."""
    of_group = Dataset.group_id == group.id
    if lock:
        return lock_rows(session, Dataset, of_group)
    return session.scalars(select(Dataset).where(of_group).order_by(Dataset.id)).all()


def system_dataset(session: Session, dataset_id: int) -> Dataset | None:
    """A dataset with its manifest, whoever asks; for the worker."""
    query = select(Dataset).where(Dataset.id == dataset_id).options(undefer(Dataset.manifest))
    return session.scalar(query)
