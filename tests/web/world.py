"""A small populated hub: for each visibility one group, one project and one lab.

The groups are called ``public``, ``internal`` and ``private``; each has the cast in it (Ada owns,
Grace is a member, Alan a viewer), a project ``<visibility>-work`` with the same visibility and in
that a lab ``bench``, and a dataset ``<visibility>-data``. Barbara has asked to join each group.
Charles has an account at the Hub and never came to the portal.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from sophon_hub import clock, names
from sophon_hub.models import (
    AccessMode,
    Dataset,
    Lab,
    LabState,
    Person,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from tests import make
from tests.cast import ADMIN, ROLES, STANDINGS

HUB_ONLY = "charles"


def enter(session: Session) -> None:
    """Write the rows."""
    people = {
        name: make.person(session, name, is_admin=name == ADMIN)
        for name in STANDINGS
        if name != "guest"
    }
    for visibility in Visibility:
        group = make.group(
            session,
            visibility.value,
            description="**Bold** words",
            visibility=visibility,
            access=AccessMode.OPEN,
        )
        for name, role in ROLES.items():
            make.membership(session, group, people[name], role, added_by=people["ada"])
        make.request(session, group, people["barbara"], message="Let me in")
        project = make.project(session, group, f"{visibility}-work", visibility=visibility)
        make.lab(session, project, "bench")
        make.dataset(session, f"{visibility}-data", group=group, visibility=visibility, manifest="")


@dataclass
class Corner:
    """The group of one visibility, with what is in it, in one session."""

    session: Session
    group: ResearchGroup
    project: ResearchProject
    lab: Lab
    dataset: Dataset

    def person(self, name: str) -> Person:
        return person(self.session, name)


def person(session: Session, name: str) -> Person:
    """Somebody's record."""
    return session.scalars(select(Person).where(Person.username == name)).one()


def corner(session: Session, visibility: str) -> Corner:
    """The rows of one visibility."""
    found = lab(session, f"{visibility}-work", "bench")
    query = select(Dataset).where(Dataset.slug == f"{visibility}-data")
    dataset = session.scalars(query).one()
    return Corner(session, found.project.group, found.project, found, dataset)


def lab(session: Session, project: str, slug: str) -> Lab:
    """A lab, its project and group loaded."""
    return session.scalars(
        select(Lab)
        .join(Lab.project)
        .where(ResearchProject.slug == project, Lab.slug == slug)
        .options(joinedload(Lab.project).joinedload(ResearchProject.group))
    ).one()


# States that some requests need; each takes a corner.


def as_it_is(_: Corner) -> None:
    pass


def running(corner: Corner) -> None:
    corner.lab.state = LabState.RUNNING


def about_to_be_stopped(corner: Corner) -> None:
    running(corner)
    corner.lab.stops_at = clock.utcnow() + timedelta(minutes=9)


def own_labs_running(corner: Corner) -> None:
    for one in corner.session.scalars(select(Person)):
        make.personal_lab(corner.session, one, state=LabState.RUNNING)


def locked_by_grace(corner: Corner) -> None:
    corner.lab.locked_by_id = corner.person("grace").id


def running_and_locked_by_grace(corner: Corner) -> None:
    running(corner)
    locked_by_grace(corner)


def lab_in_trash(corner: Corner) -> None:
    corner.lab.deleted_at = clock.utcnow()


def project_in_trash(corner: Corner) -> None:
    corner.project.deleted_at = corner.lab.deleted_at = clock.utcnow()


def group_in_trash(corner: Corner) -> None:
    project_in_trash(corner)
    corner.group.deleted_at = corner.project.deleted_at


def dataset_in_trash(corner: Corner) -> None:
    corner.dataset.deleted_at = clock.utcnow()


def dataset_in_lab(corner: Corner) -> None:
    corner.lab.dataset_uids = [corner.dataset.uid]


def dataset_in_own_labs(corner: Corner) -> None:
    for one in corner.session.scalars(select(Person)):
        make.personal_lab(corner.session, one).dataset_uids = [corner.dataset.uid]


def material_in_homes(corner: Corner) -> None:
    """The project has material, and everybody a home that it was brought into."""
    make.material(corner.session, corner.project, lab_uid=corner.lab.uid)
    for one in corner.session.scalars(select(Person)):
        make.personal_lab(corner.session, one, home_uid=names.new_uid())
        make.delivery(
            corner.session,
            corner.project,
            one,
            conflict=[("week 1/intro.ipynb", "intro.new-2026-11-22.ipynb")],
            kept=[("notes.md", "")],
            added=[("data/stars.csv", ""), ("week 2/<b>.ipynb", "")],
            deleted=[("old.txt", "")],
        )


def history_kept(corner: Corner) -> None:
    """The portal knows of versions of notebooks in the lab."""
    make.history(corner.session, corner.lab)


def taking_requests(corner: Corner) -> None:
    corner.group.access = AccessMode.REQUEST


def by_hand(corner: Corner) -> None:
    corner.group.access = AccessMode.MANUAL
