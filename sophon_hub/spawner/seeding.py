"""Putting a file into the home of a lab that has never run: how samples come with content."""

import io
import tarfile

from sophon_hub.clock import utcnow
from sophon_hub.settings import Sophon
from sophon_hub.spawner import homes
from sophon_hub.spawner.plan import LaunchPlan
from sophon_hub.volumes.engine import connect

MODE = 0o644


def put_file(settings: Sophon, plan: LaunchPlan, name: str, content: bytes) -> None:
    """Write a file to the top of the home that belongs to the plan, making the home."""
    if settings.spawner == "process":
        home = settings.prepare_data_dir() / "homes" / plan.uid
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / name).write_bytes(content)
        return
    client = connect()
    volume = homes.ensure_home(client, settings, plan)
    # never started: the engine fills a new volume from the image when a container is made
    container = client.create_container(
        plan.image,
        command=["true"],
        labels=plan.labels(settings.namespace),
        host_config=client.create_host_config(
            network_mode="none", binds=[f"{volume}:{homes.HOME}"]
        ),
    )["Id"]
    try:
        client.put_archive(container, homes.HOME, _archive(name, content))
    finally:
        client.remove_container(container, force=True)
        client.close()


def _archive(name: str, content: bytes) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), MODE, int(utcnow().timestamp())
    entry.uid = entry.gid = homes.OWNER
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
