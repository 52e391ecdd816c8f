"""Homes: Docker volumes named after an immutable id, owned by the user that labs run as."""

import tarfile
from typing import Any

from docker.api.client import APIClient
from docker.errors import APIError

from sophon_hub import names
from sophon_hub.settings import Sophon
from sophon_hub.spawner.plan import LaunchPlan
from sophon_hub.volumes.engine import is_status
from sophon_hub.volumes.helper import HOME, OWNER

__all__ = [
    "HOME",
    "OWNER",
    "ensure_home",
    "ensure_owner",
    "find_homes",
    "remove_home",
]

GIVE_SOURCE = f"""
import os
for directory, _, files in os.walk({HOME!r}, topdown=False):
    for name in files:
        os.lchown(os.path.join(directory, name), {OWNER}, {OWNER})
    os.lchown(directory, {OWNER}, {OWNER})
"""
"""Gives a home to its owner; the top comes last, so that an interrupted run is done again."""


def ensure_home(client: APIClient, settings: Sophon, plan: LaunchPlan) -> str:
    """The volume of this home, made with its labels when it is missing."""
    name = names.volume_name(settings.namespace, plan.uid)
    client.create_volume(name, labels=plan.labels(settings.namespace))
    return name


def in_memory(plan: LaunchPlan) -> str:
    """The options of a home that is gone with its container, for the engine's ``tmpfs``.

    It counts against the lab's memory, so it gets a part of it.
    """
    size = plan.memory_limit // 4
    return f"rw,exec,nosuid,nodev,mode=0700,uid={OWNER},gid={OWNER},size={size}"


def ensure_owner(
    client: APIClient, settings: Sophon, plan: LaunchPlan, container: str, volume: str
) -> None:
    """Give the home to the user that labs run as, when the image made it somebody else's.

    ``container`` is the lab's, made but not started: reading its home costs milliseconds.
    """
    if _home_owner(client, container) == OWNER:
        return
    host_config = client.create_host_config(
        network_mode="none",
        cap_drop=["ALL"],
        cap_add=["CHOWN", "DAC_OVERRIDE", "FOWNER"],
        security_opt=["no-new-privileges"],
        read_only=True,
        binds=[f"{volume}:{HOME}"],
    )
    helper = client.create_container(
        plan.image,
        entrypoint=["python3", "-I", "-S", "-c", GIVE_SOURCE],
        command=[],
        user="0:0",
        host_config=host_config,
        labels={**plan.labels(settings.namespace), "org.sophon.kind": "helper"},
    )["Id"]
    try:
        client.start(helper)
        client.wait(helper, timeout=300)
    finally:
        client.remove_container(helper, force=True)


def _home_owner(client: APIClient, container: str) -> int | None:
    """Who owns the home: read from the header of an archive that nobody reads on."""
    url = f"{client.base_url}/v{client.api_version}/containers/{container}/archive"
    plain = {"Accept-Encoding": "identity"}  # else the engine compresses it
    where = {"path": f"{HOME}/."}
    with client.get(url, params=where, headers=plain, stream=True, timeout=60) as response:
        header = response.raw.read(tarfile.BLOCKSIZE)
    try:
        return tarfile.TarInfo.frombuf(header, "utf-8", "replace").uid
    except tarfile.HeaderError:
        return None


def remove_home(client: APIClient, settings: Sophon, uid: str) -> None:
    """Remove the volume of this home; nothing happens when it is gone."""
    try:
        client.remove_volume(names.volume_name(settings.namespace, uid))
    except APIError as error:
        if not is_status(error, 404):
            raise


def find_homes(client: APIClient, settings: Sophon, project: str, lab: str) -> set[str]:
    """Ids of the homes that were made for labs under these slugs."""
    wanted = {"org.sophon.namespace": settings.namespace, "org.sophon.kind": "lab"}
    wanted |= {"org.sophon.project": project, "org.sophon.lab": lab}
    labels = [f"{label}={value}" for label, value in wanted.items()]
    found: list[dict[str, Any]] = client.volumes(filters={"label": labels})["Volumes"] or []
    return {str(volume["Labels"]["org.sophon.uid"]) for volume in found}
