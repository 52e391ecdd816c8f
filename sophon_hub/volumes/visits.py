"""Temporary labs at the engine: what visitors made there, and from which image they come."""

import contextlib
import tempfile
from pathlib import Path
from typing import IO

from docker.api.client import APIClient
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from sophon_hub import names
from sophon_hub.amounts import parse_bytes
from sophon_hub.settings import Sophon
from sophon_hub.volumes import packing
from sophon_hub.volumes.engine import connect
from sophon_hub.volumes.helper import (
    HOME,
    OWNER,
    Helper,
    VolumeTrouble,
    any_image,
    has_volume,
    run,
)

PYTHON = ("python3", "-I", "-S", "-c", Path(packing.__file__).read_text(encoding="utf-8"))
PACKED = ".temporary-lab.tar"
NO_HOME = "The lab has no home yet; start it once, then try again."
UNREADABLE = "The files of the temporary lab could not be read; try again."
SENTENCES = (NO_HOME, UNREADABLE)
"""Troubles that are told to the visitor word for word."""


def keep(settings: Sophon, visitor: str, uid: str | None, folder: str) -> str:
    """Copy the files of a visitor's running lab into the home with this id, as a new folder.

    ``uid`` is None for somebody who has no home.

    Links and hidden files are left out. Gives the folder's name: with a number at its end when
    there was something of that name.

    Raises:
        VolumeTrouble: it did not work; the home is as before.
    """
    container = names.container_name(settings.namespace, names.temporary_uid(visitor))
    volume = names.volume_name(settings.namespace, uid or "none")
    try:
        with contextlib.closing(connect()) as client, tempfile.TemporaryFile() as file:
            if not has_volume(client, volume):
                raise VolumeTrouble(NO_HOME)
            _pack(client, container, file, most=parse_bytes(settings.temporary_memory_limit))
            helper = Helper(
                image=any_image(client, settings),
                command=[*PYTHON, "unpack", HOME, PACKED, folder],
                binds={volume: {"bind": HOME, "mode": "rw"}},
                kind="keep",
                brings=file,
                brought_as=PACKED,
            )
            return run(client, settings, helper)
    except (DockerException, RequestException) as error:
        raise VolumeTrouble(str(error)) from error


def outdated(settings: Sophon) -> set[str]:
    """Ids (uid) of temporary labs whose image was built or pulled anew under the same name since.

    Empty where the engine has no such image: what there is goes on being used.

    Raises:
        VolumeTrouble: the engine does not answer.
    """
    labels = [f"org.sophon.namespace={settings.namespace}", "org.sophon.kind=temporary"]
    try:
        with contextlib.closing(connect()) as client:
            try:
                image = client.inspect_image(settings.temporary_reference)["Id"]
            except ImageNotFound:
                return set()
            found = client.containers(filters={"label": labels})
    except (DockerException, RequestException) as error:
        raise VolumeTrouble(str(error)) from error
    return {one["Labels"]["org.sophon.uid"] for one in found if one["ImageID"] != image}


def _pack(client: APIClient, container: str, file: IO[bytes], *, most: int) -> None:
    """Have the lab pack its files; the home is memory of the container, only it can read it."""
    run_id = client.exec_create(
        container, [*PYTHON, "pack", HOME], user=f"{OWNER}:{OWNER}", stderr=False
    )["Id"]
    size = 0
    for piece in client.exec_start(run_id, stream=True):
        size += len(piece)
        if size > most:
            raise VolumeTrouble(UNREADABLE)
        file.write(piece)
    if client.exec_inspect(run_id)["ExitCode"]:
        raise VolumeTrouble(UNREADABLE)
