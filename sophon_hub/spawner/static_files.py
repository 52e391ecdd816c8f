"""Takes JupyterLab's own files out of an image when a lab first uses it, for all labs to share."""

import logging
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import IO, Any

from docker.api.client import APIClient
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from sophon_hub.addresses import Addresses
from sophon_hub.lab_static import LabStatic, Taken, Unusual
from sophon_hub.settings import Sophon
from sophon_hub.volumes import engine

log = logging.getLogger(__name__)

MOST_BYTES = 200 * 1024 * 1024
"""More than ten times what JupyterLab has."""

ADDRESS = "--LabApp.override_static_url="
APP_DIR = "--LabApp.app_dir="
"""With one of these in ``c.Spawner.args`` a site decides by itself where the files come from."""

_one_at_a_time = threading.Lock()


async def arguments(client: APIClient, settings: Sophon, image: str) -> list[str]:
    """Have a lab of this image, given by its reference, use the files that all labs share.

    Empty when labs have origins of their own, or when there is nothing to share: then the lab
    serves its files itself. The folder is said, too: the page has to fit the files.
    """
    addresses = Addresses.of(settings)
    if addresses.domain:
        return []
    try:
        taken = await engine.call(_take, client, settings, image)
    except (DockerException, RequestException, OSError) as error:
        log.warning("Labs of %s serve JupyterLab's files themselves: %s", image, error)
        return []
    if not taken.digest:
        return []
    return [f"{ADDRESS}{addresses.lab_static(taken.digest)}", f"{APP_DIR}{taken.app_dir}"]


def add(command: Sequence[str], told: Sequence[str]) -> list[str]:
    """The command of a lab with these arguments, unless it has others of the kind."""
    has_others = any(word.startswith((ADDRESS, APP_DIR)) for word in command)
    return [*command, *(() if has_others else told)]


def _take(client: APIClient, settings: Sophon, image: str) -> Taken:
    shelf, found = LabStatic.of(settings), client.inspect_image(image)
    with _one_at_a_time:
        taken = shelf.taken(found["Id"])
        if taken is None:
            taken = _take_anew(client, settings, found)
            shelf.tidy(lambda number: _has_image(client, number))
    return taken


def _take_anew(client: APIClient, settings: Sophon, image: dict[str, Any]) -> Taken:
    """Look where JupyterLab is in the image, in a container that is never started."""
    shelf = LabStatic.of(settings)
    labels = {"org.sophon.namespace": settings.namespace, "org.sophon.kind": "static-files"}
    container = client.create_container(image["Id"], command=["true"], labels=labels)["Id"]
    try:
        for app_dir in _app_dirs(image["Config"].get("Env") or ()):
            with tempfile.TemporaryFile() as archive:
                if _copy(client, container, f"{app_dir}/static", archive):
                    return shelf.keep(image["Id"], app_dir, archive)
    except Unusual as error:
        log.warning("JupyterLab's files in %s are not shared: %s", image["Id"], error)
    finally:
        client.remove_container(container, force=True, v=True)
    return shelf.note(image["Id"], Taken())


def _app_dirs(environment: Any) -> Iterator[str]:
    """Where JupyterLab looks: beside the Python that comes first, unless it was told."""
    words = dict(word.split("=", 1) for word in environment)
    if told := words.get("JUPYTERLAB_DIR"):
        yield told
        return
    for folder in words.get("PATH", "").split(":"):
        if folder.endswith("/bin"):
            yield f"{folder.removesuffix('/bin')}/share/jupyter/lab"


def _copy(client: APIClient, container: str, folder: str, archive: IO[bytes]) -> bool:
    """Copy a folder of a container as an archive; whether there is one."""
    try:
        pieces, _ = client.get_archive(container, folder)
    except APIError as error:
        if engine.is_status(error, 404):
            return False
        raise
    for piece in pieces:
        archive.write(piece)
        if archive.tell() > MOST_BYTES:
            raise Unusual("too much")
    archive.seek(0)
    return True


def _has_image(client: APIClient, number: str) -> bool:
    try:
        client.inspect_image(number)
    except APIError as error:
        if engine.is_status(error, 404):
            return False
        raise
    return True
