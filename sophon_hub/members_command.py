"""``sophon-hub members``: many people of a research group at once, from a CSV file."""

import argparse
from collections.abc import Callable

from sqlalchemy import Engine

from sophon_hub import bulk
from sophon_hub.actions.forms import MemberSettings
from sophon_hub.actions.members import remove_member, set_member
from sophon_hub.bulk import Row
from sophon_hub.clock import utcnow
from sophon_hub.errors import Conflict, NotFound
from sophon_hub.models import MembershipSource, ResearchGroup
from sophon_hub.settings import BadSetting
from sophon_hub.shell import SHELL, Lines, thing_at
from sophon_hub.store.engine import Session
from sophon_hub.store.groups import find_membership
from sophon_hub.store.people import find_person

COLUMNS = ("username", "role", "expires_at")
NEEDED = frozenset({"username", "role"})
REMOVE = "remove"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("group", metavar="GROUP", help="slug of a research group")
    bulk.add_file(
        parser,
        f"CSV with the columns {', '.join(COLUMNS)}; the last one may be left out or empty,"
        f" and the role {REMOVE} takes somebody out",
    )


def run(engine: Engine, chosen: argparse.Namespace) -> Lines:
    """Do it: all lines, or none when one is refused."""

    def begin(session: Session) -> Callable[[Row], str]:
        group = thing_at(session, f"groups/{chosen.group}")
        if not isinstance(group, ResearchGroup):
            raise BadSetting(f"{chosen.group} is no research group.")
        return lambda row: _apply(session, group, row)

    rows = list(bulk.read_table(chosen.file, COLUMNS, NEEDED))
    return (yield from bulk.run(engine, chosen, rows, bulk.Task("username", begin)))


def _apply(session: Session, group: ResearchGroup, row: Row) -> str:
    username = row["username"]
    if row["role"] == REMOVE:
        try:
            remove_member(session, SHELL, group, username)
        except NotFound:
            raise Conflict(f"{username} does not belong to the group.") from None
        return "removed"
    form = MemberSettings.read({"role": row["role"], "expires_at": row.get("expires_at") or None})
    person = find_person(session, username)
    now = person and find_membership(session, group, person.id, utcnow())
    settled = now and (now.role, now.expires_at) == (form.role, form.expires_at)
    if now and settled and now.source is MembershipSource.PERSON:
        return "unchanged"
    _, is_new = set_member(session, SHELL, group, username, form)
    return f"{'added' if is_new else 'changed'}, {form.role}"
