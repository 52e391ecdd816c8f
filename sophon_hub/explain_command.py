"""``sophon-hub explain``: whether somebody may do something, and why."""

import argparse
import json

from sqlalchemy import Engine

from sophon_hub.clock import rfc3339, utcnow
from sophon_hub.models import Dataset, ResearchGroup
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import (
    DATASET_PERMISSIONS,
    GROUP_PERMISSIONS,
    Decision,
    Permission,
    decide,
)
from sophon_hub.settings import BadSetting
from sophon_hub.shell import ADDRESSES, NO, Lines, thing_at
from sophon_hub.store.engine import Session, reading
from sophon_hub.store.people import find_actor, find_person
from sophon_hub.store.trash import Thing

GUEST = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("user", metavar="USER", help=f"a user name, {GUEST} for who is no user")
    parser.add_argument("permission", metavar="PERMISSION", choices=[*map(str, Permission)])
    parser.add_argument("object", metavar="OBJECT", help=ADDRESSES)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def explain(session: Session, username: str, permission: Permission, address: str) -> Decision:
    """What the portal would decide now.

    Raises:
        BadSetting: there is no such person or thing, or the permission is about something else.
    """
    thing = thing_at(session, address)
    if permission not in _askable(thing):
        raise BadSetting(f"{permission} is not about {address}.")
    return decide(_actor(session, username), permission, thing)


def _askable(thing: Thing) -> frozenset[Permission]:
    if isinstance(thing, ResearchGroup):
        return frozenset(GROUP_PERMISSIONS)
    if isinstance(thing, Dataset):
        return frozenset(DATASET_PERMISSIONS)
    return frozenset(Permission) - frozenset(DATASET_PERMISSIONS)


def _actor(session: Session, username: str) -> Actor:
    if username == GUEST:
        return Actor(via="cli")
    person = find_person(session, username)
    actor = person and find_actor(
        session, username, is_admin=person.is_admin, via="cli", now=utcnow()
    )
    if not actor:
        raise BadSetting(f"The portal knows nobody called {username}.")
    return actor


def run(engine: Engine, chosen: argparse.Namespace) -> Lines:
    """Do it."""
    with reading(engine) as session:
        permission = Permission(chosen.permission)
        decision = explain(session, chosen.user, permission, chosen.object)
    if chosen.json:
        yield json.dumps(
            {
                "allowed": decision.allowed,
                "rule": decision.rule,
                "source": decision.source,
                "until": rfc3339(decision.until),
            }
        )
    else:
        yield "yes" if decision.allowed else "no"
        yield f"rule: {decision.rule}"
        yield f"source: {decision.source}"
        if decision.until is not None:
            yield f"until: {rfc3339(decision.until)}"
    return 0 if decision.allowed else NO
