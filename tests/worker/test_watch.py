"""What the worker makes of a difference between a lab's state and the Hub's servers."""

from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import Engine

from sophon_hub.hub import Account, Server
from sophon_hub.models import Lab, LabState
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from sophon_hub.worker.context import Context
from sophon_hub.worker.reconcile import watch
from tests import make
from tests.cast import Cast

SERVER = Server(
    "project-lens", "bench", ready=True, pending=None, stopped=False, last_activity=None
)


class Hub:
    """Tells of one server or none; something may happen while it is asked."""

    def __init__(self, *servers: Server, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._servers = servers
        self._meanwhile = meanwhile

    async def accounts(self, *, active_only: bool = False) -> AsyncIterator[Account]:
        assert active_only
        self._meanwhile()
        yield Account("project-lens", admin=False, display_name=None, servers=self._servers)


@pytest.fixture
def lab_id(sqlite_engine: Engine) -> int:
    with writing(sqlite_engine) as session:
        lab = make.lab(session, make.project(session, Cast.enter(session).group))
        session.flush()
        return lab.id


def put(engine: Engine, lab_id: int, state: LabState) -> None:
    with writing(engine) as session:
        session.get_one(Lab, lab_id).state = state


def state_of(engine: Engine, lab_id: int) -> LabState:
    with reading(engine) as session:
        return session.get_one(Lab, lab_id).state


@pytest.mark.parametrize(
    ("servers", "state", "corrected"),
    [((), LabState.RUNNING, LabState.STOPPED), ((SERVER,), LabState.STOPPED, LabState.RUNNING)],
)
@pytest.mark.parametrize("just_now", [False, True])
async def test_a_lab_is_corrected_unless_it_came_to_its_state_while_the_hub_was_asked(
    sqlite_engine: Engine,
    lab_id: int,
    servers: tuple[Server, ...],
    state: LabState,
    corrected: LabState,
    just_now: bool,
) -> None:
    under_way = LabState.STARTING if state is LabState.RUNNING else LabState.STOPPING
    put(sqlite_engine, lab_id, under_way if just_now else state)
    hub = Hub(*servers, meanwhile=lambda: put(sqlite_engine, lab_id, state))
    await watch(Context(sqlite_engine, hub, Sophon()))  # type: ignore[arg-type]
    assert state_of(sqlite_engine, lab_id) is (state if just_now else corrected)
