"""Containers that live for a moment, to do one thing with volumes."""

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from docker.api.client import APIClient
from docker.errors import APIError, DockerException
from docker.types.containers import LogConfig
from requests.exceptions import RequestException

from sophon_hub.settings import Sophon
from sophon_hub.volumes.engine import is_status
from sophon_hub.volumes.protection import GATE, GuardFailed, protect

HOME = "/home/jovyan"
OWNER = 1000
"""The user that labs run as, who owns every home."""

LAST_LINES = 50
PIECE = 1024 * 1024


class VolumeTrouble(Exception):
    """What was to be done with a volume did not work; the text says why."""


@dataclass(frozen=True)
class Helper:
    """One thing to do.

    ``binds`` are volumes with the place and mode (``ro``, ``rw``) they are mounted with, as
    docker-py takes them. ``rights`` are the only capabilities it has. ``seconds`` is how long it
    may take. ``network`` is one with the internet, without the cloud's metadata; None for none.
    ``brings`` is a file that is put into the home as ``brought_as`` before it begins.
    """

    image: str
    command: Sequence[str]
    binds: Mapping[str, Mapping[str, str]]
    kind: str
    user: str = f"{OWNER}:{OWNER}"
    rights: Sequence[str] = field(default=())
    seconds: int = 120
    network: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    brings: IO[bytes] | None = None
    brought_as: str = ""


def run(client: APIClient, settings: Sophon, helper: Helper) -> str:
    """Do it and give what was printed.

    Raises:
        VolumeTrouble: it failed or took too long, or the engine would not do it.
    """
    try:
        return _run(client, settings, helper)
    except (DockerException, RequestException, GuardFailed) as error:
        raise VolumeTrouble(f"{helper.kind}: {error}") from error


def _run(client: APIClient, settings: Sophon, helper: Helper) -> str:
    host_config = client.create_host_config(
        network_mode=helper.network or "none",
        cap_drop=["ALL"],
        cap_add=list(helper.rights),
        security_opt=["no-new-privileges"],
        read_only=True,
        pids_limit=32,
        mem_limit="256m",
        # labs come first, however much there is to read
        cpu_shares=64,
        binds=dict(helper.binds),
        # whatever the machine's default is: what is printed has to be read again
        log_config=LogConfig(type=LogConfig.types.JSON),
    )
    labels = {"org.sophon.namespace": settings.namespace, "org.sophon.kind": helper.kind}
    container = client.create_container(
        helper.image,
        # with a network it waits until that is protected
        entrypoint=[*(["sh", "-c", GATE] if helper.network else []), *helper.command],
        command=[],
        environment=dict(helper.environment),
        user=helper.user,
        working_dir="/",
        host_config=host_config,
        labels=labels,
    )["Id"]
    try:
        if helper.brings is not None:
            client.put_archive(container, HOME, _packed(helper.brings, helper.brought_as))
        client.start(container)
        if helper.network:
            protect(client, container, helper.image, labels, internet=True)
        status = client.wait(container, timeout=helper.seconds)["StatusCode"]
        said = client.logs(container, stderr=bool(status), tail="all" if not status else LAST_LINES)
    finally:
        client.remove_container(container, force=True, v=True)
    text = str(said.decode(errors="replace"))
    if status:
        raise VolumeTrouble(f"{helper.kind} ended with {status}: {text.strip()}")
    return text


def _packed(file: IO[bytes], name: str) -> Iterator[bytes]:
    """The file as the only one of an archive, in pieces."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.uid, entry.gid = file.seek(0, io.SEEK_END), 0o600, OWNER, OWNER
    file.seek(0)
    yield entry.tobuf()
    while piece := file.read(PIECE):
        yield piece
    yield bytes(-entry.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def has_volume(client: APIClient, name: str) -> bool:
    """Whether there is such a volume; mounting one that is missing would make it."""
    try:
        client.inspect_volume(name)
    except APIError as error:
        if is_status(error, 404):
            return False
        raise
    return True


def any_image(client: APIClient, settings: Sophon, first: str | None = None) -> str:
    """The reference of a lab image that is on this machine, ``first`` when it is.

    Raises:
        VolumeTrouble: none is.
    """
    order = [name for name in (first, settings.default_image) if name in settings.images]
    for name in (*order, *settings.images):
        reference = str(settings.images[name]["image"])
        try:
            client.inspect_image(reference)
        except APIError as error:
            if not is_status(error, 404):
                raise
        else:
            return reference
    raise VolumeTrouble("None of the lab images is on this machine yet.")
