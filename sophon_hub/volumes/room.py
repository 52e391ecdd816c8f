"""The disk that homes are on: how much room is left, and who takes it."""

import contextlib
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docker.api.client import APIClient
from docker.errors import DockerException
from requests.exceptions import RequestException

from sophon_hub import names
from sophon_hub.settings import Sophon
from sophon_hub.volumes import homes
from sophon_hub.volumes.engine import connect
from sophon_hub.volumes.helper import Helper, VolumeTrouble, any_image, run

HOMES = "/homes"
DU_ALL = f'for home in {HOMES}/*; do timeout 20 du -sxB1 "$home"; done; true'
"""One home that takes long to read does not hide the others."""

SECONDS = 300


@dataclass(frozen=True)
class Room:
    """Bytes that are free; ``near``: found out by looking, which costs nothing."""

    free_bytes: int
    near: bool


def look(settings: Sophon) -> Room:
    """How much is free where the homes are.

    An engine of this machine is not asked: its directory is looked at. Else a helper looks.

    Raises:
        VolumeTrouble: no engine answers, or there is no image for the helper.
    """
    if settings.spawner == "process":
        return Room(shutil.disk_usage(settings.prepare_data_dir()).free, near=True)
    try:
        root = _root_here()
        if root is not None:
            return Room(shutil.disk_usage(root).free, near=True)
        with contextlib.closing(connect()) as client:
            return Room(_ask(client, settings), near=False)
    except (DockerException, RequestException, OSError) as error:
        raise VolumeTrouble(str(error)) from error


@cache
def _root_here() -> Path | None:
    """The engine's directory, when engine and worker see the same one."""
    with contextlib.closing(connect()) as client:
        root = Path(client.info()["DockerRootDir"])
        is_here = client.base_url.startswith("http+docker:")  # a socket, not a network
    return root if is_here and root.is_dir() else None


def _ask(client: APIClient, settings: Sophon) -> int:
    """What is free below the root of a container, which is on the engine's own disk."""
    helper = Helper(
        image=any_image(client, settings),
        command=["stat", "--file-system", "--format=%a %S", "/"],
        binds={},
        kind="room",
    )
    blocks, size = run(client, settings, helper).split()
    return int(blocks) * int(size)


def measure_all(settings: Sophon, uids: Collection[str]) -> dict[str, int]:
    """What each of these homes takes, in bytes; those that cannot be read are left out.

    Raises:
        VolumeTrouble: the engine did not do it.
    """
    if settings.spawner == "process":
        return {uid: homes.measure(settings, uid).disk_bytes for uid in uids}
    try:
        with contextlib.closing(connect()) as client:
            return _measure_all(client, settings, uids)
    except (DockerException, RequestException) as error:
        raise VolumeTrouble(str(error)) from error


def _measure_all(client: APIClient, settings: Sophon, uids: Collection[str]) -> dict[str, int]:
    label = f"org.sophon.namespace={settings.namespace}"
    listed = client.volumes(filters={"label": label})["Volumes"] or []
    there = {volume["Name"] for volume in listed}
    volumes = {names.volume_name(settings.namespace, uid): uid for uid in uids}
    helper = Helper(
        image=any_image(client, settings),
        command=["sh", "-c", DU_ALL],
        binds={
            volume: {"bind": f"{HOMES}/{uid}", "mode": "ro"}
            for volume, uid in volumes.items()
            if volume in there
        },
        kind="measure",
        user="0:0",
        rights=["DAC_READ_SEARCH"],
        seconds=SECONDS,
    )
    if not helper.binds:
        return {}
    lines = (line.split("\t", 1) for line in run(client, settings, helper).splitlines())
    return {path.rpartition("/")[2]: int(size) for size, path in lines}
