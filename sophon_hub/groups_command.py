"""``sophon-hub groups``: research groups in a list, and many of them from a CSV file."""

import argparse
import json
from collections.abc import Callable

from sqlalchemy import Engine

from sophon_hub import bulk
from sophon_hub.actions.forms import GroupChanges, NewGroup
from sophon_hub.actions.groups import create_group_for, edit_group
from sophon_hub.bulk import Row
from sophon_hub.clock import utcnow
from sophon_hub.errors import Conflict, Invalid, NotFound
from sophon_hub.models import MemberRole, ResearchGroup
from sophon_hub.shell import SHELL, Lines
from sophon_hub.store import groups, people
from sophon_hub.store.engine import Session, reading
from sophon_hub.store.paging import MAX_LIMIT, Paging

COLUMNS = ("slug", "name", "owner", "visibility", "access", "description")
NEEDED = frozenset({"slug", "name", "owner"})
OF_GROUP = ("name", "visibility", "access", "description")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands ``list`` and ``import`` and what they take."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="Print all research groups.")
    listing.add_argument("--trash", action="store_true", help="those in the trash instead")
    listing.add_argument("--json", action="store_true", help="print one JSON object a line")
    bulk.add_file(
        verbs.add_parser(
            "import", help="Create and change research groups from a CSV file: all lines or none."
        ),
        f"CSV with the columns {', '.join(COLUMNS)}; the last three may be left out. A group"
        " that is there already is changed; its owner has to be one",
    )


def run(engine: Engine, chosen: argparse.Namespace) -> Lines:
    """Do it."""
    if chosen.verb == "list":
        return (yield from _list(engine, chosen))
    rows = list(bulk.read_table(chosen.file, COLUMNS, NEEDED))
    task = bulk.Task("slug", _begin)
    return (yield from bulk.run(engine, chosen, rows, task))


def _list(engine: Engine, chosen: argparse.Namespace) -> Lines:
    cursor: str | None = None
    with reading(engine) as session:
        while True:
            page = groups.list_groups(
                session, SHELL, Paging(MAX_LIMIT, cursor), now=utcnow(), trash=chosen.trash
            )
            for summary in page.items:
                told = {
                    "slug": summary.group.slug,
                    "visibility": summary.group.visibility,
                    "access": summary.group.access,
                    "people": summary.member_count,
                    "projects": summary.project_count,
                    "name": summary.group.name,
                }
                yield json.dumps(told) if chosen.json else "  ".join(map(str, told.values()))
            cursor = page.next
            if cursor is None:
                return 0


def _begin(session: Session) -> Callable[[Row], str]:
    return lambda row: _apply(session, row)


def _apply(session: Session, row: Row) -> str:
    # an empty field says nothing, so that a description is not lost for being left out
    fields = {name: row[name] for name in OF_GROUP if row.get(name)}
    try:
        group = groups.get_group(session, SHELL, row["slug"])
    except NotFound:
        form = NewGroup.read({**fields, "slug": row["slug"]})
        create_group_for(session, SHELL, form, row["owner"])
        return f"created, {form.visibility}, owned by {row['owner']}"
    if not _owns(session, group, row["owner"]):
        raise Invalid.of(
            "owner",
            f"The group is there already, and {row['owner']} is no owner of it. Change its people"
            f" with: sophon-hub members {group.slug}",
        )
    changes = GroupChanges.read(fields).changes()
    if group.deleted_at is not None:
        raise Conflict("The group is in the trash; restore it first.")
    different = {name: value for name, value in changes.items() if getattr(group, name) != value}
    if not different:
        return "unchanged"
    edit_group(session, SHELL, group, GroupChanges(**different))
    return f"changed, {', '.join(different)}"


def _owns(session: Session, group: ResearchGroup, username: str) -> bool:
    person = people.find_person(session, username)
    if person is None:
        return False
    membership = groups.find_membership(session, group, person.id, utcnow())
    return membership is not None and membership.role is MemberRole.OWNER
