"""What visitors try: a version of a project's material, copied into the memory of their lab.

The version's volume is read where it is, and never mounted into the lab of a visitor. The home of
that is memory of the container, which only what runs in there can use.
"""

import contextlib
import re
import socket
import tempfile
import time
from typing import IO, Any

from docker.api.client import APIClient
from docker.errors import DockerException
from requests.exceptions import RequestException

from sophon_hub import names
from sophon_hub.amounts import parse_bytes
from sophon_hub.settings import Sophon
from sophon_hub.volumes.engine import connect
from sophon_hub.volumes.helper import HOME, OWNER, VolumeTrouble, any_image, has_volume
from sophon_hub.volumes.material import PLACE
from sophon_hub.volumes.visits import PYTHON

BRING_SECONDS = 60
SILENT_SECONDS = 20
"""A lab belongs to its visitor, who may have it do anything, nothing included."""

LONGEST_ANSWER = 1000
HEADER = 8
PIECE = 64 * 1024
OVERHEAD = 4096
"""Bytes in an archive for each file, beside what it holds, at most."""

GONE = "The project does not offer its notebooks to visitors any more."
NOT_BROUGHT = "The notebooks of the project could not be copied into your lab."
SENTENCES = (GONE, NOT_BROUGHT)
"""Troubles that are told to the visitor word for word."""


def bring(settings: Sophon, visitor: str, uid: str | None, folder: str) -> str:
    """Copy the version of material with this id into a visitor's running lab, as a new folder.

    ``uid`` is None for what is not offered any more. Gives the folder's name: with a number at its
    end when there was something of that name.

    Raises:
        VolumeTrouble: it did not work; nothing of it is in the lab.
    """
    container = names.container_name(settings.namespace, names.temporary_uid(visitor))
    volume = names.material_volume_name(settings.namespace, uid or "none")
    try:
        with contextlib.closing(connect()) as client:
            if uid is None or not has_volume(client, volume):
                raise VolumeTrouble(GONE)
            with tempfile.TemporaryFile() as file:
                _pack(client, settings, volume, file)
                said = _have_unpacked(client, container, folder, file)
    except (DockerException, RequestException, OSError) as error:
        raise VolumeTrouble(str(error)) from error
    # the last thing that is done is to say the name; and what says it runs in a visitor's lab
    if not re.fullmatch(rf"{re.escape(folder)}( \([0-9]{{1,6}}\))?", said):
        raise VolumeTrouble(NOT_BROUGHT)
    return said


def _pack(client: APIClient, settings: Sophon, volume: str, file: IO[bytes]) -> None:
    """Write the files of a version as an archive, read through a container that never runs."""
    container = client.create_container(
        any_image(client, settings),
        entrypoint=["true"],
        command=[],
        host_config=client.create_host_config(
            network_mode="none", binds={volume: {"bind": PLACE, "mode": "ro"}}
        ),
        labels={"org.sophon.namespace": settings.namespace, "org.sophon.kind": "trial"},
    )["Id"]
    left = parse_bytes(settings.temporary_material_size)
    left += settings.temporary_material_files * OVERHEAD
    url = f"{client.base_url}/v{client.api_version}/containers/{container}/archive"
    try:
        # closed also when it is not read to the end: else the container could not be removed
        with client.get(
            url,
            params={"path": f"{PLACE}/files"},
            headers={"Accept-Encoding": "identity"},
            stream=True,
            timeout=BRING_SECONDS,
        ) as response:
            response.raise_for_status()
            for piece in response.raw.stream(PIECE):
                left -= len(piece)
                if left < 0:
                    raise VolumeTrouble(NOT_BROUGHT)
                file.write(piece)
    finally:
        client.remove_container(container, force=True, v=False)


def _have_unpacked(client: APIClient, container: str, folder: str, file: IO[bytes]) -> str:
    """Have the lab unpack an archive into a new folder; gives what it says."""
    size = file.tell()
    file.seek(0)
    run_id = client.exec_create(
        container,
        [*PYTHON, "receive", HOME, folder, str(size)],
        stdin=True,
        stderr=False,
        user=f"{OWNER}:{OWNER}",
    )["Id"]
    stream = client.exec_start(run_id, socket=True)
    with contextlib.closing(_socket_of(stream)) as line, contextlib.closing(stream):
        line.settimeout(SILENT_SECONDS)
        until = time.monotonic() + BRING_SECONDS
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the answer says why
            while piece := file.read(PIECE):
                _check_time(until)
                line.sendall(piece)
        answer = b""
        while piece := line.recv(PIECE):
            _check_time(until)
            answer += piece
            if len(answer) > LONGEST_ANSWER:
                raise VolumeTrouble(NOT_BROUGHT)
    return _text_of(answer)


def _check_time(until: float) -> None:
    if time.monotonic() > until:
        raise VolumeTrouble(NOT_BROUGHT)


def _text_of(answer: bytes) -> str:
    """What was printed, without the eight bytes that the engine puts before each part of it."""
    said = b""
    while len(answer) >= HEADER:
        end = HEADER + int.from_bytes(answer[HEADER - 4 : HEADER])
        said, answer = said + answer[HEADER:end], answer[end:]
    return said.decode(errors="replace")


def _socket_of(stream: Any) -> socket.socket:
    """What can be written to: the library gives a reader where there is no TLS."""
    line: socket.socket = getattr(stream, "_sock", stream)
    return line
