"""Personal labs as servers of the Hub: people's default servers, started and stopped for them."""

from sophon_hub import jobs, names
from sophon_hub.clock import utcnow
from sophon_hub.hub import HubRefused, Server
from sophon_hub.models import LabState, PersonalLab
from sophon_hub.store import personal
from sophon_hub.store.engine import Session
from sophon_hub.worker import disk, labs, lessons, materials
from sophon_hub.worker.context import Context

DEFAULT_SERVER = ""
TITLE = "Personal lab"
GONE = "There is no such account at the hub any more."


async def _target(context: Context, lab_id: int, state: LabState) -> labs.Target | None:
    """The personal lab, if it is still in the state that the job was written for."""

    def read(session: Session) -> labs.Target | None:
        lab = personal.system_personal_lab(session, lab_id)
        if lab is None or lab.state is not state:
            return None
        return labs.Target(PersonalLab, lab.id, lab.person.username, DEFAULT_SERVER, TITLE)

    return await context.read(read)


async def start_personal(context: Context, personal_id: int) -> None:
    """Start somebody's personal lab and follow it until it answers or has failed."""
    target = await _target(context, personal_id, LabState.STARTING)
    if target is None:
        return
    if await _admit(context, target.account):
        await lessons.copy_before_start(context, personal_id)
        await labs.start(context, target)
        await lessons.copy_lessons(context, personal_id)
        await context.write(lambda session: _note_started(session, personal_id))
    else:
        await labs.set_state(context, target, LabState.STARTING, LabState.FAILED, message=GONE)


def _note_started(session: Session, personal_id: int) -> None:
    lab = personal.system_personal_lab(session, personal_id)
    if lab is not None and lab.state is LabState.RUNNING:
        materials.enqueue_for_start(session, lab)


async def stop_personal(context: Context, personal_id: int) -> None:
    """Stop somebody's personal lab and wait until it is gone."""
    target = await _target(context, personal_id, LabState.STOPPING)
    if target is None:
        return
    if await _admit(context, target.account):
        await labs.stop(context, target)
    else:
        await labs.set_state(context, target, LabState.STOPPING, LabState.STOPPED)


async def _admit(context: Context, username: str) -> bool:
    """Put somebody into the group that the worker's right is bound to; False without account."""
    hub = context.hub
    await hub.make_group(names.PERSONAL_GROUP)  # missing where the sign-on manages groups
    try:
        await hub.add_to_group(names.PERSONAL_GROUP, [username])
    except HubRefused:
        if await hub.has_user(username):
            raise
        return False
    return True


def states(session: Session) -> dict[int, LabState]:
    """States of the personal labs that have, or should have, a server."""
    return {lab.id: lab.state for lab in personal.system_personal_labs_with_servers(session)}


def compare(session: Session, before: dict[int, LabState], servers: dict[str, Server]) -> None:
    """Correct the states of personal labs; ``servers`` are people's default servers.

    People start and stop them at the Hub, too. Only those whose state is still what it was
    before the Hub was asked are corrected.
    """
    for username, lab in personal.system_personal_labs_of(session, servers).items():
        if before.get(lab.id) is (lab.state if lab.state.has_server else None):
            _note_server(session, lab, servers[username])
    for lab in personal.system_personal_labs_with_servers(session):
        if lab.person.username not in servers and before.get(lab.id) is lab.state:
            _note_no_server(session, lab)


def _note_server(session: Session, lab: PersonalLab, server: Server) -> None:
    if not server.ready or server.pending:
        return
    if lab.state in (LabState.STOPPED, LabState.FAILED):
        lab.state, lab.progress, lab.message = LabState.RUNNING, 100, "Ready"
        lab.started_with = lab.launch_settings()
        lab.started_at, lab.stopped_at, lab.stop_reason = utcnow(), None, ""
        materials.enqueue_for_start(session, lab)  # it was started at the Hub
    else:
        _enqueue_again(session, lab)


def _note_no_server(session: Session, lab: PersonalLab) -> None:
    if lab.state is LabState.RUNNING:
        lab.state, lab.progress, lab.message = LabState.STOPPED, 0, ""
        lab.started_with, lab.clean_up = None, False
        lab.busy, lab.stops_at, lab.stop_reason = False, None, ""
        lab.stopped_at = utcnow()
        disk.enqueue_measure(session, PersonalLab, lab.id)
    else:
        _enqueue_again(session, lab)


def _enqueue_again(session: Session, lab: PersonalLab) -> None:
    """Write the job of a lab that starts or stops again, if it was lost."""
    kinds = {LabState.STARTING: "start_personal", LabState.STOPPING: "stop_personal"}
    key = f"personal:{lab.id}"
    if lab.state in kinds and not jobs.is_waiting(session, key):
        jobs.enqueue(session, kinds[lab.state], key, personal_id=lab.id)
