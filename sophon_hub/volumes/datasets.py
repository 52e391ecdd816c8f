"""Datasets: what may be mounted, what is in it, and copying a folder of a home into a new one."""

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

from docker.api.client import APIClient
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from sophon_hub import names
from sophon_hub.amounts import parse_bytes
from sophon_hub.models import DatasetKind
from sophon_hub.policy.datasets import root_of
from sophon_hub.settings import Sophon
from sophon_hub.store.launch import DatasetFiles
from sophon_hub.volumes.engine import connect, is_status
from sophon_hub.volumes.helper import Helper, VolumeTrouble, any_image, has_volume, run
from sophon_hub.volumes.homes import PYTHON

T = TypeVar("T")

ALLOWED_LABEL = "org.sophon.dataset"
"""Label, with the value ``true``, that an administrator gives a volume that may be a dataset."""

MANIFEST_SECONDS = 4 * 3600
PLACE = "/data"
READS_ALL = ["DAC_READ_SEARCH"]


@dataclass(frozen=True)
class Manifest:
    """The checksums of a dataset: one line a file, sorted by path."""

    text: str
    file_count: int
    size_bytes: int

    @property
    def checksum(self) -> str:
        """The SHA-256 of the text: two datasets with the same are the same."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def mount_source(client: APIClient, settings: Sophon, files: DatasetFiles) -> tuple[str, str]:
    """What to mount, as ``bind`` or ``volume`` and its source; checked anew each time.

    Raises:
        VolumeTrouble: it may not be mounted, or is gone; the text says why.
    """
    if files.kind is not DatasetKind.DIRECTORY:
        return "volume", _checked_volume(client, settings, files)
    root, path = _parts(settings, files.location)
    _run(client, settings, "check", {root: {"bind": PLACE, "mode": "ro"}}, [PLACE, path], 60)
    return "bind", files.location


def _parts(settings: Sophon, location: str) -> tuple[str, str]:
    """A directory as its allowed root and the path below it."""
    root = root_of(location, settings.dataset_roots)
    if root is None:
        raise VolumeTrouble(f"{location} is in none of the directories that dataset_roots names.")
    path = str(PurePosixPath(location).relative_to(root))
    return root, "" if path == "." else path


def _checked_volume(client: APIClient, settings: Sophon, files: DatasetFiles) -> str:
    """The name of the dataset's volume, if it is one that may be mounted."""
    published = files.kind is DatasetKind.PUBLISHED
    name = names.dataset_volume_name(settings.namespace, files.uid) if published else files.location
    try:
        volume = client.inspect_volume(name)
    except APIError as error:
        if is_status(error, 404):
            raise VolumeTrouble(f"There is no volume {name}.") from None
        raise
    if published:
        return name
    labels, options = volume["Labels"] or {}, volume["Options"] or {}
    if "org.sophon.namespace" in labels:
        raise VolumeTrouble(f"{name} is a volume of a hub: a home or a published dataset.")
    if labels.get(ALLOWED_LABEL) != "true":
        raise VolumeTrouble(
            f"{name} is not marked as a dataset. Make the volume with"
            f" docker volume create --label {ALLOWED_LABEL}=true."
        )
    if "bind" in options.get("o", ""):
        raise VolumeTrouble(f"{name} is a directory of the machine in disguise; register that.")
    return name


def manifest(settings: Sophon, files: DatasetFiles) -> Manifest:
    """Check a dataset, and read all of its files; takes as long as that takes.

    Raises:
        VolumeTrouble: it cannot be a dataset; the text says why.
    """

    def work(client: APIClient) -> Manifest:
        kind, source = mount_source(client, settings, files)
        place, path = source, ""
        if kind == "bind":
            place, path = _parts(settings, source)
        binds = {place: {"bind": PLACE, "mode": "ro"}}
        said = _run(client, settings, "manifest", binds, [PLACE, path], MANIFEST_SECONDS)
        head, _, text = said.partition("\n")
        count, size = head.split()
        return Manifest(text, int(count), int(size))

    return _with_engine(settings, work)


