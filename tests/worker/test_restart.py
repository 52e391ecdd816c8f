"""Which labs are restarted when somebody loses the right to work in them."""

import pytest
from sqlalchemy import Engine, select

from sophon_hub.models import AuditEvent, Job, Lab, LabState
from sophon_hub.store.engine import reading, writing
from sophon_hub.worker import restart
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
