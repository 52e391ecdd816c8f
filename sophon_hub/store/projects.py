"""Reads of projects."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, false, func, select
from sqlalchemy.orm import Session, contains_eager

from sophon_hub import names
from sophon_hub.errors import NotFound
from sophon_hub.models import Lab, ResearchGroup, ResearchProject, Visibility
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.visibility import visible_groups, visible_projects
from sophon_hub.store.locking import lock_rows
from sophon_hub.store.looks import note_look
from sophon_hub.store.paging import Page, Paging, fetch_page, matches


@dataclass(frozen=True)
class ProjectSummary:
    """A project, its group loaded, with the number of its labs."""

    project: ResearchProject
    lab_count: int


def _summaries(actor: Actor) -> Select[ResearchProject, int]:
    labs = (
        select(func.count())
        .select_from(Lab)
        .where(Lab.project_id == ResearchProject.id, Lab.deleted_at.is_(None))
        .scalar_subquery()
    )
    return (
        select(ResearchProject, labs)
        .join(ResearchProject.group)
        .options(contains_eager(ResearchProject.group))
        .where(visible_projects(actor))
    )


def list_projects(
    session: Session,
    actor: Actor,
    paging: Paging,
    *,
    q: str = "",
    group: str | None = None,
    visibility: Visibility | None = None,
    mine: bool = False,
    trash: bool = False,
) -> Page[ProjectSummary]:
    """Projects the actor may see, by slug; ``trash`` lists the deleted ones instead."""
    deleted = ResearchProject.deleted_at
    query = _summaries(actor).where(deleted.is_not(None) if trash else deleted.is_(None))
    if q.strip():
        query = query.where(matches(q, ResearchProject.name, ResearchProject.slug))
    if group is not None:
        fits = ResearchGroup.slug == group if names.is_slug(group) else false()
        query = query.where(fits, visible_groups(actor))
    if visibility:
        query = query.where(ResearchProject.visibility == visibility)
    if mine:
        query = query.where(ResearchProject.group_id.in_(sorted(actor.memberships)))
    return fetch_page(
        session,
        query,
        ResearchProject.slug,
        paging,
        lambda row: ProjectSummary(*row),
        lambda summary: summary.project.slug,
    )


def get_project(session: Session, actor: Actor, slug: str) -> ResearchProject:
    """The project with its group loaded, or NotFound when it is not there or not visible."""
    return get_summary(session, actor, slug).project


def get_summary(session: Session, actor: Actor, slug: str) -> ProjectSummary:
    """The project with its group and the number of its labs, or NotFound."""
    if not names.is_slug(slug):
        raise NotFound
    row = session.execute(_summaries(actor).where(ResearchProject.slug == slug)).first()
    if row is None:
        raise NotFound
    note_look(session, actor, row[0])
    return ProjectSummary(row[0], row[1])


def lock(session: Session, project: ResearchProject) -> None:
    """Take the project's row for this transaction and read it again, so that its state holds."""
    columns = [column.key for column in ResearchProject.__mapper__.column_attrs]
    session.flush()  # refresh would throw away what this transaction has changed so far
    session.refresh(project, columns, with_for_update=True)


def system_group_id(session: Session, project_id: int) -> int | None:
    """The research group of a project as it is now, whoever asks; None when the project is gone."""
    return session.scalar(select(ResearchProject.group_id).where(ResearchProject.id == project_id))


def system_projects_of(
    session: Session, group: ResearchGroup, *, lock: bool = False
) -> Sequence[ResearchProject]:
    """All projects of a group, whoever asks; for rules and for the projection to the Hub.

    ``lock`` takes the rows for this transaction.
    """
    of_group = ResearchProject.group_id == group.id
    if lock:
        return lock_rows(session, ResearchProject, of_group)
    return session.scalars(
        select(ResearchProject).where(of_group).order_by(ResearchProject.id)
    ).all()
