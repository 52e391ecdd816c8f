"""What people do with datasets: register, publish, edit, check, delete, restore."""

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from sophon_hub import audit, clock, jobs, names
from sophon_hub.actions.forms import DatasetChanges, NewDataset, Publication
from sophon_hub.actions.labs import check_unlocked
from sophon_hub.actions.slugs import choose_slug
from sophon_hub.actions.trash import move_to_trash, take_from_trash
from sophon_hub.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthenticated,
    refuse,
)
from sophon_hub.models import (
    Dataset,
    DatasetKind,
    DatasetState,
    Lab,
    ResearchGroup,
    Visibility,
)
from sophon_hub.policy import obstacles
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.datasets import root_of
from sophon_hub.policy.permissions import Permission, require
from sophon_hub.settings import Sophon
from sophon_hub.store import datasets as store
from sophon_hub.store import groups as group_store
from sophon_hub.store import labs as lab_store
from sophon_hub.store import people

ONE_AT_A_TIME = "datasets"
"""Key of all these jobs: reading many datasets at once would slow down every lab."""


def register_dataset(session: Session, actor: Actor, form: NewDataset, settings: Sophon) -> Dataset:
    """Register a directory of the machine, or a volume; administrators."""
    if not actor.is_admin:
        if actor.is_guest:
            raise Unauthenticated
        raise Forbidden("Only administrators register what is on the machine.")
    if form.kind is DatasetKind.PUBLISHED:
        raise Invalid.of("kind", "Give directory or volume; a lab's folder is published there.")
    allowed = settings.dataset_roots
    if form.kind is DatasetKind.DIRECTORY and root_of(form.location, allowed) is None:
        roots = ", ".join(allowed) or "none; set SOPHON_DATASET_ROOTS"
        raise Invalid.of("location", f"Give a directory below one of the allowed: {roots}.")
    if form.kind is DatasetKind.VOLUME and not names.is_volume_name(form.location):
        raise Invalid.of("location", "Give the name of a volume.")
    group = _group(session, actor, form.group) if form.group else None
    dataset = _make(session, form, group, form.kind, form.location)
    _record_new(session, actor, dataset, location=form.location)
    return dataset


def publish_dataset(session: Session, actor: Actor, lab: Lab, form: Publication) -> Dataset:
    """Copy a folder of a lab's home into a dataset of the lab's group; members."""
    group = group_store.lock(session, lab.project.group_id)
    lab_store.lock(session, lab)
    actor = people.refresh_actor(session, actor)
    require(actor, Permission.LAB_EDIT, lab)
    check_unlocked(actor, lab)
    require(actor, Permission.DATASET_CREATE, group)
    if not names.is_inner_path(form.folder):
        raise Invalid.of("folder", "Give a folder of the lab such as data/2027, without . and ..")
    dataset = _make(session, form, group, DatasetKind.PUBLISHED, form.folder, lab.uid)
    _record_new(session, actor, dataset, lab=f"{lab.project.slug}/{lab.slug}", folder=form.folder)
    return dataset


def _group(session: Session, actor: Actor, slug: str) -> ResearchGroup:
    try:
        group = group_store.get_group(session, actor, slug)
    except NotFound:
        raise Invalid.of("group", "There is no such group, or you may not see it.") from None
    group = group_store.lock(session, group.id)
    require(actor, Permission.DATASET_CREATE, group)
    return group


def _make(
    session: Session,
    form: NewDataset | Publication,
    group: ResearchGroup | None,
    kind: DatasetKind,
    location: str,
    lab_uid: str | None = None,
) -> Dataset:
    default = Visibility.INTERNAL if group is None else Visibility.PRIVATE
    visibility = form.visibility or default
    _check_visibility(group, visibility)
    slug = choose_slug(
        form.name,
        form.slug,
        lambda slug: bool(session.scalar(select(exists().where(Dataset.slug == slug)))),
    )
    dataset = Dataset(
        uid=names.new_uid(),
        slug=slug,
        group=group,
        name=form.name,
        description=form.description,
        licence=form.licence,
        source=form.source,
        visibility=visibility,
        kind=kind,
        location=location,
        lab_uid=lab_uid,
        state=DatasetState.PREPARING,
        message="Waiting for its turn",
        created_at=clock.utcnow(),
    )
    session.add(dataset)
    session.flush()
    return dataset


