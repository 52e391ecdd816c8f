"""The table of DESIGN, section 6, word for word: every permission, everybody, every visibility."""

from itertools import product

import pytest

from sophon_hub.errors import Forbidden, NotFound, Unauthenticated
from sophon_hub.models import Dataset, Lab, ResearchGroup, ResearchProject, Visibility
from sophon_hub.policy.actor import Standing
from sophon_hub.policy.permissions import (
    IN_TRASH,
    LEAST_STANDING,
    SEEING,
    Permission,
    Subject,
    decide,
    is_visible,
    may,
    permitted,
    require,
)
from tests.cast import STANDINGS
from tests.policy.people import NOW, actor

#                       guest barbara alan grace ada root
TABLE = {
    "group:edit":         "-     -     -     -    y   y",
    "group:people":       "-     -     -     -    y   y",
    "group:delete":       "-     -     -     -    y   y",
    "project:create":     "-     -     -     y    y   y",
    "project:edit":       "-     -     -     y    y   y",
    "project:visibility": "-     -     -     -    y   y",
    "project:move":       "-     -     -     -    y   y",
    "project:delete":     "-     -     -     -    y   y",
    "lab:create":         "-     -     -     y    y   y",
    "lab:edit":           "-     -     -     y    y   y",
    "lab:start":          "-     -     -     y    y   y",
    "lab:stop":           "-     -     -     y    y   y",
    "lab:open":           "-     -     -     y    y   y",
    "lab:watch":          "-     -     y     y    y   y",
    "lab:lock":           "-     -     -     y    y   y",
    "lab:unlock":         "-     -     -     -    y   y",
    "lab:delete":         "-     -     -     -    y   y",
    "dataset:create":     "-     -     -     y    y   y",
    "dataset:edit":       "-     -     -     y    y   y",
    "dataset:visibility": "-     -     -     -    y   y",
    "dataset:delete":     "-     -     -     -    y   y",
    "events:see":         "-     -     -     y    y   y",
}  # fmt: skip

SEEN = {
    Visibility.PUBLIC:    "y     y     y     y    y   y",
    Visibility.INTERNAL:  "-     y     y     y    y   y",
    Visibility.PRIVATE:   "-     -     y     y    y   y",
}  # fmt: skip

IN_THE_TRASH =           "-     -     -     -    y   y"  # fmt: skip


def names(row: str) -> set[str]:
    return {name for name, mark in zip(STANDINGS, row.split(), strict=True) if mark == "y"}


def subjects(visibility: Visibility, *, in_trash: bool = False) -> list[Subject]:
    deleted_at = NOW if in_trash else None
    group = ResearchGroup(id=1, slug="g", visibility=visibility, deleted_at=deleted_at)
    project = ResearchProject(
        id=2, slug="p", group=group, group_id=1, visibility=visibility, deleted_at=deleted_at
    )
    return [group, project, Lab(id=3, slug="l", project=project, deleted_at=deleted_at)]


def dataset_of(
    visibility: Visibility, *, in_trash: bool = False, group_id: int | None = 1
) -> Dataset:
    deleted_at = NOW if in_trash else None
    return Dataset(id=4, slug="d", group_id=group_id, visibility=visibility, deleted_at=deleted_at)


def subject_of(permission: str, visibility: Visibility, *, in_trash: bool = False) -> Subject:
    group, project, lab = subjects(visibility, in_trash=in_trash)
    if permission.startswith("group:") or permission in {"project:create", "dataset:create"}:
        return group
    if permission.startswith("dataset:"):
        return dataset_of(visibility, in_trash=in_trash)
    if permission.startswith("lab:") and permission != "lab:create":
        return lab
    return project


everybody = pytest.mark.parametrize("name", STANDINGS)
every_visibility = pytest.mark.parametrize("visibility", Visibility)
every_permission = pytest.mark.parametrize("permission", Permission)


def test_the_table_has_every_permission_and_no_other() -> None:
    assert {*TABLE, *map(str, SEEING)} == {str(permission) for permission in Permission}
    assert set(LEAST_STANDING) == set(Permission) - SEEING


def test_the_cast_has_everybody_in_order() -> None:
    assert list(STANDINGS.values()) == sorted(Standing)


@every_visibility
@everybody
@pytest.mark.parametrize("permission", TABLE)
def test_whoever_stands_in_the_table_may(
    permission: str, name: str, visibility: Visibility
) -> None:
    subject = subject_of(permission, visibility)
    assert may(actor(name), Permission(permission), subject) == (name in names(TABLE[permission]))


