"""What people do with course material."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sophon_hub import names
from sophon_hub.actions.material_forms import FreshCopy, MaterialSource
from sophon_hub.actions.materials import (
    get_fresh_copy,
    get_material,
    publish_material,
    remove_material,
    set_material,
    undo_delivery,
)
from sophon_hub.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from sophon_hub.models import (
    AuditEvent,
    DatasetState,
    DeliveryState,
    DeliveryVerb,
    Job,
    Lab,
    Material,
    MaterialKind,
    ResearchProject,
    Visibility,
)
from sophon_hub.settings import Sophon
from sophon_hub.store import materials as store
from sophon_hub.store.trash import Kind, system_remains
from tests import make
from tests.cast import Cast

SETTINGS = Sophon(home_hard_quota="1M")
URL = "https://git.example.org/physics/course.git"


def source(**fields: Any) -> MaterialSource:
    return MaterialSource.read({"kind": "folder", "lab": "bench", "folder": "course"} | fields)


def repository(**fields: Any) -> MaterialSource:
    return MaterialSource.read({"kind": "repository", "url": URL} | fields)


@pytest.fixture
def project(session: Session, cast: Cast) -> ResearchProject:
    """A public project with a lab; everybody but the guest has a home."""
    project = make.project(session, cast.group, visibility=Visibility.PUBLIC)
    make.lab(session, project)
    for person in cast.people.values():
        make.personal_lab(session, person, home_uid=names.new_uid())
    return project


def events(session: Session) -> list[AuditEvent]:
    session.flush()
    return list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def test_a_folder_of_a_lab_becomes_the_material(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    made = set_material(session, cast.actor("grace"), project, source())
    lab = session.scalars(select(Lab)).one()
    assert (made.kind, made.location, made.lab_uid) == (MaterialKind.FOLDER, "course", lab.uid)
    assert (made.state, made.uid, made.version) == (DatasetState.PREPARING, None, 0)
    [event] = events(session)
    assert event.detail == {"before": None, "after": {"kind": "folder", "location": "course"}}


def test_another_source_leaves_what_people_get_until_it_is_published(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    before = make.material(session, project, uid="7" * 32)
    made = set_material(session, cast.actor("grace"), project, repository(branch="main"))
    assert made is before
    assert (made.kind, made.location, made.branch) == (MaterialKind.REPOSITORY, URL, "main")
    assert (made.uid, made.lab_uid) == ("7" * 32, None)
    assert made.next_uid != made.uid
    [event] = events(session)
    assert event.detail["before"] == {"kind": "folder", "location": "course"}
    assert event.detail["after"] == {"kind": "repository", "location": URL, "branch": "main"}


@pytest.mark.parametrize("folder", ["", "/etc", "../other", "a//b", "course/", "."])
def test_only_a_folder_below_the_home_is_published(
    session: Session, cast: Cast, project: ResearchProject, folder: str
) -> None:
    with pytest.raises(Invalid) as refused:
        set_material(session, cast.actor("grace"), project, source(folder=folder))
    assert [error.field for error in refused.value.errors] == ["folder"]


def test_only_a_lab_of_the_project_that_is_not_in_the_trash_is_published_from(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    other = make.project(session, cast.group, "other", visibility=Visibility.PUBLIC)
    make.lab(session, other, "elsewhere")
    make.lab(session, project, "gone", deleted_at=make.LONG_AGO)
    for slug in ("elsewhere", "gone", "", "No lab"):
        with pytest.raises(Invalid) as refused:
            set_material(session, cast.actor("ada"), project, source(lab=slug))
        assert [error.field for error in refused.value.errors] == ["lab"]


def test_a_lab_that_somebody_else_has_locked_is_not_published_from(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    session.scalars(select(Lab)).one().locked_by = cast.people["ada"]
    with pytest.raises(Conflict, match="locked"):
        set_material(session, cast.actor("grace"), project, source())


@pytest.mark.parametrize(
    "url",
    [
        *["", "http://git.example.org/course.git", "git@git.example.org:course.git"],
        *["ssh://git.example.org/x", "file:///srv/git", "ext::sh -c id", "https://", "https://h"],
        *["https://me:secret@git.example.org/x.git", "https://git.example.org/x y"],
        *["https://git.example.org/x?a=b", "https://git.example.org/x#y", "--upload-pack=id"],
        *["https://[::1]/x", "HTTPS://git.example.org/x", "https://git.example.org/x\ny"],
    ],
)
def test_only_a_public_repository_at_an_https_address_is_fetched(
    session: Session, cast: Cast, project: ResearchProject, url: str
) -> None:
    with pytest.raises(Invalid) as refused:
        set_material(session, cast.actor("grace"), project, repository(url=url))
    assert [error.field for error in refused.value.errors] == ["url"]


@pytest.mark.parametrize("branch", ["-x", "a..b", "a b", "a:b", "+main", "x" * 201])
def test_what_cannot_be_a_branch_is_refused(
    session: Session, cast: Cast, project: ResearchProject, branch: str
) -> None:
    with pytest.raises(Invalid) as refused:
        set_material(session, cast.actor("grace"), project, repository(branch=branch))
    assert [error.field for error in refused.value.errors] == ["branch"]


@pytest.mark.parametrize("verb", [publish_material, remove_material])
def test_what_a_project_does_not_have_is_not_published_or_removed(
    session: Session, cast: Cast, project: ResearchProject, verb: Any
) -> None:
    with pytest.raises(NotFound):
        verb(session, cast.actor("grace"), project)
    with pytest.raises(Forbidden):
        verb(session, cast.actor("alan"), project)


def test_publishing_anew_makes_another_version(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    before = make.material(session, project, state=DatasetState.FAILED, message="no folder")
    made = publish_material(session, cast.actor("grace"), project)
    assert made.state is DatasetState.PREPARING
    assert made.next_uid != before.uid == "5" * 32


def test_material_that_was_removed_is_tidied_and_can_be_given_again(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    make.material(session, project)
    remove_material(session, cast.actor("grace"), project)
    session.flush()
    assert store.find_material(session, cast.actor("grace"), project) is None
    assert [job.kind for job in session.scalars(select(Job))] == ["tidy_material"]
    assert set_material(session, cast.actor("grace"), project, source()).version == 0


def test_whoever_sees_a_project_gets_its_material_and_nobody_else(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    make.material(session, project)
    for name in ("barbara", "alan", "ada", "root"):
        got = get_material(session, cast.actor(name), project, SETTINGS)
        assert (got.state, got.verb) == (DeliveryState.WAITING, DeliveryVerb.GET)
    with pytest.raises(Unauthenticated):
        get_material(session, cast.actor("guest"), project, SETTINGS)
    project.visibility = Visibility.PRIVATE
    session.flush()
    with pytest.raises(NotFound):
        get_material(session, cast.actor("barbara"), project, SETTINGS)


def test_what_is_not_there_yet_or_any_more_is_not_brought(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    grace = cast.actor("grace")
    with pytest.raises(NotFound):
        get_material(session, grace, project, SETTINGS)
    material = make.material(session, project, uid=None, state=DatasetState.PREPARING)
    with pytest.raises(Conflict, match="not ready"):
        get_material(session, grace, project, SETTINGS)
    material.uid = "5" * 32
    project.deleted_at = make.LONG_AGO
    session.flush()
    with pytest.raises(Conflict, match="trash"):
        get_material(session, cast.actor("ada"), project, SETTINGS)


def test_a_home_has_to_be_there_and_have_room(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    make.material(session, project)
    newcomer = make.person(session, "newcomer")
    lab = make.personal_lab(session, newcomer, disk_bytes=1024**2 + 1)
    cast.people["newcomer"] = newcomer
    with pytest.raises(Conflict, match="Start it once"):
        get_material(session, cast.actor("newcomer"), project, SETTINGS)
    lab.home_uid = names.new_uid()
    make.delivery(session, project, newcomer)
    session.flush()
    with pytest.raises(Conflict, match="1M"):
        get_material(session, cast.actor("newcomer"), project, SETTINGS)
    # undo needs no room, and gives some back
    assert undo_delivery(session, cast.actor("newcomer"), project, SETTINGS)


def test_one_thing_at_a_time_is_done_in_a_home(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    make.material(session, project)
    get_material(session, cast.actor("grace"), project, SETTINGS)
    with pytest.raises(Conflict, match="wait"):
        get_material(session, cast.actor("grace"), project, SETTINGS)
    assert get_material(session, cast.actor("ada"), project, SETTINGS)


def test_only_what_can_be_undone_is_undone(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    make.material(session, project)
    with pytest.raises(Conflict, match="nothing to undo"):
        undo_delivery(session, cast.actor("grace"), project, SETTINGS)
    delivery = make.delivery(session, project, cast.people["grace"], undo=False)
    with pytest.raises(Conflict, match="nothing to undo"):
        undo_delivery(session, cast.actor("grace"), project, SETTINGS)
    delivery.report = {**(delivery.report or {}), "undo": True}
    assert undo_delivery(session, cast.actor("grace"), project, SETTINGS).verb == "undo"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a//b", "a/./b", "\0"])
def test_a_fresh_copy_is_of_a_file_of_the_material(path: str) -> None:
    with pytest.raises(Invalid) as refused:
        FreshCopy.read({"path": path})
    assert [error.field for error in refused.value.errors] == ["path"]


def test_the_name_of_a_file_is_taken_as_it_is(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    make.material(session, project)
    name = "  e\u0301 two  spaces\n.txt"
    form = FreshCopy.read({"path": name})
    assert get_fresh_copy(session, cast.actor("grace"), project, form, SETTINGS).path == name


def test_people_of_one_project_see_only_their_own_delivery(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    make.delivery(session, project, cast.people["ada"], kept=[("secret.txt", "")])
    found = store.find_delivery(session, cast.actor("grace"), project)
    assert (found.state, found.report) == (DeliveryState.NEVER, None)
    assert session.scalars(select(Material)).all() == []


def test_material_goes_with_its_project_and_not_while_it_is_being_published(
    session: Session, cast: Cast, project: ResearchProject
) -> None:
    material = make.material(session, project)
    make.delivery(session, project, cast.people["grace"])
    make.material(session, make.project(session, cast.group, "other"))
    for deleted in (project, cast.group):
        deleted.deleted_at = deleted.purge_started_at = make.LONG_AGO
    session.flush()
    remains = system_remains(session, Kind.PROJECT, project.id)
    assert remains
    assert (remains.materials, remains.busy) == ((project.id,), False)
    of_group = system_remains(session, Kind.GROUP, cast.group.id)
    assert of_group
    assert len(of_group.materials) == 2
    material.state = DatasetState.PREPARING
    session.flush()
    for kind, number in ((Kind.PROJECT, project.id), (Kind.GROUP, cast.group.id)):
        remains = system_remains(session, kind, number)
        assert remains
        assert remains.busy
