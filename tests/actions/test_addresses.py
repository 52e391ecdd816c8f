"""Slugs as actions choose them: made of names, numbered when taken, refused when asked for."""

from collections.abc import Callable

import pytest

from sophon_hub import names
from sophon_hub.actions.forms import NewGroup, NewLab, NewProject
from sophon_hub.actions.groups import create_group
from sophon_hub.actions.labs import create_lab
from sophon_hub.actions.projects import create_project
from sophon_hub.errors import Conflict, Invalid
from sophon_hub.settings import Sophon
from tests import make
from tests.cast import Cast

Create = Callable[[str, str | None], str]


@pytest.fixture(params=["group", "project", "lab"])
def create(request: pytest.FixtureRequest, cast: Cast, settings: Sophon) -> Create:
    """Creates one of the three things by name, and perhaps slug, and gives its slug."""
    session, grace = cast.session, cast.actor("grace")
    project = make.project(session, cast.group, "holder")

    def group(name: str, slug: str | None) -> str:
        return create_group(session, grace, NewGroup.read({"name": name, "slug": slug})).slug

    def new_project(name: str, slug: str | None) -> str:
        form = NewProject.read({"group": "optics", "name": name, "slug": slug})
        return create_project(session, grace, form).slug

    def lab(name: str, slug: str | None) -> str:
        form = NewLab.read({"name": name, "slug": slug})
        return create_lab(session, grace, project, form, settings).slug

    return {"group": group, "project": new_project, "lab": lab}[request.param]


def test_a_slug_is_made_of_the_name_and_numbered_when_taken(create: Create) -> None:
    made = [create("Größe Ω", None) for _ in range(3)]
    assert made == ["grosse", "grosse-2", "grosse-3"]


def test_a_slug_that_is_asked_for_is_used_or_refused(create: Create) -> None:
    assert create("Anything", "chosen") == "chosen"
    with pytest.raises(Conflict, match="“chosen” is taken") as refusal:
        create("Anything", "chosen")
    assert refusal.value.extra == {"field": "slug"}
    assert create("Chosen", None) == "chosen-2"


def test_numbers_fit_into_the_longest_slug(create: Create) -> None:
    made = [create("x" * 60, None) for _ in range(11)]
    assert len(set(made)) == 11
    assert {len(slug) for slug in made} <= {30, 48}
    assert made[-1].endswith("x-11")


@pytest.mark.parametrize("name", ["量子", "Проект", "🙂", "!!!"])
def test_names_in_other_scripts_get_addresses_too(create: Create, name: str) -> None:
    first, second = create(name, None), create(name, None)
    assert first != second
    assert names.slug_problem(first) is None


@pytest.mark.parametrize("name", ["New", "Project", "project x", "TMP 1"])
def test_no_name_leads_to_a_reserved_slug_however_often_it_is_used(
    create: Create, name: str
) -> None:
    for slug in [create(name, None) for _ in range(3)]:
        assert names.slug_problem(slug) is None


@pytest.mark.parametrize(
    "slug",
    ["new", "project-x", "tmp-x", "Upper", "a--b", "-a", "", "../x", "a/b", "\u0430bc", "x" * 49],
    ids=ascii,
)
def test_reserved_and_malformed_slugs_are_refused(create: Create, slug: str) -> None:
    with pytest.raises(Invalid) as refusal:
        create("Anything", slug)
    assert [error.field for error in refusal.value.errors] == ["slug"]


def test_the_slug_of_something_in_the_trash_stays_taken(cast: Cast) -> None:
    make.group(cast.session, "gone", deleted_at=make.LONG_AGO)
    grace = cast.actor("grace")
    with pytest.raises(Conflict, match="taken"):
        create_group(cast.session, grace, NewGroup(name="Gone", slug="gone"))
    assert create_group(cast.session, grace, NewGroup(name="Gone")).slug == "gone-2"
