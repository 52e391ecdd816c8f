"""Which labs are restarted when somebody loses the right to work in them."""

import pytest
from sqlalchemy import Engine, select

from sophon_hub.clock import utcnow
from sophon_hub.models import AuditEvent, Job, Lab, LabState, ResearchProject
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from sophon_hub.worker import restart
from sophon_hub.worker.context import Context
from tests import make
from tests.cast import Cast


@pytest.fixture
def group(sqlite_engine: Engine) -> str:
    """A research group with labs in every state, of which all but one want it."""
    with writing(sqlite_engine) as session:
        cast = Cast.enter(session)
        project = make.project(session, cast.group)
        for state in LabState:
            make.lab(session, project, state.value, state=state).restart_on_removal = True
        make.lab(session, project, "other", state=LabState.RUNNING)
        return cast.group.slug


def test_running_labs_that_want_it_and_no_others(sqlite_engine: Engine, group: str) -> None:
    with writing(sqlite_engine) as session:
        restart.enqueue(session, group)

    with reading(sqlite_engine) as session:
        lab = session.scalars(select(Lab).where(Lab.slug == "running")).one()
        assert (lab.state, lab.message) == (LabState.STOPPING, restart.MESSAGE)
        assert (lab.stop_reason, lab.stopped_by_id) == (restart.REASON, None)
        other = session.scalars(select(Lab).where(Lab.slug == "other")).one()
        assert other.state is LabState.RUNNING
        jobs = [(job.kind, job.payload) for job in session.scalars(select(Job))]
        assert jobs == [("restart_lab", {"lab_id": lab.id})]
        (event,) = session.scalars(select(AuditEvent).where(AuditEvent.action == "lab:restart"))
        assert event.actor is None
        assert event.subject.endswith("/running")


def test_what_restarts_already_is_left_alone(sqlite_engine: Engine, group: str) -> None:
    for _ in range(2):
        with writing(sqlite_engine) as session:
            restart.enqueue(session, group)

    with reading(sqlite_engine) as session:
        assert len(session.scalars(select(Job)).all()) == 1


def test_other_research_groups_do_not_matter(sqlite_engine: Engine, group: str) -> None:
    with writing(sqlite_engine) as session:
        restart.enqueue(session, f"{group}-2")

    with reading(sqlite_engine) as session:
        assert session.scalars(select(Job)).all() == []


class Hub:
    """A hub in which every server is gone as soon as somebody wants that, and none is started."""

    async def stop_server(self, account: str, server: str) -> None:
        """It is gone."""

    async def server(self, account: str, server: str) -> None:
        """There is none."""


async def test_a_lab_whose_project_was_deleted_meanwhile_stays_stopped(
    sqlite_engine: Engine, group: str
) -> None:
    with writing(sqlite_engine) as session:
        restart.enqueue(session, group)
        lab = session.scalars(select(Lab).where(Lab.slug == "running")).one()
        session.get_one(ResearchProject, lab.project_id).deleted_at = utcnow()
        number = lab.id

    context = Context(sqlite_engine, Hub(), Sophon())  # type: ignore[arg-type]
    await restart.restart_lab(context, number)

    with reading(sqlite_engine) as session:
        assert session.get_one(Lab, number).state is LabState.STOPPED
