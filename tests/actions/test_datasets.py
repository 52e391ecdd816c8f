"""What people do with datasets, and which labs may have them."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from sophon_hub.actions import forms
from sophon_hub.actions.dataset_use import (
    MOST_IN_A_LAB,
    attach_to_lab,
    attach_to_own,
    detach_from_own,
)
from sophon_hub.actions.datasets import (
    delete_dataset,
    edit_dataset,
    publish_dataset,
    refresh_dataset,
    register_dataset,
    restore_dataset,
    verify_dataset,
)
from sophon_hub.actions.groups import delete_group, edit_group, restore_group
from sophon_hub.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from sophon_hub.models import DatasetKind, DatasetState, Lab, MemberRole, Visibility
from sophon_hub.settings import Sophon
from sophon_hub.store import datasets as store
from sophon_hub.store.paging import Paging
from tests import make
from tests.cast import Cast

SETTINGS = Sophon(dataset_roots=["/srv/data"])


def new(**changes: Any) -> forms.NewDataset:
    fields = {"name": "Stars", "kind": "directory", "location": "/srv/data/stars"}
    return forms.NewDataset.read(fields | changes)


def lab(session: Session, cast: Cast) -> Lab:
    return make.lab(session, make.project(session, cast.group))


@pytest.mark.parametrize(
    "location",
    [
        *["/", "/etc", "/srv", "/srv/database", "/srv/data/../../etc", "/srv/data/./x", "srv/data"],
        *["//srv/data/x", "/srv/data//x", "/srv/data/x/", "", "data", "\n", "/var/run/docker.sock"],
    ],
)
def test_only_directories_below_the_allowed_ones_are_registered(
    session: Session, cast: Cast, location: str
) -> None:
    root = cast.actor("root")
    with pytest.raises(Invalid, match="/srv/data"):
        register_dataset(session, root, new(location=location), SETTINGS)
    assert register_dataset(session, root, new(), SETTINGS).state is DatasetState.PREPARING


def test_without_allowed_directories_none_is_registered(session: Session, cast: Cast) -> None:
    with pytest.raises(Invalid, match="SOPHON_DATASET_ROOTS"):
        register_dataset(session, cast.actor("root"), new(), Sophon())


@pytest.mark.parametrize("name", ["", "a", "../x", "/srv/data/x", "a b", "-a", ".a", "a" * 256])
def test_a_volume_has_the_name_of_a_volume(session: Session, cast: Cast, name: str) -> None:
    root = cast.actor("root")
    with pytest.raises(Invalid) as refused:
        register_dataset(session, root, new(kind="volume", location=name), SETTINGS)
    assert [error.field for error in refused.value.errors] == ["location"]
    made = register_dataset(session, root, new(kind="volume", location="climate_1.2"), SETTINGS)
    assert made.kind is DatasetKind.VOLUME


def test_published_is_no_kind_to_register(session: Session, cast: Cast) -> None:
    with pytest.raises(Invalid, match="kind"):
        register_dataset(session, cast.actor("root"), new(kind="published"), SETTINGS)


@pytest.mark.parametrize(
    ("name", "error"), [("guest", Unauthenticated), ("ada", Forbidden), ("barbara", Forbidden)]
)
def test_only_administrators_register(
    session: Session, cast: Cast, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        register_dataset(session, cast.actor(name), new(), SETTINGS)


@pytest.mark.parametrize(
    ("group", "visibility"), [("", Visibility.INTERNAL), ("optics", Visibility.PRIVATE)]
)
def test_a_dataset_is_not_more_open_than_needed_unless_it_is_said(
    session: Session, cast: Cast, group: str, visibility: Visibility
) -> None:
    root = cast.actor("root")
    assert register_dataset(session, root, new(group=group), SETTINGS).visibility is visibility
    open_one = new(group=group, visibility="public")
    assert register_dataset(session, root, open_one, SETTINGS).slug == "stars-2"


def test_a_group_that_is_not_there_is_refused(session: Session, cast: Cast) -> None:
    with pytest.raises(Invalid) as refused:
        register_dataset(session, cast.actor("root"), new(group="nowhere"), SETTINGS)
    assert [error.field for error in refused.value.errors] == ["group"]


def test_a_dataset_is_never_more_visible_than_its_group(session: Session, cast: Cast) -> None:
    cast.group.visibility = Visibility.PRIVATE
    root, ada = cast.actor("root"), cast.actor("ada")
    with pytest.raises(Invalid, match="The group is private"):
        register_dataset(session, root, new(group="optics", visibility="internal"), SETTINGS)
    dataset = make.dataset(session, group=cast.group, visibility=Visibility.PRIVATE)
    with pytest.raises(Invalid, match="The group is private"):
        edit_dataset(session, ada, dataset, forms.DatasetChanges(visibility=Visibility.PUBLIC))


def test_a_group_is_not_lowered_below_its_datasets(session: Session, cast: Cast) -> None:
    make.dataset(session, group=cast.group, visibility=Visibility.PUBLIC)
    make.dataset(session, "bones", group=cast.group, visibility=Visibility.PRIVATE)
    lower = forms.GroupChanges(visibility=Visibility.INTERNAL)
    with pytest.raises(Conflict, match="stars") as refused:
        edit_group(session, cast.actor("ada"), cast.group, lower)
    assert refused.value.extra == {"datasets": ["stars"]}


@pytest.mark.parametrize("folder", ["..", "a/../b", "/etc", "", "a//b", "./a", "a/", "a/."])
def test_only_folders_below_the_home_are_published(
    session: Session, cast: Cast, folder: str
) -> None:
    bench, grace = lab(session, cast), cast.actor("grace")
    with pytest.raises(Invalid) as refused:
        publish_dataset(session, grace, bench, forms.Publication(name="Out", folder=folder))
    assert [error.field for error in refused.value.errors] == ["folder"]
    made = publish_dataset(session, grace, bench, forms.Publication(name="Out", folder="a/b c"))
    assert (made.kind, made.lab_uid, made.group_id) == (
        DatasetKind.PUBLISHED,
        bench.uid,
        cast.group.id,
    )
    assert made.visibility is Visibility.PRIVATE


def test_nothing_is_published_from_a_lab_that_somebody_else_has_locked(
    session: Session, cast: Cast
) -> None:
    bench = make.lab(session, make.project(session, cast.group), locked_by=cast.people["ada"])
    form = forms.Publication(name="Out", folder="out")
    with pytest.raises(Conflict, match="locked"):
        publish_dataset(session, cast.actor("grace"), bench, form)
    assert publish_dataset(session, cast.actor("ada"), bench, form)


def test_members_edit_and_owners_decide_who_sees(session: Session, cast: Cast) -> None:
    dataset = make.dataset(session, group=cast.group)
    grace = cast.actor("grace")
    same = forms.DatasetChanges(licence="CC0", visibility=dataset.visibility)
    assert edit_dataset(session, grace, dataset, same).licence == "CC0"
    lower = forms.DatasetChanges(visibility=Visibility.PRIVATE)
    with pytest.raises(Forbidden):
        edit_dataset(session, grace, dataset, lower)
    assert edit_dataset(session, cast.actor("ada"), dataset, lower)
    assert dataset.visibility is Visibility.PRIVATE


@pytest.mark.parametrize("state", [DatasetState.PREPARING, DatasetState.FAILED])
def test_what_was_never_read_cannot_be_verified(
    session: Session, cast: Cast, state: DatasetState
) -> None:
    dataset = make.dataset(session, group=cast.group, state=state)
    with pytest.raises(Conflict, match="no manifest"):
        verify_dataset(session, cast.actor("grace"), dataset)


@pytest.mark.parametrize(
    ("kind", "state", "allowed"),
    [
        (DatasetKind.DIRECTORY, DatasetState.READY, True),
        (DatasetKind.VOLUME, DatasetState.FAILED, True),
        (DatasetKind.PUBLISHED, DatasetState.READY, False),
        (DatasetKind.PUBLISHED, DatasetState.FAILED, True),
    ],
)
def test_what_was_published_does_not_change(
    session: Session, cast: Cast, kind: DatasetKind, state: DatasetState, allowed: bool
) -> None:
    dataset = make.dataset(session, group=cast.group, kind=kind, state=state)
    if allowed:
        refresh_dataset(session, cast.actor("grace"), dataset)
        assert dataset.state is DatasetState.PREPARING
    else:
        with pytest.raises(Conflict, match="does not change"):
            refresh_dataset(session, cast.actor("grace"), dataset)


def test_the_trash_takes_once_and_gives_back_once(session: Session, cast: Cast) -> None:
    ada, dataset = cast.actor("ada"), make.dataset(session, group=cast.group)
    with pytest.raises(Conflict, match="not in the trash"):
        restore_dataset(session, ada, dataset)
    delete_dataset(session, ada, dataset)
    with pytest.raises(Conflict, match="already"):
        delete_dataset(session, ada, dataset)
    restore_dataset(session, ada, dataset)
    assert dataset.deleted_at is None


def test_a_dataset_of_no_group_is_restored_by_administrators(session: Session, cast: Cast) -> None:
    dataset = make.dataset(session, deleted_at=make.LONG_AGO)
    with pytest.raises(NotFound):
        restore_dataset(session, cast.actor("ada"), dataset)
    assert restore_dataset(session, cast.actor("root"), dataset).deleted_at is None


def test_a_group_takes_its_datasets_to_the_trash_and_back(session: Session, cast: Cast) -> None:
    ada = cast.actor("ada")
    dataset = make.dataset(session, group=cast.group)
    earlier = make.dataset(session, "bones", group=cast.group, deleted_at=make.LONG_AGO)
    delete_group(session, ada, cast.group)
    assert dataset.deleted_at
    with pytest.raises(Conflict, match="group first"):
        restore_dataset(session, ada, dataset)
    restore_group(session, ada, cast.group)
    assert dataset.deleted_at is None
    assert earlier.deleted_at


def test_attaching_twice_is_once(session: Session, cast: Cast) -> None:
    bench, grace = lab(session, cast), cast.actor("grace")
    make.dataset(session, group=cast.group)
    assert attach_to_lab(session, grace, bench, "stars") is True
    assert attach_to_lab(session, grace, bench, "stars") is False
    assert len(bench.dataset_uids) == 1


def test_a_private_dataset_of_another_group_is_not_for_this_lab(
    session: Session, cast: Cast
) -> None:
    other = make.group(session, "waves")
    make.membership(session, other, cast.people["grace"], MemberRole.MEMBER)
    make.dataset(session, group=other, visibility=Visibility.PRIVATE)
    bench, grace = lab(session, cast), cast.actor("grace")
    with pytest.raises(Conflict, match="another group"):
        attach_to_lab(session, grace, bench, "stars")
    assert attach_to_own(session, grace, "stars").dataset_uids


def test_what_one_may_not_see_cannot_be_attached(session: Session, cast: Cast) -> None:
    make.dataset(session, group=make.group(session, "waves"), visibility=Visibility.PRIVATE)
    bench, grace = lab(session, cast), cast.actor("grace")
    refusals = []
    for slug in ("stars", "nothing"):
        for attempt in (
            lambda slug=slug: attach_to_lab(session, grace, bench, slug),
            lambda slug=slug: attach_to_own(session, grace, slug),
        ):
            with pytest.raises(NotFound) as refused:
                attempt()
            refusals.append(refused.value.detail)
    assert len(set(refusals)) == 1


def test_what_is_in_the_trash_cannot_be_attached(session: Session, cast: Cast) -> None:
    make.dataset(session, group=cast.group, deleted_at=make.LONG_AGO)
    with pytest.raises(Conflict, match="trash"):
        attach_to_own(session, cast.actor("ada"), "stars")


@pytest.mark.parametrize("state", [DatasetState.PREPARING, DatasetState.FAILED])
def test_what_is_not_ready_cannot_be_attached(
    session: Session, cast: Cast, state: DatasetState
) -> None:
    dataset = make.dataset(session, group=cast.group, state=state)
    ada = cast.actor("ada")
    assert store.list_usable(session, ada, None) == []
    with pytest.raises(Conflict, match="not ready"):
        attach_to_own(session, ada, "stars")
    dataset.state = DatasetState.READY
    assert attach_to_own(session, ada, "stars").dataset_uids == [dataset.uid]


def test_what_is_not_attached_cannot_be_removed(session: Session, cast: Cast) -> None:
    make.dataset(session, group=cast.group)
    with pytest.raises(NotFound):
        detach_from_own(session, cast.actor("grace"), "stars")


def test_a_lab_has_only_so_many_datasets(session: Session, cast: Cast) -> None:
    grace = cast.actor("grace")
    for number in range(MOST_IN_A_LAB + 1):
        make.dataset(session, f"stars-{number}", group=cast.group)
    for number in range(MOST_IN_A_LAB):
        attach_to_own(session, grace, f"stars-{number}")
    with pytest.raises(Conflict, match=str(MOST_IN_A_LAB)):
        attach_to_own(session, grace, f"stars-{MOST_IN_A_LAB}")


def test_a_list_a_point_read_and_a_choice_show_the_same_datasets(
    session: Session, cast: Cast
) -> None:
    other = make.group(session, "waves")
    for visibility in Visibility:
        for group in (cast.group, other, None):
            name = group.slug if group else "none"
            make.dataset(session, f"{name}-{visibility}", group=group, visibility=visibility)
    for name in ("guest", "barbara", "alan", "grace", "ada", "root"):
        actor = cast.actor(name)
        listed = {row.slug for row in store.list_datasets(session, actor, Paging(50)).items}
        chosen = {row.slug for row in store.list_usable(session, actor, None)}
        assert listed == chosen
        for group in ("optics", "waves", "none"):
            for visibility in Visibility:
                slug = f"{group}-{visibility}"
                if slug in listed:
                    assert store.get_dataset(session, actor, slug).slug == slug
                else:
                    with pytest.raises(NotFound):
                        store.get_dataset(session, actor, slug)
    inside = {row.slug for row in store.list_usable(session, cast.actor("root"), cast.group.id)}
    assert inside == {
        f"{group}-{visibility}"
        for group in ("optics", "waves", "none")
        for visibility in Visibility
        if visibility is not Visibility.PRIVATE or group == "optics"
    }
