"""Copying what visitors want to try into their temporary labs."""

import asyncio
import logging
from functools import partial

from sophon_hub.actions.temporary import note_brought
from sophon_hub.store.trials import Wish
from sophon_hub.volumes import trials
from sophon_hub.volumes.helper import VolumeTrouble
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")


async def fulfil(context: Context, wish: Wish) -> None:
    """Make one copy and write down what became of it; the visitor has the lab in any case."""
    done = partial(note_brought, name=wish.lab, project_id=wish.project_id)
    try:
        folder = await asyncio.to_thread(
            trials.bring, context.settings, wish.lab, wish.material_uid, wish.folder
        )
    except VolumeTrouble as error:
        log.warning("cannot copy material into the temporary lab %s: %s", wish.lab, error)
        told = str(error) if str(error) in trials.SENTENCES else trials.NOT_BROUGHT
        await context.write(partial(done, trouble=told))
    else:
        await context.write(partial(done, folder=folder))
