"""How much homes hold: measured after each stop, and now and then while a lab runs."""

import asyncio
import logging
from datetime import timedelta

from sophon_hub import jobs
from sophon_hub.clock import utcnow
from sophon_hub.models import Lab, PersonalLab
from sophon_hub.policy.quota import is_too_large_to_run
from sophon_hub.store import servers
from sophon_hub.store.engine import Session
from sophon_hub.store.servers import Kind
from sophon_hub.volumes import homes
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker import halt
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")

ONE_AT_A_TIME = "disk"
"""Key of all these jobs: reading many homes at once would slow down every lab."""


def enqueue_measure(session: Session, kind: Kind, number: int) -> None:
    """Have a home measured soon."""
    if kind is PersonalLab:
        jobs.enqueue(session, "measure_personal", ONE_AT_A_TIME, personal_id=number)
    else:
        jobs.enqueue(session, "measure_lab", ONE_AT_A_TIME, lab_id=number)


async def enqueue_due(context: Context) -> None:
    """Have the homes of running labs measured, unless some are waiting for it still."""

    def write(session: Session) -> None:
        if jobs.is_waiting(session, ONE_AT_A_TIME):
            return
        before = utcnow() - timedelta(minutes=context.settings.disk_check_minutes)
        kinds: tuple[Kind, ...] = (Lab, PersonalLab)
        for kind in kinds:
            for number in servers.system_unmeasured(session, kind, before):
                enqueue_measure(session, kind, number)

    await context.write(write)


async def measure_lab(context: Context, lab_id: int) -> None:
    """Measure the home of a project's lab."""
    await _measure(context, Lab, lab_id)


async def measure_personal(context: Context, personal_id: int) -> None:
    """Measure the home of a personal lab."""
    await _measure(context, PersonalLab, personal_id)


async def _measure(context: Context, kind: Kind, number: int) -> None:
    home = await context.read(lambda session: servers.system_home(session, kind, number))
    if home is None:
        return
    usage: tuple[int, int] | None = None
    settings = context.settings
    try:
        found = await asyncio.to_thread(homes.measure, settings, home.uid, home.image)
        usage = found.disk_bytes, found.trash_bytes
    except VolumeTrouble as error:
        # tried again when it is due: others wait in the same line
        log.warning("cannot measure the home %s: %s", home.uid, error)

    def write(session: Session) -> None:
        servers.system_set_usage(session, kind, number, usage, utcnow())
        if usage and is_too_large_to_run(usage[0], settings):
            halt.too_large(session, kind, number, context.actor)

    await context.write(write)


async def empty_trash(context: Context, personal_id: int) -> None:
    """Empty the trash of a personal lab's home, and measure it again."""
    await _empty_trash(context, PersonalLab, personal_id)


async def empty_lab_trash(context: Context, lab_id: int) -> None:
    """Empty the trash of the home of a project's lab, and measure it again."""
    await _empty_trash(context, Lab, lab_id)


async def _empty_trash(context: Context, kind: Kind, number: int) -> None:
    home = await context.read(lambda session: servers.system_home(session, kind, number))
    if home is None:
        return
    try:
        await asyncio.to_thread(homes.empty_trash, context.settings, home.uid, home.image)
    except VolumeTrouble as error:
        log.warning("cannot empty the trash of the home %s: %s", home.uid, error)
    await _measure(context, kind, number)
