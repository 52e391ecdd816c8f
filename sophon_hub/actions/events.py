"""What administrators do with the audit trail itself."""

from sqlalchemy.orm import Session

from sophon_hub import audit
from sophon_hub.errors import Forbidden, Unauthenticated
from sophon_hub.policy.actor import Actor
from sophon_hub.store import chain


def prune_events(session: Session, actor: Actor, last: chain.Link) -> int:
    """Remove the oldest events up to this one, which were copied elsewhere; says how many.

    The event about it is bound to those that stay.
    """
    if not actor.is_admin:
        if actor.is_guest:
            raise Unauthenticated
        raise Forbidden("Only administrators remove events.")
    count = chain.system_cut(session, last)
    audit.record(session, actor, chain.PRUNE, None, until=last.seq, digest=last.digest, count=count)
    return count
