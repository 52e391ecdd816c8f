"""A hub with 1,000 people, 100 research groups and any number of projects and labs, in bulk.

The same numbers always give the same rows. Those who are measured: `MEMBER` belongs to ten
research groups, `ADMIN` is an administrator and belongs to none.
"""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, text

from sophon_hub.models import (
    AccessMode,
    Base,
    Lab,
    LabState,
    MemberRole,
    Membership,
    Person,
    ResearchGroup,
    ResearchProject,
    Visibility,
)

MEMBER = "member"
ADMIN = "root"
PEOPLE = 1_000
GROUPS = 100
OWN_GROUPS = 10
PEOPLE_IN_A_GROUP = 20
BUSY_PROJECT_LABS = 20
"""Labs of the first project, whose page is measured; most of the others have one."""

BATCH = 1_000
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

ADJECTIVES = "bright cold deep early fast green heavy open quiet rapid solid warm".split()  # noqa: SIM905
NOUNS = (  # noqa: SIM905
    "archive atlas cavity census corpus crystal enzyme glacier graph lattice laser membrane"
    " neutron orbit plasma polymer quasar sediment spectrum tide virus wave"
).split()

Row = dict[str, Any]


def populate(engine: Engine, projects: int) -> None:
    """Fill a migrated, empty database with as many labs as projects."""
    chance = random.Random(projects)
    groups = list(_groups(chance))
    visibilities = {group["id"]: Visibility(group["visibility"]) for group in groups}
    tables: list[tuple[type[Base], Iterable[Row]]] = [
        (Person, _people()),
        (ResearchGroup, groups),
        (Membership, _memberships(chance)),
        (ResearchProject, _projects(chance, projects, visibilities)),
        (Lab, _labs(projects)),
    ]
    with engine.begin() as connection:
        for table, rows in tables:
            _insert(connection, table, rows)
        if engine.dialect.name == "postgresql":
            # as its own housekeeping would; nobody does that for a SQLite file
            connection.execute(text("ANALYZE"))


def project_slug(number: int) -> str:
    """The slug of the project with this number, counted from 1."""
    return f"{_adjective(number)}-{_noun(number)}-{number:05}"


def _insert(connection: Connection, table: type[Base], rows: Iterable[Row]) -> None:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            connection.execute(insert(table), batch)
            batch = []
    if batch:
        connection.execute(insert(table), batch)


def _people() -> Iterable[Row]:
    for number in range(1, PEOPLE + 1):
        username = {1: MEMBER, 2: ADMIN}.get(number, f"person{number:04}")
        yield {
            "id": number,
            "username": username,
            "display_name": f"{_adjective(number).title()} {_noun(number).title()}",
            "is_admin": username == ADMIN,
            "created_at": BEGIN,
        }


def _groups(chance: random.Random) -> Iterable[Row]:
    for number in range(1, GROUPS + 1):
        slug = f"{_noun(number)}-lab-{number:03}"
        yield {
            "id": number,
            "slug": slug,
            "name": slug.replace("-", " ").title(),
            "description": _description(number),
            "visibility": _pick(chance, (Visibility.PUBLIC, Visibility.INTERNAL)),
            "access": _pick(chance, tuple(AccessMode)),
            "created_at": BEGIN,
        }


def _memberships(chance: random.Random) -> Iterable[Row]:
    for group_id in range(1, GROUPS + 1):
        others = chance.sample(range(3, PEOPLE + 1), PEOPLE_IN_A_GROUP)
        people = [1, *others] if group_id % (GROUPS // OWN_GROUPS) == 1 else others
        for person_id in people:
            is_owner = person_id == others[0]
            yield {
                "group_id": group_id,
                "person_id": person_id,
                "role": MemberRole.OWNER if is_owner else MemberRole.MEMBER,
                "added_by_id": others[0],
                "added_at": BEGIN,
            }


def _projects(
    chance: random.Random, count: int, visibilities: dict[int, Visibility]
) -> Iterable[Row]:
    """The first is public and belongs to a group of the member; one in a hundred is deleted."""
    for number in range(1, count + 1):
        group_id = 1 + (number - 1) % GROUPS
        most = visibilities[group_id].openness
        wanted = _pick(chance, [kind for kind in Visibility if kind.openness <= most])
        changed = BEGIN + timedelta(minutes=number)
        yield {
            "id": number,
            "slug": project_slug(number),
            "group_id": group_id,
            "name": project_slug(number).replace("-", " ").capitalize(),
            "description": _description(number),
            "visibility": wanted,
            "created_at": changed,
            "updated_at": changed,
            "deleted_at": changed if number % 100 == 99 else None,
        }


def _labs(count: int) -> Iterable[Row]:
    """The first project has `BUSY_PROJECT_LABS`, the last ones have none, all others one."""
    for number in range(1, count + 1):
        project_id = max(1, number - BUSY_PROJECT_LABS + 1)
        yield {
            "id": number,
            "uid": f"{number:032x}",
            "project_id": project_id,
            "slug": f"lab-{number}",
            "name": f"Lab {number}",
            "image": "lab",
            "internet": True,
            "state": LabState.RUNNING if number % 47 == 0 else LabState.STOPPED,
            "progress": 0,
            "message": "",
            "lock_reason": "",
            "created_at": BEGIN,
        }


def _description(number: int) -> str:
    """Markdown as people write it, each text different from all others."""
    adjective, noun = _adjective(number), _noun(number)
    return (
        f"We look at the **{adjective} {noun}** number {number} and at what it does to others"
        f" of its kind.\n\n- data: [measured in {1990 + number % 35}](https://example.org/{number})"
        f"\n- method: `fit({noun}, order={number % 7})`\n- state: *under way*\n\n"
        f"Results are discussed on Mondays. Ask for the raw files of the {noun}; they are large."
    )


def _adjective(number: int) -> str:
    return ADJECTIVES[number % len(ADJECTIVES)]


def _noun(number: int) -> str:
    return NOUNS[number // len(ADJECTIVES) % len(NOUNS)]


def _pick(chance: random.Random, kinds: Iterable[Any]) -> Any:
    return chance.choice(list(kinds))