@every_visibility
@everybody
def test_public_internal_and_private_things_are_seen_by_whom_the_table_says(
    name: str, visibility: Visibility
) -> None:
    seen = name in names(SEEN[visibility])
    group, project, lab = subjects(visibility)
    assert may(actor(name), Permission.GROUP_SEE, group) == seen
    assert may(actor(name), Permission.PROJECT_SEE, project) == seen
    assert is_visible(actor(name), lab) == seen
    assert may(actor(name), Permission.DATASET_SEE, dataset_of(visibility)) == seen


@everybody
@every_visibility
def test_a_dataset_of_no_group_is_the_administrators(name: str, visibility: Visibility) -> None:
    dataset = dataset_of(visibility, group_id=None)
    seen = name == "root" or (
        visibility is not Visibility.PRIVATE and name in names(SEEN[visibility])
    )
    assert is_visible(actor(name), dataset) == seen
    assert may(actor(name), Permission.DATASET_EDIT, dataset) == (name == "root")
    gone = dataset_of(visibility, group_id=None, in_trash=True)
    assert is_visible(actor(name), gone) == (name == "root")


@everybody
@every_permission
def test_what_is_in_the_trash_is_seen_restored_and_read_about_by_owners_and_admins_only(
    permission: Permission, name: str
) -> None:
    allowed = permission in IN_TRASH | SEEING and name in names(IN_THE_TRASH)
    for visibility in Visibility:
        subject = subject_of(permission, visibility, in_trash=True)
        assert may(actor(name), permission, subject) == allowed, visibility


@everybody
@every_permission
def test_a_refusal_says_as_much_as_may_be_known(permission: Permission, name: str) -> None:
    for in_trash, visibility in product((False, True), Visibility):
        subject = subject_of(permission, visibility, in_trash=in_trash)
        seen = name in names(IN_THE_TRASH if in_trash else SEEN[visibility])
        if may(actor(name), permission, subject):
            require(actor(name), permission, subject)
            continue
        expected = Forbidden if seen and name != "guest" else Unauthenticated if seen else NotFound
        with pytest.raises(expected):
            require(actor(name), permission, subject)


@everybody
@every_visibility
def test_what_is_permitted_is_what_the_table_says_and_nothing_of_other_nouns(
    name: str, visibility: Visibility
) -> None:
    group, project, lab = subjects(visibility)
    here = {permission for permission, row in TABLE.items() if name in names(row)} | (
        {"group:see", "project:see", "dataset:see"} if name in names(SEEN[visibility]) else set()
    )
    of_group = {"project:create", "dataset:create", "events:see"} | {
        p for p in Permission if p.startswith("group:")
    }
    of_lab = {p for p in Permission if p.startswith("lab:")} - {"lab:create"}
    of_dataset = {p for p in Permission if p.startswith("dataset:")} - {"dataset:create"}
    of_project = set(Permission) - of_group - of_lab - of_dataset | {"events:see"}
    assert set(permitted(actor(name), group)) == here & of_group
    assert set(permitted(actor(name), project)) == here & of_project
    assert set(permitted(actor(name), lab)) == here & of_lab
    assert set(permitted(actor(name), dataset_of(visibility))) == here & of_dataset


def test_seeing_a_group_is_decided_by_the_group_even_when_a_project_is_asked_about() -> None:
    group, project, lab = subjects(Visibility.PUBLIC)
    project.visibility = Visibility.PRIVATE
    for subject in (group, project, lab):
        assert may(actor("barbara"), Permission.GROUP_SEE, subject)
    for subject in (project, lab):
        assert not may(actor("barbara"), Permission.PROJECT_SEE, subject)


def test_a_group_can_be_edited_while_its_project_is_in_the_trash() -> None:
    group, _, _ = subjects(Visibility.PUBLIC)
    _, project, _ = subjects(Visibility.PUBLIC, in_trash=True)
    project.group = group
    assert may(actor("ada"), Permission.GROUP_EDIT, project)
    assert not may(actor("ada"), Permission.PROJECT_EDIT, project)


