"""Reads of labs."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from sqlalchemy import Select, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session, contains_eager, joinedload

from sophon_hub import names
from sophon_hub.errors import NotFound
from sophon_hub.models import Lab, LabState, ResearchGroup, ResearchProject
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.visibility import visible_labs
from sophon_hub.store.locking import lock_rows
from sophon_hub.store.looks import note_look
from sophon_hub.store.paging import Page, Paging, fetch_page


def _labs(actor: Actor) -> Select[Lab]:
    return (
        select(Lab)
        .join(Lab.project)
        .join(ResearchProject.group)
        .options(
            contains_eager(Lab.project).contains_eager(ResearchProject.group),
            joinedload(Lab.locked_by),
            joinedload(Lab.started_by),
            joinedload(Lab.stopped_by),
        )
        .where(visible_labs(actor))
    )


def list_labs(
    session: Session, actor: Actor, project: ResearchProject, paging: Paging, *, trash: bool = False
) -> Page[Lab]:
    """The labs of a project, by slug; ``trash`` lists the deleted ones instead."""
    deleted = Lab.deleted_at
    query = _labs(actor).where(
        Lab.project_id == project.id, deleted.is_not(None) if trash else deleted.is_(None)
    )
    return fetch_page(session, query, Lab.slug, paging, lambda row: row[0], lambda lab: lab.slug)


def get_lab(session: Session, actor: Actor, project: str, slug: str) -> Lab:
    """The lab with project and group loaded, or NotFound when not there or not visible."""
    if not (names.is_slug(project) and names.is_slug(slug)):
        raise NotFound
    lab = session.scalar(_labs(actor).where(ResearchProject.slug == project, Lab.slug == slug))
    if lab is None:
        raise NotFound
    note_look(session, actor, lab)
    return lab


def find_lab(session: Session, actor: Actor, number: int | None) -> Lab | None:
    """The lab with this number, with project and group, if the actor may see it."""
    return session.scalar(_labs(actor).where(Lab.id == number)) if number else None


def lock(session: Session, lab: Lab) -> None:
    """Take the lab's row for this transaction and read it again, so that its state holds."""
    columns = [column.key for column in Lab.__mapper__.column_attrs]
    session.flush()  # refresh would throw away what this transaction has changed so far
    try:
        session.refresh(lab, columns, with_for_update=True)
    except InvalidRequestError:
        raise NotFound from None  # removed for good, since it was found
    session.refresh(lab, ["locked_by", "started_by", "stopped_by"])


def list_running_labs(session: Session, project: ResearchProject) -> Sequence[Lab]:
    """Labs of a project that have a server, by name; who asks sees the project."""
    running = Lab.state.in_([state for state in LabState if state.has_server])
    query = select(Lab).where(Lab.project_id == project.id, running, Lab.deleted_at.is_(None))
    return session.scalars(query.order_by(Lab.name, Lab.id)).all()


def list_active_labs(session: Session, actor: Actor) -> Sequence[Lab]:
    """Labs of the actor's own groups that are not stopped, for the home page."""
    query = _labs(actor).where(
        ResearchProject.group_id.in_(sorted(actor.memberships)),
        Lab.state != LabState.STOPPED,
        Lab.deleted_at.is_(None),
    )
    return session.scalars(query.order_by(Lab.name, Lab.id)).all()


def system_lab(session: Session, lab_id: int) -> Lab | None:
    """The lab with project and group loaded, whoever asks; for the worker."""
    return session.scalar(
        select(Lab)
        .join(Lab.project)
        .join(ResearchProject.group)
        .options(contains_eager(Lab.project).contains_eager(ResearchProject.group))
        .where(Lab.id == lab_id)
    )


def system_labs_of(
    session: Session, project_ids: Sequence[int], *, lock: bool = False
) -> Sequence[Lab]:
    """All labs of these projects, whoever asks; ``lock`` takes the rows for this transaction."""
    of_projects = Lab.project_id.in_(project_ids)
    if lock:
        return lock_rows(session, Lab, of_projects)
    return session.scalars(select(Lab).where(of_projects).order_by(Lab.id)).all()


def system_to_restart(session: Session, group: str) -> list[Lab]:
    """Running labs of a research group (slug) that restart when somebody loses access; locked."""
    query = (
        select(Lab)
        .join(Lab.project)
        .join(ResearchProject.group)
        .options(contains_eager(Lab.project).contains_eager(ResearchProject.group))
        .where(ResearchGroup.slug == group, Lab.restart_on_removal)
        .order_by(Lab.id)
    )
    found = session.scalars(query).all()
    for lab in found:
        session.refresh(lab, ["state"], with_for_update=True)
    return [lab for lab in found if lab.state is LabState.RUNNING]


def system_labs_with_servers(session: Session) -> Sequence[Lab]:
    """Labs that have, or should have, a server at the Hub; for the reconcile pass."""
    query = (
        select(Lab)
        .join(Lab.project)
        .join(ResearchGroup, ResearchProject.group_id == ResearchGroup.id)
        .options(contains_eager(Lab.project))
        .where(Lab.state.in_([state for state in LabState if state.has_server]))
    )
    return session.scalars(query.order_by(Lab.id)).all()


def system_labs_by_server(
    session: Session, servers: AbstractSet[tuple[str, str]]
) -> dict[tuple[str, str], Lab]:
    """The labs that these servers, given as account and server name, stand for."""
    projects = {names.project_of_account(account) for account, _ in servers}
    query = (
        select(Lab)
        .join(Lab.project)
        .options(contains_eager(Lab.project))
        .where(ResearchProject.slug.in_(sorted(slug for slug in projects if slug)))
    )
    found = {
        (names.account_name(lab.project.slug), lab.slug): lab for lab in session.scalars(query)
    }
    return {key: lab for key, lab in found.items() if key in servers}


def lock_labs_locked_by(session: Session, person_id: int) -> Sequence[Lab]:
    """Take the rows of the labs that somebody has locked; project and locker are loaded."""
    by_person = Lab.locked_by_id == person_id
    relations = (joinedload(Lab.project), joinedload(Lab.locked_by))
    session.scalars(select(Lab).where(by_person).options(*relations)).all()
    return lock_rows(session, Lab, by_person)
