"""Reads of what visitors want to try, and of what of it they may."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from sophon_hub.errors import NotFound
from sophon_hub.models import Material, ResearchProject, TemporaryLab, TemporaryState
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.trials import can_be_tried
from sophon_hub.policy.visibility import visible_projects
from sophon_hub.settings import Sophon
from sophon_hub.store import materials, projects

VISITOR = Actor()
"""Whoever has a temporary lab: nothing comes into it that guests do not see."""


def get_trial(session: Session, actor: Actor, slug: str, settings: Sophon) -> ResearchProject:
    """The project with this slug, if visitors may try its material; else NotFound."""
    project = projects.get_project(session, actor, slug)
    material = materials.find_material(session, actor, project)
    if not can_be_tried(material, project, settings):
        raise NotFound
    return project


@dataclass(frozen=True)
class Wish:
    """A visitor's lab that wants the material of a project, in a folder of this name.

    ``material_uid`` is that of the version's volume; None when it may not be tried any more.
    """

    lab: str
    project_id: int
    material_uid: str | None = None
    folder: str = ""


def system_wishes(session: Session, settings: Sophon) -> list[Wish]:
    """What is to be copied into which visitor's lab."""
    query = select(TemporaryLab).where(
        TemporaryLab.state == TemporaryState.CLAIMED,
        TemporaryLab.wish_id.is_not(None),
        TemporaryLab.brought_as == "",
        TemporaryLab.bring_trouble == "",
    )
    return [
        _wish(session, lab.name, lab.wish_id, settings)
        for lab in session.scalars(query.order_by(TemporaryLab.claimed_at))
        if lab.wish_id is not None
    ]


def _wish(session: Session, lab: str, project_id: int, settings: Sophon) -> Wish:
    material = session.scalar(
        select(Material)
        .join(Material.project)
        .options(contains_eager(Material.project))
        .where(Material.project_id == project_id, visible_projects(VISITOR))
    )
    if material is None or not can_be_tried(material, material.project, settings):
        return Wish(lab, project_id)
    return Wish(lab, project_id, material.uid, material.project.slug)
