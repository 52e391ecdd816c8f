"""What the spawner needs to know to run a lab. Read by the Hub's process, never by the edges."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from sophon_hub import names
from sophon_hub.models import Dataset, DatasetKind, Lab, ResearchGroup, ResearchProject
from sophon_hub.policy.datasets import fits_group, is_mountable


@dataclass(frozen=True)
class DatasetFiles:
    """Where the files of a dataset are; see `models.Dataset`."""

    kind: DatasetKind
    location: str
    uid: str


@dataclass(frozen=True)
class LaunchSpec:
    """Everything about one lab that decides how its server runs.

    ``cpu_limit`` in cores and ``memory_limit`` in bytes, None for the hub's default; ``image``
    is a name from the setting `images`, not a reference. ``disk_bytes``, ``clean_up`` and
    ``filled_disk`` are those of `models.servers.HasServer`.
    """

    uid: str
    group_slug: str
    project_slug: str
    lab_slug: str
    lab_name: str
    image: str
    internet: bool
    cpu_limit: float | None
    memory_limit: int | None
    deleted: bool
    disk_bytes: int | None = None
    clean_up: bool = False
    filled_disk: bool = False
    datasets: Mapping[str, DatasetFiles] = field(default_factory=dict)


def system_mountable(
    session: Session, uids: Collection[str], condition: ColumnElement[bool]
) -> dict[str, DatasetFiles]:
    """Those of these datasets that may be mounted now, by slug."""
    if not uids:
        return {}
    query = select(Dataset).where(Dataset.uid.in_(sorted(uids)), is_mountable(), condition)
    return {
        row.slug: DatasetFiles(row.kind, row.location, row.uid) for row in session.scalars(query)
    }


def system_launch_spec(session: Session, username: str, server_name: str) -> LaunchSpec | None:
    """The lab behind a server of a collaboration account; None when Sophon does not know it."""
    project_slug = names.project_of_account(username)
    if project_slug is None:
        return None
    row = session.execute(
        select(Lab, ResearchProject, ResearchGroup)
        .join(ResearchProject, Lab.project_id == ResearchProject.id)
        .join(ResearchGroup, ResearchProject.group_id == ResearchGroup.id)
        .where(ResearchProject.slug == project_slug, Lab.slug == server_name)
    ).first()
    if row is None:
        return None
    lab, project, group = row
    return LaunchSpec(
        uid=lab.uid,
        group_slug=group.slug,
        project_slug=project.slug,
        lab_slug=lab.slug,
        lab_name=lab.name,
        image=lab.image,
        internet=lab.internet,
        cpu_limit=lab.cpu_limit,
        memory_limit=lab.memory_limit,
        deleted=lab.deleted_at is not None
        or project.deleted_at is not None
        or group.deleted_at is not None,
        disk_bytes=lab.disk_bytes,
        clean_up=lab.clean_up,
        filled_disk=lab.filled_disk,
        datasets=system_mountable(session, lab.dataset_uids, fits_group(group.id)),
    )
