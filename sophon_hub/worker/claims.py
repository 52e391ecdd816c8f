"""Research groups that the sign-on system says somebody belongs to."""

import logging

from sophon_hub.actions.claims import apply_claims
from sophon_hub.worker.context import Context

log = logging.getLogger("sophon.worker")


async def apply(context: Context, person_id: int) -> None:
    """Make what was said at somebody's sign-in their memberships."""
    applied = await context.write(lambda session: apply_claims(session, context.actor, person_id))
    for slug in applied.absent:
        log.warning(
            "research_groups names the research group %r, which does not exist or is in the trash",
            slug,
        )
    for slug in applied.kept:
        log.warning(
            "the sign-on takes the last owner of the research group %r away, who stays; give the"
            " group another owner",
            slug,
        )
