"""``sophon-hub users``: who is known to the hub, what each may, and out of everything at once."""

import argparse
import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from sophon_hub import bulk
from sophon_hub.actions.members import decline_request, remove_member
from sophon_hub.bulk import Row
from sophon_hub.clock import rfc3339, utcnow
from sophon_hub.models import Person
from sophon_hub.settings import BadSetting
from sophon_hub.shell import SHELL, Lines
from sophon_hub.store import groups, people
from sophon_hub.store.engine import Session, reading
from sophon_hub.store.paging import MAX_LIMIT, Paging

REQUEST = "request"
MEMBERSHIP = "membership"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands and what they take."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="Print everybody with an account.")
    listing.add_argument("--search", metavar="TEXT", default="", help="a part of the name")
    listing.add_argument("--json", action="store_true", help="print one JSON object a line")
    show = verbs.add_parser("show", help="Print somebody's groups, roles and requests to join.")
    show.add_argument("user", metavar="USER")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    out = verbs.add_parser(
        "lock-out",
        help="Take somebody out of all groups now, and decline what they asked for. The account"
        " itself is at the Hub: delete it there.",
    )
    out.add_argument("user", metavar="USER")
    bulk.add_arguments(out)


def run(engine: Engine, chosen: argparse.Namespace) -> Lines:
    """Do it."""
    if chosen.verb == "list":
        return (yield from _list(engine, chosen))
    if chosen.verb == "show":
        return (yield from _show(engine, chosen))
    with reading(engine) as session:
        person = _find(session, chosen.user)
        memberships, requests = groups.list_of_person(session, SHELL, person, utcnow())
        found = [(slug, MEMBERSHIP) for slug, _ in memberships]
        found += [(slug, REQUEST) for slug in requests]
    rows = [(number, {"group": slug, "what": what}) for number, (slug, what) in enumerate(found, 1)]
    # a group that needs its owner does not keep somebody in all others
    task = bulk.Task("group", lambda session: _out_of(session, chosen.user), whole=False)
    return (yield from bulk.run(engine, chosen, rows, task))


def _find(session: Session, username: str) -> Person:
    person = people.find_person(session, username)
    if person is None or person.gone_at is not None:
        raise BadSetting(f"The portal knows nobody called {username}.")
    return person


def _list(engine: Engine, chosen: argparse.Namespace) -> Lines:
    cursor: str | None = None
    with reading(engine) as session:
        while True:
            paging = Paging(MAX_LIMIT, cursor)
            page = people.list_people(session, SHELL, paging, now=utcnow(), q=chosen.search)
            for person, count in page.items:
                told: dict[str, Any] = {
                    "username": person.username,
                    "admin": person.is_admin,
                    "groups": count,
                    "display_name": person.display_name,
                }
                words = [*map(str, told.values())]
                words[1] = "admin" if person.is_admin else "-"
                yield json.dumps(told) if chosen.json else "  ".join(words)
            cursor = page.next
            if cursor is None:
                return 0


def _show(engine: Engine, chosen: argparse.Namespace) -> Lines:
    with reading(engine) as session:
        person = _find(session, chosen.user)
        memberships, requests = groups.list_of_person(session, SHELL, person, utcnow())
        told: dict[str, Any] = {
            "username": person.username,
            "display_name": person.display_name,
            "admin": person.is_admin,
            "known_since": rfc3339(person.created_at),
            "memberships": [
                {
                    "group": slug,
                    "role": row.role,
                    "expires_at": rfc3339(row.expires_at),
                    "source": row.source,
                }
                for slug, row in memberships
            ],
            "requests": list(requests),
        }
    if chosen.json:
        yield json.dumps(told)
        return 0
    yield f"{told['username']} ({told['display_name']}), known since {told['known_since']}"
    if told["admin"]:
        yield "administrator: sees everything, and may do what owners may"
    for one in told["memberships"]:
        end = f", until {one['expires_at']}" if one["expires_at"] else ""
        yield f"{one['role']} of {one['group']}{end}, by {one['source']}"
    for slug in told["requests"]:
        yield f"asks to join {slug}"
    return 0


def _out_of(session: Session, username: str) -> Callable[[Row], str]:
    def do(row: Row) -> str:
        group = groups.get_group(session, SHELL, row["group"])
        if row["what"] == REQUEST:
            decline_request(session, SHELL, group, username)
            return "request declined"
        remove_member(session, SHELL, group, username)
        return "removed"

    return do
