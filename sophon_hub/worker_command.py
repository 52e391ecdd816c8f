"""``sophon-hub purge`` and ``reconcile``: what the worker is to do now, and whether it did."""

import argparse
import json
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Engine

from sophon_hub import jobs
from sophon_hub.actions.forms import Confirmation
from sophon_hub.actions.purge import end_deletion, purge_now
from sophon_hub.clock import utcnow
from sophon_hub.errors import SophonError
from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.shell import ADDRESSES, LATE, SHELL, Lines, thing_at
from sophon_hub.store.engine import Session, reading, transact
from sophon_hub.store.trash import (
    Deleted,
    kind_of,
    system_address,
    system_deletions,
    system_thing,
)

WAIT_SECONDS = 60.0
RECONCILE = "reconcile"

WOULD_GO = "would be removed"
BEING_REMOVED = "is being removed"
REMOVED = "removed"
KEPT = "kept, since who deleted it is no longer an owner"


def add_purge(parser: argparse.ArgumentParser) -> None:
    """What ``purge`` takes."""
    parser.add_argument("object", metavar="OBJECT", nargs="?", help=f"in the trash: {ADDRESSES}")
    parser.add_argument("--confirm", metavar="SLUG", default="", help="the slug of OBJECT again")
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    _add_waiting(parser)


def add_reconcile(parser: argparse.ArgumentParser) -> None:
    """What ``reconcile`` takes."""
    _add_waiting(parser)


def _add_waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=WAIT_SECONDS,
        help="how long to wait for the worker",
    )


def purge(settings: Sophon, engine: Engine, chosen: argparse.Namespace) -> Lines:
    """Remove for good what is given, or all whose time in the trash is over."""
    before = utcnow() - timedelta(days=settings.retention_days)

    def look(session: Session) -> dict[Deleted, str]:
        if chosen.object is None:
            due = system_deletions(session, before=before)
        else:
            thing = thing_at(session, chosen.object)
            due = [Deleted(kind_of(thing), thing.id, thing.deleted_by_id)]
        return {one: system_address(session, one) for one in due}

    def begin(session: Session) -> None:
        if chosen.object is None:
            for one in found:
                end_deletion(session, SHELL, one, before)
        else:
            thing = thing_at(session, chosen.object)
            purge_now(session, SHELL, thing, Confirmation(confirm=chosen.confirm))

    with reading(engine) as session:
        found = look(session)
    if not chosen.dry_run:
        try:
            transact(engine, begin)
        except SophonError as error:
            raise BadSetting(error.detail) from None
        _wait(engine, chosen.wait, lambda session: BEING_REMOVED not in _fates(session, found))
    with reading(engine) as session:
        fates = [WOULD_GO] * len(found) if chosen.dry_run else _fates(session, found)
    if chosen.json:
        yield json.dumps(dict(zip(found.values(), fates, strict=True)))
    else:
        for address, fate in zip(found.values(), fates, strict=True):
            yield f"{address}: {fate}"
        if not found:
            yield "Nothing in the trash is due."
    return LATE if BEING_REMOVED in fates else 0


def _fates(session: Session, found: dict[Deleted, str]) -> list[str]:
    """What has become of each by now."""
    fates = []
    for one in found:
        thing = system_thing(session, one.kind, one.number)
        if thing is None:
            fates.append(REMOVED)
        else:
            fates.append(KEPT if thing.purge_started_at is None else BEING_REMOVED)
    return fates


def reconcile(engine: Engine, chosen: argparse.Namespace) -> Lines:
    """Have the worker compare everything with the Hub now, and repair what differs."""
    transact(engine, lambda session: jobs.enqueue(session, RECONCILE, RECONCILE, number=0))
    done = _wait(engine, chosen.wait, lambda session: not jobs.is_waiting(session, RECONCILE))
    if chosen.json:
        yield json.dumps({"done": done})
    elif done:
        yield "Portal and hub were compared, and what differs is being repaired."
    else:
        yield "The worker has not done it yet. Is the hub running? It is done when it runs."
    return 0 if done else LATE


def _wait(engine: Engine, seconds: float, look: Callable[[Session], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        with reading(engine) as session:
            if look(session):
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.2)