def differences(old: str, new: str) -> int:
    """How many files were changed, added or removed between two manifests."""
    before, after = (dict(_by_path(text)) for text in (old, new))
    return sum(before.get(path) != after.get(path) for path in {*before, *after})


def _by_path(text: str) -> list[tuple[str, str]]:
    lines = (line.partition("  ") for line in text.split("\n"))
    return [(path, digest) for digest, _, path in lines]


def publish(settings: Sophon, home_uid: str, folder: str, uid: str) -> None:
    """Copy a folder of a home into the volume of a new dataset, made with its labels.

    Raises:
        VolumeTrouble: there is no such folder, or it is too large; the volume is removed.
    """

    def work(client: APIClient) -> None:
        home = names.volume_name(settings.namespace, home_uid)
        volume = names.dataset_volume_name(settings.namespace, uid)
        labels = {
            "org.sophon.namespace": settings.namespace,
            "org.sophon.kind": "dataset",
            "org.sophon.uid": uid,
        }
        _require_volume(client, home)
        client.create_volume(volume, labels=labels)
        binds = {home: {"bind": PLACE, "mode": "ro"}, volume: {"bind": "/new", "mode": "rw"}}
        most = str(parse_bytes(settings.max_dataset_size))
        try:
            _run(
                client, settings, "publish", binds, [PLACE, folder, "/new", most], MANIFEST_SECONDS
            )
        except VolumeTrouble:
            client.remove_volume(volume)
            raise

    _with_engine(settings, work)


def remove(settings: Sophon, uid: str) -> None:
    """Remove the volume of a published dataset for good.

    Raises:
        VolumeTrouble: a lab that runs still has it, or no engine answers.
    """
    if settings.spawner == "process":
        return  # nothing can have been published

    def work(client: APIClient) -> None:
        volume = names.dataset_volume_name(settings.namespace, uid)
        if has_volume(client, volume):
            client.remove_volume(volume)

    _with_engine(settings, work)


def _require_volume(client: APIClient, name: str) -> None:
    try:
        client.inspect_volume(name)
    except APIError as error:
        if is_status(error, 404):
            raise VolumeTrouble("The lab has no files yet; start it once.") from None
        raise


def _run(
    client: APIClient,
    settings: Sophon,
    command: str,
    binds: dict[str, dict[str, str]],
    arguments: list[str],
    seconds: int,
) -> str:
    helper = Helper(
        image=any_image(client, settings),
        command=[*PYTHON, command, *arguments],
        binds=binds,
        kind=command,
        user="0:0",
        rights=READS_ALL,
        seconds=seconds,
    )
    return run(client, settings, helper)


def _with_engine(settings: Sophon, work: Callable[[APIClient], T]) -> T:
    if settings.spawner == "process":
        raise VolumeTrouble("Datasets need labs in containers (SOPHON_SPAWNER=docker).")
    try:
        with contextlib.closing(connect()) as client:
            return work(client)
    except (DockerException, RequestException) as error:
        raise VolumeTrouble(str(error)) from error


def mounts(
    client: APIClient, settings: Sophon, wanted: Mapping[str, DatasetFiles]
) -> list[dict[str, Any]]:
    """The mounts of a lab, as dockerspawner takes them, for its datasets by slug.

    Raises:
        VolumeTrouble: one of them may not be mounted, or is gone.
    """
    found = []
    for slug, files in sorted(wanted.items()):
        try:
            kind, source = mount_source(client, settings, files)
        except VolumeTrouble as error:
            raise VolumeTrouble(f"The dataset “{slug}” cannot be mounted: {error}") from error
        target = names.dataset_path(slug)
        found.append({"source": source, "target": target, "type": kind, "read_only": True})
    return found
