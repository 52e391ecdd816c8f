"""Reads of course material, and of what of it was brought into people's homes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, contains_eager

from sophon_hub import clock
from sophon_hub.errors import NotFound
from sophon_hub.models import (
    Delivery,
    DeliveryState,
    DeliveryVerb,
    Lab,
    Material,
    PersonalLab,
    ResearchProject,
)
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import require_person
from sophon_hub.policy.visibility import visible_projects
from sophon_hub.store.people import find_actor


def find_material(session: Session, actor: Actor, project: ResearchProject) -> Material | None:
    """The material of a project the actor sees; None when it has none."""
    query = _of(project).join(Material.project).where(visible_projects(actor))
    return session.scalar(query)


def get_material(session: Session, actor: Actor, project: ResearchProject) -> Material:
    """The material of a project, or NotFound."""
    found = find_material(session, actor, project)
    if found is None:
        raise NotFound
    return found


def lock_material(session: Session, project: ResearchProject) -> Material | None:
    """The material of a project for this transaction, as it is now."""
    query = _of(project).with_for_update().execution_options(populate_existing=True)
    return session.scalar(query)


def _of(project: ResearchProject) -> Select[Material]:
    return select(Material).where(Material.project_id == project.id)


def find_source(session: Session, actor: Actor, material: Material) -> Lab | None:
    """The lab that a folder is published from, as long as the actor sees it."""
    query = select(Lab).join(Lab.project).where(Lab.uid == material.lab_uid)
    return session.scalar(query.where(visible_projects(actor), Lab.deleted_at.is_(None)))


def find_delivery(session: Session, actor: Actor, project: ResearchProject) -> Delivery:
    """What was brought to the actor; who never asked has one that says so.

    Raises:
        Unauthenticated: the actor is a guest.
    """
    person_id = require_person(actor)
    query = select(Delivery).where(
        Delivery.project_id == project.id, Delivery.person_id == person_id
    )
    return session.scalar(query) or Delivery(
        project_id=project.id,
        person_id=person_id,
        state=DeliveryState.NEVER,
        verb=DeliveryVerb.GET,
        path="",
        message="",
        on_start=False,
        asked_at=clock.utcnow(),
    )


def system_due_at_start(session: Session, lab: PersonalLab) -> Sequence[Delivery]:
    """What somebody wants brought when their lab starts, and does not have the newest version of.

    Only of projects that they still see. The lab's person has to be loaded.
    """
    person, now = lab.person, clock.utcnow()
    actor = find_actor(session, person.username, is_admin=person.is_admin, via="system", now=now)
    query = (
        select(Delivery)
        .join(Delivery.project)
        .join(Material, Material.project_id == Delivery.project_id)
        .where(
            Delivery.person_id == person.id,
            Delivery.on_start,
            Delivery.state != DeliveryState.WAITING,
            visible_projects(actor or Actor()),
            ResearchProject.deleted_at.is_(None),
            Material.uid.is_not(None),
            Delivery.version.is_distinct_from(Material.version),
        )
    )
    return session.scalars(query.order_by(Delivery.id)).all()


def system_material(session: Session, project_id: int) -> Material | None:
    """The material of a project, whoever asks; for the worker."""
    return session.scalar(select(Material).where(Material.project_id == project_id))


def system_material_uids(session: Session, project_id: int) -> set[str]:
    """The versions of a project's material that are needed, or being made."""
    found = system_material(session, project_id)
    return {found.uid or "", found.next_uid} if found else set()


@dataclass(frozen=True)
class DeliverySpec:
    """All that the worker needs to know to bring material into a home.

    ``home_uid`` and ``material_uid`` are those of the volumes; ``folder`` is where it goes to.
    ``report`` is that of the time before.
    """

    verb: DeliveryVerb
    path: str
    home_uid: str
    image: str | None
    material_uid: str
    version: int
    folder: str
    report: dict[str, Any] | None = None


def system_delivery(session: Session, delivery_id: int) -> DeliverySpec | None:
    """What is to be done for a delivery that waits; None when there is nothing to do any more."""
    found = session.execute(
        select(Delivery, PersonalLab, Material)
        .join(PersonalLab, PersonalLab.person_id == Delivery.person_id)
        .join(Material, Material.project_id == Delivery.project_id)
        .join(Delivery.project)
        .options(contains_eager(Delivery.project))
        .where(Delivery.id == delivery_id, Delivery.state == DeliveryState.WAITING)
    ).first()
    if found is None:
        return None
    delivery, lab, material = found
    if lab.home_uid is None or material.uid is None:
        return None
    return DeliverySpec(
        delivery.verb,
        delivery.path,
        lab.home_uid,
        lab.image,
        material.uid,
        material.version,
        delivery.project.slug,
        delivery.report,
    )
