"""A hub in which every action can be done by somebody and is refused to somebody else.

Optics (open) has Ada, Grace and Alan, the project lens and its labs; Barbara asked to join waves,
which is Ada's; gone, old and lost are in the trash.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from sophon_hub import names
from sophon_hub.models import (
    AccessMode,
    Dataset,
    Lab,
    LabState,
    MemberRole,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from tests import make
from tests.cast import Cast


def build(session: Session) -> None:
    cast = Cast.enter(session, access=AccessMode.OPEN)
    make.dataset(session, "stars", group=cast.group)
    make.dataset(session, "bones", group=cast.group, deleted_at=make.LONG_AGO)
    used = make.dataset(session, "used", group=cast.group)
    make.personal_lab(session, cast.people["alan"], state=LabState.RUNNING)
    waves = make.group(session, "waves", access=AccessMode.REQUEST)
    gone = make.group(session, "gone", deleted_at=make.LONG_AGO)
    for group in (waves, gone):
        make.membership(session, group, cast.people["ada"], MemberRole.OWNER)
    make.request(session, waves, cast.people["barbara"], message="please")
    lens = make.project(session, cast.group, "lens", visibility=Visibility.PUBLIC)
    make.project(session, cast.group, "still", visibility=Visibility.PUBLIC)
    make.project(session, cast.group, "old", deleted_at=make.LONG_AGO)
    make.history(session, make.lab(session, lens, "bench"))
    make.lab(session, lens, "running", state=LabState.RUNNING).dataset_uids = [used.uid]
    make.personal_lab(session, cast.people["ada"]).dataset_uids = [used.uid]
    make.lab(session, lens, "locked", locked_by=cast.people["grace"])
    make.lab(session, lens, "lost", deleted_at=make.LONG_AGO)
    make.material(session, lens)
    for name in ("grace", "root"):
        make.personal_lab(session, cast.people[name], home_uid=names.new_uid())
        make.delivery(session, lens, cast.people[name])


def group(session: Session, slug: str = "optics") -> ResearchGroup:
    return session.scalars(select(ResearchGroup).filter_by(slug=slug)).one()


def project(session: Session, slug: str = "lens") -> ResearchProject:
    query = select(ResearchProject).options(joinedload(ResearchProject.group))
    return session.scalars(query.filter_by(slug=slug)).one()


def dataset(session: Session, slug: str = "stars") -> Dataset:
    query = select(Dataset).options(joinedload(Dataset.group))
    return session.scalars(query.filter_by(slug=slug)).one()


def lab(session: Session, slug: str = "bench") -> Lab:
    query = select(Lab).options(
        joinedload(Lab.project).joinedload(ResearchProject.group), joinedload(Lab.locked_by)
    )
    return session.scalars(query.filter_by(slug=slug)).one()
