"""Creating, editing and moving projects."""

from typing import Any

import pytest
from sqlalchemy import update

from sophon_hub.actions.forms import NewProject, ProjectChanges
from sophon_hub.actions.projects import create_project, delete_project, edit_project
from sophon_hub.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from sophon_hub.models import (
    LabState,
    MemberRole,
    Membership,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from tests import make
from tests.cast import Cast
from tests.conftest import StoppedClock
from tests.database import events, jobs


def create(cast: Cast, by: str = "grace", /, **fields: Any) -> ResearchProject:
    form = NewProject.read({"group": "optics", "name": "Lens", **fields})
    return create_project(cast.session, cast.actor(by), form)


def edit(
    cast: Cast, project: ResearchProject, by: str = "ada", /, **fields: Any
) -> ResearchProject:
    form = ProjectChanges.read(fields)
    return edit_project(cast.session, cast.actor(by), project, form)


def other_group(
    cast: Cast,
    *,
    visibility: Visibility = Visibility.PUBLIC,
    role: MemberRole | None = MemberRole.MEMBER,
) -> ResearchGroup:
    """A second group, with Ada in it."""
    group = make.group(cast.session, "waves", visibility=visibility)
    if role:
        make.membership(cast.session, group, cast.people["ada"], role)
    return group


@pytest.mark.parametrize(
    ("of_group", "of_project"),
    [
        (Visibility.PUBLIC, Visibility.INTERNAL),
        (Visibility.INTERNAL, Visibility.INTERNAL),
        (Visibility.PRIVATE, Visibility.PRIVATE),
    ],
)
def test_a_new_project_is_internal_unless_its_group_is_stricter(
    cast: Cast, of_group: Visibility, of_project: Visibility
) -> None:
    cast.group.visibility = of_group
    assert create(cast).visibility is of_project


@pytest.mark.parametrize("of_group", Visibility)
@pytest.mark.parametrize("of_project", Visibility)
def test_a_project_is_never_more_visible_than_its_group(
    cast: Cast, of_group: Visibility, of_project: Visibility
) -> None:
    cast.group.visibility = of_group
    before = make.project(cast.session, cast.group, "before")
    if of_project.openness <= of_group.openness:
        assert create(cast, visibility=of_project).visibility is of_project
        assert edit(cast, before, visibility=of_project).visibility is of_project
        return
    for attempt in (
        lambda: create(cast, visibility=of_project),
        lambda: edit(cast, before, visibility=of_project),
    ):
        with pytest.raises(Invalid, match=f"The group is {of_group}") as refusal:
            attempt()
        assert [error.field for error in refusal.value.errors] == ["visibility"]
    assert before.visibility is Visibility.PRIVATE


@pytest.mark.parametrize("name", ["grace", "ada", "root"])
def test_members_owners_and_admins_create_projects(cast: Cast, name: str) -> None:
    project = create(cast, name, description="*glass*", slug="glass", visibility="public")
    assert (project.slug, project.name, project.description) == ("glass", "Lens", "*glass*")
    assert project.group is cast.group
    assert events(cast.session)[-1].detail == {"name": "Lens", "visibility": "public"}


@pytest.mark.parametrize(
    ("name", "refusal"),
    [("guest", Unauthenticated), ("barbara", Forbidden), ("alan", Forbidden)],
)
def test_nobody_else_creates_projects(cast: Cast, name: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        create(cast, name)


@pytest.mark.parametrize(
    "slug", ["nothing", "hidden", "", "\x00", "\ud800", "../optics"], ids=ascii
)
def test_a_group_one_does_not_see_is_the_same_as_none(cast: Cast, slug: str) -> None:
    make.group(cast.session, "hidden", visibility=Visibility.PRIVATE)
    with pytest.raises(Invalid, match="no such group, or you may not see it") as refusal:
        create(cast, group=slug)
    assert [error.field for error in refusal.value.errors] == ["group"]


def test_a_group_in_the_trash_takes_no_projects(cast: Cast) -> None:
    cast.group.deleted_at = make.LONG_AGO
    cast.session.flush()
    with pytest.raises(Forbidden, match="restore it first"):
        create(cast, "ada")
    with pytest.raises(Invalid, match="no such group"):
        create(cast, "grace")


def test_members_edit_name_and_description(cast: Cast, stopped_clock: StoppedClock) -> None:
    project = make.project(cast.session, cast.group)
    edit(cast, project, "grace", name="Mirror", description="shiny")
    assert (project.name, project.description, project.slug) == ("Mirror", "shiny", "lens")
    assert project.updated_at == stopped_clock.now
    assert events(cast.session)[-1].detail == {
        "before": {"name": "Lens", "description": ""},
        "after": {"name": "Mirror", "description": "shiny"},
    }


@pytest.mark.parametrize("name", ["guest", "barbara", "alan"])
@pytest.mark.parametrize("visibility", [Visibility.PUBLIC, Visibility.PRIVATE])
def test_viewers_and_strangers_edit_nothing(cast: Cast, name: str, visibility: Visibility) -> None:
    project = make.project(cast.session, cast.group, visibility=visibility)
    expected = {
        ("guest", Visibility.PUBLIC): Unauthenticated,
        ("guest", Visibility.PRIVATE): NotFound,
        ("barbara", Visibility.PRIVATE): NotFound,
    }.get((name, visibility), Forbidden)
    with pytest.raises(expected):
        edit(cast, project, name, name="Mine")
    assert project.name == "Lens"


def test_a_member_does_not_change_the_visibility_but_may_send_it_unchanged(cast: Cast) -> None:
    project = make.project(cast.session, cast.group)
    with pytest.raises(Forbidden, match="project:visibility"):
        edit(cast, project, "grace", visibility="public", name="Mirror")
    assert project.name == "Lens"
    edit(cast, project, "grace", visibility="private", name="Mirror")
    assert (project.name, project.visibility) == ("Mirror", Visibility.PRIVATE)


def test_a_member_does_not_move_a_project_but_may_send_its_group_unchanged(cast: Cast) -> None:
    waves = make.group(cast.session, "waves")
    make.membership(cast.session, waves, cast.people["grace"], MemberRole.OWNER)
    project = make.project(cast.session, cast.group)
    with pytest.raises(Forbidden, match="project:move"):
        edit(cast, project, "grace", group="waves")
    edit(cast, project, "grace", group="optics", name="Mirror")
    assert (project.name, project.group) == ("Mirror", cast.group)
    assert jobs(cast.session) == []


@pytest.mark.parametrize("role", [MemberRole.MEMBER, MemberRole.OWNER])
def test_an_owner_moves_a_project_to_another_own_group(cast: Cast, role: MemberRole) -> None:
    project = make.project(cast.session, cast.group)
    waves = other_group(cast, role=role)
    edit(cast, project, group="waves")
    cast.session.expire(project, ["group_id"])
    assert (project.group, project.group_id) == (waves, waves.id)
    [event] = events(cast.session)
    assert event.detail == {"before": {"group": "optics"}, "after": {"group": "waves"}}
    assert event.group_id == waves.id
    assert {key for _, key in jobs(cast.session)} == {
        f"group:{cast.group.id}",
        f"group:{waves.id}",
    }


def test_a_project_is_not_moved_where_one_may_not_create(cast: Cast) -> None:
    project = make.project(cast.session, cast.group)
    waves = other_group(cast, role=MemberRole.VIEWER)
    with pytest.raises(Forbidden, match="project:create"):
        edit(cast, project, group="waves")
    waves.visibility = Visibility.PRIVATE
    cast.session.delete(cast.session.get_one(Membership, (waves.id, cast.people["ada"].id)))
    for slug in ("waves", "nothing"):
        with pytest.raises(Invalid, match="no such group"):
            edit(cast, project, group=slug)
    assert project.group is cast.group


def test_a_project_is_not_moved_into_the_trash(cast: Cast) -> None:
    project = make.project(cast.session, cast.group)
    other_group(cast, role=MemberRole.OWNER).deleted_at = make.LONG_AGO
    cast.session.flush()
    with pytest.raises(Forbidden, match="restore it first"):
        edit(cast, project, group="waves")


def test_moving_into_a_stricter_group_asks_first_then_lowers(cast: Cast) -> None:
    project = make.project(cast.session, cast.group, visibility=Visibility.PUBLIC)
    waves = other_group(cast, visibility=Visibility.INTERNAL)
    with pytest.raises(Conflict, match="would become internal") as refusal:
        edit(cast, project, group="waves")
    assert refusal.value.extra == {"visibility": "internal"}
    with pytest.raises(Invalid, match="The group is internal"):
        edit(cast, project, group="waves", visibility="public")
    assert (project.group, project.visibility) == (cast.group, Visibility.PUBLIC)
    edit(cast, project, group="waves", visibility="internal")
    assert (project.group, project.visibility) == (waves, Visibility.INTERNAL)


def test_moving_into_a_more_visible_group_leaves_the_project_as_it_is(cast: Cast) -> None:
    cast.group.visibility = Visibility.PRIVATE
    project = make.project(cast.session, cast.group)
    other_group(cast)
    edit(cast, project, group="waves")
    assert project.visibility is Visibility.PRIVATE


@pytest.mark.parametrize("state", LabState)
def test_a_project_moves_when_none_of_its_labs_has_a_server(cast: Cast, state: LabState) -> None:
    project = make.project(cast.session, cast.group)
    make.lab(cast.session, project, "quiet")
    make.lab(cast.session, project, "busy", state=state)
    waves = other_group(cast)
    if state in (LabState.STOPPED, LabState.FAILED):
        assert edit(cast, project, group="waves").group is waves
    else:
        with pytest.raises(Conflict, match=r"before moving it: Busy\."):
            edit(cast, project, group="waves")
        assert project.group is cast.group
        edit(cast, project, name="Mirror", group="optics")


def test_what_somebody_else_has_just_moved_is_looked_at_again(cast: Cast) -> None:
    """The row is read again under its lock: what was read before may be old."""
    project = make.project(cast.session, cast.group)
    waves = other_group(cast, role=MemberRole.OWNER)
    cast.session.execute(
        update(ResearchProject)
        .values(group_id=waves.id)
        .execution_options(synchronize_session=False)
    )
    assert project.group_id == cast.group.id
    with pytest.raises(Conflict, match="just moved"):
        delete_project(cast.session, cast.actor("ada"), project)


def test_an_owner_edits_nothing_in_the_trash(cast: Cast) -> None:
    project = make.project(cast.session, cast.group, deleted_at=make.LONG_AGO)
    with pytest.raises(Forbidden, match="restore it first"):
        edit(cast, project, name="Mirror")
    with pytest.raises(NotFound):
        edit(cast, project, "grace", name="Mirror")