def test_a_lab_of_a_project_in_the_trash_is_in_the_trash() -> None:
    _, project, lab = subjects(Visibility.PUBLIC)
    assert may(actor("grace"), Permission.LAB_START, lab)
    project.deleted_at = NOW
    assert not may(actor("grace"), Permission.LAB_START, lab)
    with pytest.raises(NotFound):
        require(actor("grace"), Permission.LAB_START, lab)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("grace", True), ("ada", True), ("root", True), ("alan", False), ("barbara", False)],
)
def test_a_lock_is_lifted_by_who_set_it_while_a_member_and_by_owners_and_admins(
    name: str, allowed: bool
) -> None:
    _, _, lab = subjects(Visibility.PUBLIC)
    lab.locked_by_id = actor(name).person_id
    assert may(actor(name), Permission.LAB_UNLOCK, lab) == allowed


def test_a_member_does_not_lift_a_lock_of_somebody_else() -> None:
    _, _, lab = subjects(Visibility.PUBLIC)
    assert not may(actor("grace"), Permission.LAB_UNLOCK, lab)
    lab.locked_by_id = actor("ada").person_id
    assert not may(actor("grace"), Permission.LAB_UNLOCK, lab)
    assert decide(actor("ada"), Permission.LAB_UNLOCK, lab).source == "lock"
    assert decide(actor("root"), Permission.LAB_UNLOCK, lab).source == "admin"


@pytest.mark.parametrize("name", ["grace", "ada", "root"])
def test_in_a_locked_lab_only_who_locked_it_edits_and_a_refusal_says_so(name: str) -> None:
    _, _, lab = subjects(Visibility.PUBLIC)
    lab.locked_by_id = actor(name).person_id
    assert may(actor(name), Permission.LAB_OPEN, lab)
    lab.locked_by_id = actor("alan").person_id
    decision = decide(actor(name), Permission.LAB_OPEN, lab)
    assert (decision.allowed, decision.source) == (False, "lock")
    assert may(actor(name), Permission.LAB_WATCH, lab)
    with pytest.raises(Forbidden, match="locked this lab; you can watch"):
        require(actor(name), Permission.LAB_OPEN, lab)


def test_who_has_set_a_lock_and_is_a_viewer_by_now_does_not_edit() -> None:
    _, _, lab = subjects(Visibility.PUBLIC)
    lab.locked_by_id = actor("alan").person_id
    assert decide(actor("alan"), Permission.LAB_OPEN, lab).source == "membership:viewer"


def test_an_owner_who_meets_the_trash_is_told_to_restore_first() -> None:
    group, _, _ = subjects(Visibility.PRIVATE, in_trash=True)
    with pytest.raises(Forbidden, match="restore it first"):
        require(actor("ada"), Permission.GROUP_EDIT, group)


def test_a_refusal_names_the_permission_and_what_it_takes() -> None:
    group, _, _ = subjects(Visibility.PUBLIC)
    with pytest.raises(Forbidden, match=r"\(group:edit\): it takes at least owner of the group"):
        require(actor("grace"), Permission.GROUP_EDIT, group)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("guest", "visibility:public"),
        ("barbara", "visibility:public"),
        ("alan", "membership:viewer"),
        ("ada", "membership:owner"),
        ("root", "admin"),
    ],
)
def test_an_explanation_names_the_source_of_seeing(name: str, source: str) -> None:
    group, _, _ = subjects(Visibility.PUBLIC)
    assert decide(actor(name), Permission.GROUP_SEE, group).source == source


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("guest", "guest"),
        ("barbara", "signed-in"),
        ("grace", "membership:member"),
        ("root", "admin"),
    ],
)
def test_an_explanation_names_the_source_of_doing(name: str, source: str) -> None:
    _, project, _ = subjects(Visibility.PUBLIC)
    assert decide(actor(name), Permission.PROJECT_EDIT, project).source == source


def test_an_explanation_says_until_when() -> None:
    _, project, _ = subjects(Visibility.PRIVATE)
    visitor = actor("grace", expires_at=NOW)
    assert decide(visitor, Permission.PROJECT_EDIT, project).until == NOW
    assert decide(visitor, Permission.PROJECT_SEE, project).until == NOW
    assert decide(actor("grace"), Permission.PROJECT_EDIT, project).until is None


def test_an_explanation_of_the_trash_says_so() -> None:
    _, project, _ = subjects(Visibility.PUBLIC, in_trash=True)
    assert decide(actor("ada"), Permission.PROJECT_EDIT, project).source == "trash"
    assert decide(actor("ada"), Permission.PROJECT_SEE, project).rule.endswith("in the trash")
