"""Doing a creation once, however often the same request arrives."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from sophon_hub import clock
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.models import IdempotencyKey
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import require_person

KEEP = timedelta(days=1)
MAX_KEY = 200


def once(
    session: Session, actor: Actor, key: str, digest: str, create: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Give the answer kept under the key, or create and keep the answer.

    Args:
        session: the transaction of the creation.
        actor: keys of different people have nothing to do with one another.
        key: what the client chose.
        digest: hash of the request, to notice a key used for something else.
        create: the creation.
    """
    require_person(actor)
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        raise Invalid.of("Idempotency-Key", f"Use 1 to {MAX_KEY} printable characters.")
    now = clock.utcnow()
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - KEEP))
    kept = session.get(IdempotencyKey, (actor.username, key))
    if kept is not None:
        if kept.request_hash != digest:
            raise Conflict("This Idempotency-Key was used for a different request.")
        return kept.answer
    answer = create()
    session.add(
        IdempotencyKey(
            username=actor.username,
            key=key,
            request_hash=digest,
            status=201,
            answer=answer,
            created_at=now,
        )
    )
    session.flush()
    return answer
