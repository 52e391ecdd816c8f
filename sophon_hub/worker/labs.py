"""Labs as servers of the Hub: starting, following the start, stopping."""

import asyncio
import logging
from dataclasses import dataclass

from sophon_hub import names
from sophon_hub.hub import HubDown, HubRefused, Step
from sophon_hub.models import Lab, LabState
from sophon_hub.store import labs, servers
from sophon_hub.store.engine import Session
from sophon_hub.store.servers import Kind
from sophon_hub.worker import disk
from sophon_hub.worker.context import Context
from sophon_hub.worker.groups import sync_group

log = logging.getLogger("sophon.worker")

POLL_SECONDS = 0.2
STOP_POLLS = 300
"""A minute: longer than the spawner waits before it kills a container."""


@dataclass(frozen=True)
class Target:
    """Where a lab, or personal lab, is in the Hub."""

    kind: Kind
    lab_id: int
    account: str
    server: str
    name: str


async def _target(context: Context, lab_id: int, state: LabState) -> tuple[Target | None, int]:
    """The lab, if it is still in the state that the job was written for, and its group."""

    def read(session: Session) -> tuple[Target | None, int]:
        lab = labs.system_lab(session, lab_id)
        if lab is None or lab.state is not state:
            return None, 0
        account = names.account_name(lab.project.slug)
        return Target(Lab, lab.id, account, lab.slug, lab.name), lab.project.group_id

    return await context.read(read)


async def set_state(
    context: Context,
    target: Target,
    expected: LabState,
    state: LabState,
    *,
    progress: int = 0,
    message: str = "",
) -> None:
    """Write down what became of a lab, unless somebody decided otherwise meanwhile."""

    def write(session: Session) -> None:
        servers.system_set_state(
            session,
            target.kind,
            target.lab_id,
            expected,
            state,
            progress=progress,
            message=message,
        )
        if state is LabState.STOPPED:
            disk.enqueue_measure(session, target.kind, target.lab_id)

    await context.write(write)


async def start_lab(context: Context, lab_id: int) -> None:
    """Start a project's lab; see `start`."""
    target, group_id = await _target(context, lab_id, LabState.STARTING)
    if target is not None:
        await sync_group(context, group_id)
        await start(context, target)


async def start(context: Context, target: Target) -> None:
    """Start a lab's server and follow it until it answers or has failed."""
    try:
        await context.hub.start_server(target.account, target.server, target.name)
        last = await _follow(context, target)
    except HubRefused as error:
        last = Step(0, error.message, failed=True)
    if last.failed:
        log.warning("lab %s/%s did not start: %s", target.account, target.server, last.message)
        await set_state(
            context, target, LabState.STARTING, LabState.FAILED, message=_reason(last.message)
        )
    elif last.ready:
        await set_state(
            context, target, LabState.STARTING, LabState.RUNNING, progress=100, message="Ready"
        )
    else:
        raise HubDown("The hub stopped telling how the start goes on.")


async def _follow(context: Context, target: Target) -> Step:
    last = Step(0, "")
    async for step in context.hub.follow_start(target.account, target.server):
        last = step
        if step.ready or step.failed:
            break
        await set_state(
            context,
            target,
            LabState.STARTING,
            LabState.STARTING,
            progress=step.progress,
            message=step.message,
        )
    return last


def _reason(message: str) -> str:
    """The Hub's message without the name it gives the server."""
    text = message.removeprefix("Spawn failed: ").strip()
    return text or "The lab did not start; the administrators find the reason in the hub's log."


async def stop_lab(context: Context, lab_id: int) -> None:
    """Stop a project's lab; see `stop`."""
    target, _ = await _target(context, lab_id, LabState.STOPPING)
    if target is not None:
        await stop(context, target)


async def stop(context: Context, target: Target) -> None:
    """Stop a lab's server and wait until it is gone."""
    await wait_until_stopped(context, target.account, target.server)
    await set_state(context, target, LabState.STOPPING, LabState.STOPPED)


async def wait_until_stopped(context: Context, account: str, name: str) -> None:
    """Have a server stopped, and come back when it is."""
    await context.hub.stop_server(account, name)
    for _ in range(STOP_POLLS):
        server = await context.hub.server(account, name)
        if server is None or (server.stopped and server.pending is None):
            return
        if server.pending is None and server.ready:
            await context.hub.stop_server(account, name)
        await asyncio.sleep(POLL_SECONDS)
    raise HubDown("The lab's server does not stop.")
