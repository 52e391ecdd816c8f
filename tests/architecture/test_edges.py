"""What the edges may reach: no SQL, and no read that forgets to ask who is asking."""

import ast
import inspect
import typing
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import sophon_lab

import sophon_hub
from sophon_hub.models import Lab, Person, ResearchGroup, ResearchProject
from sophon_hub.policy.actor import Actor
from sophon_hub.policy.permissions import Permission
from tests.policy.test_table import SEEING, TABLE

PACKAGE = Path(sophon_hub.__file__).parent
EDGES = ("web", "pages", "api")
LONGEST_MODULE = 300

READS = ("find_", "get_", "list_", "count_", "search_")
SUBJECTS = {ResearchGroup, ResearchProject, Lab}
ASK_NOBODY = {
    "instance.get_instance": "the name of the hub is public",
    "people.find_actor": "it finds out who is asking",
    "temporary.count_temporary": "numbers that name nobody",
    "temporary.find_lab_of_visit": "whoever has the secret behind the digest owns the lab",
    "temporary.find_place": "the same of a place in the queue",
    "people.find_person": "whoever calls it has asked for a permission about the name",
}


def modules(folder: str) -> list[Path]:
    return sorted((PACKAGE / folder).rglob("*.py"))


EDGE_MODULES = [path for edge in EDGES for path in modules(edge)]
STORE = {
    path.stem: import_module(f"sophon_hub.store.{path.stem}")
    for path in (PACKAGE / "store").glob("*.py")
    if path.stem != "__init__"
}

each_edge = pytest.mark.parametrize(
    "path", EDGE_MODULES, ids=lambda path: str(path.relative_to(PACKAGE))
)


def imported(path: Path) -> list[tuple[str, str]]:
    """Module and name of everything a module imports."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module or "", alias.name) for alias in node.names]
    return found


def used_reads(path: Path) -> set[str]:
    """Functions of the store that a module names, as ``noun.function``."""
    tree = ast.parse(path.read_text())
    nouns = {}
    used = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if node.module == "sophon_hub.store":
                nouns[alias.asname or alias.name] = alias.name
            elif (node.module or "").startswith("sophon_hub.store."):
                used.add(f"{(node.module or '').rpartition('.')[2]}.{alias.name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            noun = nouns.get(node.value.id)
            if noun:
                used.add(f"{noun}.{node.attr}")
    return used


def test_there_are_edges_to_look_at() -> None:
    assert {path.relative_to(PACKAGE).parts[0] for path in EDGE_MODULES} == set(EDGES)
    assert "groups.list_groups" in used_reads(PACKAGE / "api" / "groups.py")


@each_edge
def test_an_edge_knows_nothing_of_the_database(path: Path) -> None:
    top = {module.partition(".")[0] for module, _ in imported(path)}
    assert not top & {"sqlalchemy", "sqlite3", "psycopg", "alembic"}


@each_edge
def test_an_edge_reads_nothing_that_is_not_filtered(path: Path) -> None:
    names = {name for _, name in imported(path)}
    assert not {name for name in names if name.startswith("system_")}
    assert not {read for read in used_reads(path) if read.partition(".")[2].startswith("system_")}


def parameters(module: ModuleType, name: str) -> set[object]:
    return set(typing.get_type_hints(getattr(module, name)).values())


@each_edge
def test_what_an_edge_reads_takes_who_asks_or_something_they_were_given(path: Path) -> None:
    for read in used_reads(path):
        noun, _, name = read.partition(".")
        if name.startswith(READS) and read not in ASK_NOBODY:
            hints = parameters(STORE[noun], name)
            one_of = {argument for hint in hints for argument in typing.get_args(hint)}
            assert (hints | one_of) & {Actor, *SUBJECTS}, read


def test_no_read_of_the_store_is_both_unfiltered_and_unmarked() -> None:
    """Whatever the edges use today: a read without an actor is called ``system_``."""
    for noun, module in STORE.items():
        for name, thing in vars(module).items():
            is_own = inspect.isfunction(thing) and thing.__module__ == module.__name__
            if is_own and name.startswith(READS) and f"{noun}.{name}" not in ASK_NOBODY:
                hints = parameters(module, name)
                one_of = {argument for hint in hints for argument in typing.get_args(hint)}
                assert (hints | one_of) & {Actor, *SUBJECTS}, f"{noun}.{name}"


def test_what_asks_nobody_still_exists_and_gives_no_group_project_or_lab() -> None:
    for read in ASK_NOBODY:
        noun, _, name = read.partition(".")
        given = typing.get_type_hints(getattr(STORE[noun], name))["return"]
        assert not {given, *typing.get_args(given)} & SUBJECTS
    assert Person in typing.get_args(typing.get_type_hints(STORE["people"].find_person)["return"])


def test_only_who_has_asked_for_a_permission_finds_people_by_name() -> None:
    """`find_person` filters nothing, so each edge that calls it has been looked at."""
    callers = {
        str(path.relative_to(PACKAGE))
        for path in EDGE_MODULES
        if "people.find_person" in used_reads(path)
    }
    assert callers <= {
        "web/explaining.py",  # explanations about others: owners only
        "web/accounts.py",  # gives nothing back, and does nothing for guests
    }


def test_every_permission_is_in_the_table_of_the_tests() -> None:
    assert {str(permission) for permission in Permission} == {*TABLE, *map(str, SEEING)}


@pytest.mark.parametrize(
    "path",
    [path for path in modules("") if "migrations" not in path.parts]
    + sorted(Path(sophon_lab.__file__).parent.glob("*.py")),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_a_module_is_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE
