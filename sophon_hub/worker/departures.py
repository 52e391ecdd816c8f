"""What people leave behind whose accounts are gone."""

import logging
from functools import partial

from sophon_hub.actions.departures import settle_person
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")


async def settle(context: Context, person_id: int) -> None:
    """Take somebody out of all research groups, and pass those on that would have no owner."""
    settled = await context.write(partial(settle_person, actor=context.actor, person_id=person_id))
    for slug, heir in settled.passed.items():
        log.warning("the research group %s has passed to %s: its last owner is gone", slug, heir)
    for slug in settled.ownerless:
        log.warning("the research group %s has nobody any more: its last owner is gone", slug)
