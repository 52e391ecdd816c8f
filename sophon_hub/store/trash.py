"""What is in the trash and what it leaves behind. For the worker only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from sophon_hub import names
from sophon_hub.models import (
    Dataset,
    DatasetKind,
    DatasetState,
    Lab,
    Material,
    ResearchGroup,
    ResearchProject,
)

Thing = ResearchGroup | ResearchProject | Lab | Dataset


class Kind(StrEnum):
    """What can be in the trash, in the words of events and jobs."""

    GROUP = "group"
    PROJECT = "project"
    LAB = "lab"
    DATASET = "dataset"


def kind_of(thing: Thing) -> Kind:
    """The word for this thing."""
    if isinstance(thing, ResearchGroup):
        return Kind.GROUP
    if isinstance(thing, ResearchProject):
        return Kind.PROJECT
    return Kind.LAB if isinstance(thing, Lab) else Kind.DATASET


@dataclass(frozen=True)
class Deleted:
    """Something that was moved to the trash by itself, not with what it is in."""

    kind: Kind
    number: int
    deleted_by_id: int | None


def _waiting(model: type[Thing]) -> ColumnElement[bool]:
    return and_(model.deleted_at.is_not(None), model.purge_started_at.is_(None))


def _on_its_own(model: type[Thing], parent: type[Thing]) -> ColumnElement[bool]:
    """What went to the trash with what it is in carries the same time."""
    return model.deleted_at.is_distinct_from(parent.deleted_at)


def system_deletions(
    session: Session, *, before: datetime | None = None, group_id: int | None = None
) -> list[Deleted]:
    """What is in the trash and not being removed yet: groups, projects, labs, datasets.

    ``before`` gives only what was deleted until then, ``group_id`` only what is in a group.
    """
    group, project = ResearchGroup, ResearchProject
    queries: list[tuple[Kind, type[Thing], Select[int, int | None]]] = [
        (Kind.GROUP, group, select(group.id, group.deleted_by_id)),
        (
            Kind.PROJECT,
            project,
            select(project.id, project.deleted_by_id)
            .join(project.group)
            .where(_on_its_own(project, group)),
        ),
        (
            Kind.LAB,
            Lab,
            select(Lab.id, Lab.deleted_by_id).join(Lab.project).where(_on_its_own(Lab, project)),
        ),
        (
            Kind.DATASET,
            Dataset,
            select(Dataset.id, Dataset.deleted_by_id)
            .outerjoin(Dataset.group)
            .where(_on_its_own(Dataset, group)),
        ),
    ]
    found = []
    for kind, model, every in queries:
        query = every.where(_waiting(model)).order_by(model.id)
        if before is not None:
            query = query.where(model.deleted_at <= before)
        if group_id is not None:
            column = {Kind.GROUP: group.id, Kind.DATASET: Dataset.group_id}
            query = query.where(column.get(kind, project.group_id) == group_id)
        found += [Deleted(kind, number, by) for number, by in session.execute(query)]
    return found


def system_thing(session: Session, kind: Kind, number: int) -> Thing | None:
    """The thing with what it is in loaded, whoever asks; None when it is gone."""
    if kind is Kind.GROUP:
        return session.get(ResearchGroup, number)
    if kind is Kind.PROJECT:
        return session.get(ResearchProject, number, options=[joinedload(ResearchProject.group)])
    if kind is Kind.LAB:
        return session.get(
            Lab,
            number,
            options=[
                joinedload(Lab.project).joinedload(ResearchProject.group),
                joinedload(Lab.locked_by),
            ],
        )
    return session.get(Dataset, number, options=[joinedload(Dataset.group)])


@dataclass(frozen=True)
class Remains:
    """What is left outside the database of something that is being removed.

    ``group`` is the slug whose hub groups and role go; ``accounts`` are collaboration accounts
    that go with all their servers, ``servers`` those that go alone, as account and name;
    ``homes`` and ``datasets`` are ids of volumes, ``materials`` the numbers of projects that have
    course material. ``busy``: a copy is being made just now.
    """

    group: str | None = None
    accounts: tuple[str, ...] = ()
    servers: tuple[tuple[str, str], ...] = ()
    homes: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    materials: tuple[int, ...] = ()
    busy: bool = False


def system_remains(session: Session, kind: Kind, number: int) -> Remains | None:
    """What has to be cleared away of something; None unless it is being removed."""
    thing = system_thing(session, kind, number)
    if thing is None or thing.purge_started_at is None:
        return None
    if isinstance(thing, Lab):
        account = names.account_name(thing.project.slug)
        return Remains(servers=((account, thing.slug),), homes=(thing.uid,))
    if isinstance(thing, Dataset):
        return _of_datasets([thing], Remains())
    if isinstance(thing, ResearchProject):
        return _of_projects(session, ResearchProject.id == thing.id, None)
    datasets = session.scalars(
        select(Dataset).where(Dataset.group_id == thing.id).order_by(Dataset.id)
    ).all()
    projects = _of_projects(session, ResearchProject.group_id == thing.id, thing.slug)
    return _of_datasets(datasets, projects)


def _of_projects(session: Session, condition: ColumnElement[bool], group: str | None) -> Remains:
    slugs = session.scalars(select(ResearchProject.slug).where(condition).order_by("slug")).all()
    labs = session.scalars(
        select(Lab)
        .join(Lab.project)
        .where(condition)
        .options(contains_eager(Lab.project))
        .order_by(Lab.id)
    ).all()
    materials = session.scalars(
        select(Material).join(Material.project).where(condition).order_by(Material.id)
    ).all()
    return Remains(
        group=group,
        accounts=tuple(names.account_name(slug) for slug in slugs),
        homes=tuple(lab.uid for lab in labs),
        materials=tuple(one.project_id for one in materials),
        busy=any(one.state is DatasetState.PREPARING for one in materials),
    )


def _of_datasets(datasets: Sequence[Dataset], others: Remains) -> Remains:
    """Only what was published here is ours to remove; directories and volumes are the site's."""
    published = [one for one in datasets if one.kind is DatasetKind.PUBLISHED]
    return replace(
        others,
        datasets=tuple(one.uid for one in published),
        busy=others.busy or any(one.state is DatasetState.PREPARING for one in datasets),
    )


def system_address(session: Session, deleted: Deleted) -> str:
    """Where something is in the portal, below its prefix."""
    thing = system_thing(session, deleted.kind, deleted.number)
    if thing is None:
        return ""
    if isinstance(thing, Lab):
        return f"projects/{thing.project.slug}/labs/{thing.slug}"
    return f"{deleted.kind}s/{thing.slug}"
