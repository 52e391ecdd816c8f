"""Which directories may be datasets, and which datasets may be mounted where."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from sqlalchemy import ColumnElement, and_, or_

from sophon_hub.models import Dataset, DatasetState, Visibility

SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys"),
    *("/usr", "/var/lib/docker", "/var/run"),
)
"""Directories of which no part is ever mounted into a lab."""


def root_problem(root: str, data_dir: str) -> str | None:
    """Say why a directory cannot hold datasets, or None when it can.

    Args:
        root: one of the setting `dataset_roots`.
        data_dir: the directory with the hub's secrets.
    """
    if not _is_plain(root):
        return "it has to be an absolute path without . and .., and not /"
    path = PurePosixPath(root)
    for other in (*SYSTEM, data_dir):
        if path.is_relative_to(other) or PurePosixPath(other).is_relative_to(path):
            return f"nothing that has to do with {other} may be mounted into labs"
    return None


def _is_plain(path: str) -> bool:
    parts = path.split("/")
    return len(parts) > 1 and parts[0] == "" and not {"", ".", ".."} & set(parts[1:])


def root_of(location: str, roots: Sequence[str]) -> str | None:
    """The allowed root that a directory is in, None when it is in none."""
    if not _is_plain(location):
        return None
    path = PurePosixPath(location)
    return next((root for root in roots if path.is_relative_to(root)), None)


def is_mountable() -> ColumnElement[bool]:
    """Condition on datasets: checked, and not in the trash."""
    return and_(Dataset.deleted_at.is_(None), Dataset.state == DatasetState.READY)


def fits_group(group_id: int) -> ColumnElement[bool]:
    """Condition on datasets: the labs of this group may have them.

    A private one is for its own group only; the others are seen by everybody who can be in a lab.
    """
    return or_(Dataset.visibility != Visibility.PRIVATE, Dataset.group_id == group_id)


def may_be_in_labs_of(dataset: Dataset, group_id: int) -> bool:
    """The same about a row already in hand."""
    return dataset.visibility is not Visibility.PRIVATE or dataset.group_id == group_id
