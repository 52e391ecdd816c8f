"""Which directories may hold datasets."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sophon_hub.models import Dataset, DatasetState, Visibility
from sophon_hub.policy.datasets import (
    fits_group,
    is_mountable,
    may_be_in_labs_of,
    root_of,
    root_problem,
)
from tests import make


@pytest.mark.parametrize(
    "root",
    [
        *["/", "", "srv", "/srv/../etc", "/srv/data/", "//srv", "/etc", "/etc/ssl", "/var"],
        *["/var/run", "/run/user", "/var/lib/docker/volumes", "/proc", "/usr", "/srv/hub/data"],
        *["/srv/hub", "/srv/hub/data/homes", "/root", "/dev/shm"],
    ],
)
def test_nothing_of_the_system_or_the_hub_may_be_mounted(root: str) -> None:
    assert root_problem(root, "/srv/hub/data")


@pytest.mark.parametrize("root", ["/srv/data", "/srv/hub-data", "/data", "/mnt/nfs/sets"])
def test_a_directory_of_its_own_may(root: str) -> None:
    assert root_problem(root, "/srv/hub/data") is None


@pytest.mark.parametrize(
    ("location", "root"),
    [
        ("/srv/data", "/srv/data"),
        ("/srv/data/a/b", "/srv/data"),
        ("/mnt/a", "/mnt"),
        ("/srv/database", None),
        ("/srv/data/..", None),
        ("/srv", None),
        ("srv/data", None),
    ],
)
def test_a_location_is_in_the_root_that_holds_it(location: str, root: str | None) -> None:
    assert root_of(location, ["/srv/data", "/mnt"]) == root


def test_a_private_dataset_is_for_its_own_group_only() -> None:
    private = Dataset(group_id=1, visibility=Visibility.PRIVATE)
    assert may_be_in_labs_of(private, 1)
    assert not may_be_in_labs_of(private, 2)
    assert may_be_in_labs_of(Dataset(group_id=1, visibility=Visibility.INTERNAL), 2)


def test_sql_and_python_agree_on_what_a_lab_may_have(session: Session) -> None:
    groups = [make.group(session, "optics"), make.group(session, "waves")]
    rows = [
        make.dataset(session, f"d-{number}-{visibility}", group=group, visibility=visibility)
        for number, group in enumerate([*groups, None])
        for visibility in Visibility
    ]
    for group in groups:
        found = set(session.scalars(select(Dataset).where(fits_group(group.id))))
        assert found == {row for row in rows if may_be_in_labs_of(row, group.id)}
        assert len(found) == 7


def test_what_is_not_ready_or_in_the_trash_is_not_mounted(session: Session) -> None:
    ready = make.dataset(session, "ready")
    make.dataset(session, "gone", deleted_at=make.LONG_AGO)
    for state in (DatasetState.PREPARING, DatasetState.FAILED):
        make.dataset(session, str(state), state=state)
    assert session.scalars(select(Dataset).where(is_mountable())).all() == [ready]