def _record_new(session: Session, actor: Actor, dataset: Dataset, **detail: str) -> None:
    audit.record(
        session,
        actor,
        "dataset:create",
        dataset,
        name=dataset.name,
        visibility=dataset.visibility,
        kind=dataset.kind,
        **detail,
    )
    _enqueue(session, "prepare_dataset", dataset)


def _enqueue(session: Session, kind: str, dataset: Dataset) -> None:
    jobs.enqueue(session, kind, ONE_AT_A_TIME, dataset_id=dataset.id)


def _check_visibility(group: ResearchGroup | None, visibility: Visibility) -> None:
    if group is not None and visibility.openness > group.visibility.openness:
        raise Invalid.of(
            "visibility",
            f"The group is {group.visibility}; a dataset cannot be seen by more people.",
        )


def edit_dataset(session: Session, actor: Actor, dataset: Dataset, form: DatasetChanges) -> Dataset:
    """Change what is said about a dataset, or who sees it."""
    group = _lock(session, dataset)
    actor = people.refresh_actor(session, actor)
    require(actor, Permission.DATASET_EDIT, dataset)
    changes = form.changes()
    if changes.get("visibility", dataset.visibility) is not dataset.visibility:
        require(actor, Permission.DATASET_VISIBILITY, dataset)
        _check_visibility(group, form.visibility)
    before = {name: getattr(dataset, name) for name in changes}
    for name, value in changes.items():
        setattr(dataset, name, value)
    audit.record(session, actor, "dataset:edit", dataset, before=before, after=changes)
    return dataset


def _lock(session: Session, dataset: Dataset) -> ResearchGroup | None:
    """Lock the dataset and its group: groups first, always."""
    group = None if dataset.group_id is None else group_store.lock(session, dataset.group_id)
    store.lock(session, dataset)
    return group


def verify_dataset(session: Session, actor: Actor, dataset: Dataset) -> Dataset:
    """Have the files compared with the manifest."""
    _lock(session, dataset)
    require(people.refresh_actor(session, actor), Permission.DATASET_EDIT, dataset)
    if dataset.state is not DatasetState.READY:
        raise Conflict("This dataset has no manifest yet that it could be compared with.")
    audit.record(session, actor, "dataset:verify", dataset)
    _enqueue(session, "verify_dataset", dataset)
    return dataset


def refresh_dataset(session: Session, actor: Actor, dataset: Dataset) -> Dataset:
    """Have the manifest made anew from the files as they are now; not of published ones."""
    _lock(session, dataset)
    require(people.refresh_actor(session, actor), Permission.DATASET_EDIT, dataset)
    if dataset.kind is DatasetKind.PUBLISHED and dataset.state is not DatasetState.FAILED:
        raise Conflict("What was published does not change. Publish the folder again instead.")
    dataset.state, dataset.message = DatasetState.PREPARING, "Waiting for its turn"
    audit.record(session, actor, "dataset:refresh", dataset)
    _enqueue(session, "prepare_dataset", dataset)
    return dataset


def delete_dataset(session: Session, actor: Actor, dataset: Dataset) -> None:
    """Move a dataset to the trash: no lab gets it at its next start."""
    _lock(session, dataset)
    require(people.refresh_actor(session, actor), Permission.DATASET_DELETE, dataset)
    if dataset.deleted_at:
        raise Conflict("This dataset is in the trash already.")
    move_to_trash(session, actor, [dataset])
    audit.record(session, actor, "dataset:delete", dataset)


def restore_dataset(session: Session, actor: Actor, dataset: Dataset) -> Dataset:
    """Take a dataset out of the trash."""
    _lock(session, dataset)
    require(people.refresh_actor(session, actor), Permission.DATASET_DELETE, dataset)
    if not dataset.deleted_at:
        raise Conflict("This dataset is not in the trash.")
    refuse(obstacles.to_restoring(dataset))
    take_from_trash(dataset.deleted_at, [dataset])
    audit.record(session, actor, "dataset:restore", dataset)
    return dataset
