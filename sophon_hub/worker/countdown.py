"""Tells temporary labs when the visit ends, so that JupyterLab can show it."""

import asyncio
import json
import logging

import aiohttp

from sophon_hub import clock
from sophon_hub.actions.temporary import ends_at, idle_at
from sophon_hub.addresses import Addresses
from sophon_hub.lab_messages import LabMessages
from sophon_hub.models import TemporaryState
from sophon_hub.settings import Sophon
from sophon_hub.store import temporary
from sophon_hub.store.engine import Session
from sophon_hub.worker.context import Context
from sophon_hub.worker.doors import PATIENCE, RunningLab, find_temporary

log = logging.getLogger("sophon.worker")

PATH = "sophon/visit-ends"


async def tell_visits(context: Context) -> None:
    """Tell every temporary lab that a visitor has; who does not listen shows what it knows."""
    settings = context.settings
    ends = await context.read(lambda session: _ends(session, settings))
    if not ends:
        return
    try:
        async with aiohttp.ClientSession(timeout=PATIENCE) as session:
            await asyncio.gather(
                *(
                    _tell(session, settings, lab, ends[lab.account])
                    for lab in await find_temporary(session, settings)
                    if lab.account in ends
                )
            )
    except (aiohttp.ClientError, TimeoutError) as error:
        log.warning("cannot ask the proxy where temporary labs run: %s", error)


def _ends(session: Session, settings: Sophon) -> dict[str, dict[str, object]]:
    """What each lab is told, by the name of its hub user."""
    now = clock.utcnow()
    return {
        lab.name: {
            "ends_in": (ends_at(lab, settings) - now).total_seconds(),
            "idle_ends_in": (idle_at(lab, settings) - now).total_seconds(),
            "keep_url": Addresses.of(settings).visits,
        }
        for lab in temporary.system_temporary_labs(session)
        if lab.state is TemporaryState.CLAIMED
    }


async def _tell(
    session: aiohttp.ClientSession, settings: Sophon, lab: RunningLab, told: dict[str, object]
) -> None:
    path, body = f"{Addresses.of(settings).base_url}{lab.path}{PATH}", json.dumps(told).encode()
    headers = LabMessages.of(settings).headers(path, body)
    try:
        async with session.post(lab.target + path, data=body, headers=headers) as answer:
            answer.raise_for_status()
    except (aiohttp.ClientError, TimeoutError) as error:
        log.info("the temporary lab %s was not told when it ends: %s", lab.account, error)
