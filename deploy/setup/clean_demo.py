"""Remove what a trial hub made: labs, volumes, networks of its namespace, and its data directory.

Only what carries this hub's namespace or lies in its data directory is touched, and nothing
while the hub is running.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from docker.errors import APIError, DockerException

from sophon_hub import startup
from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.volumes.engine import connect


def main() -> None:
    """Remove everything, saying what."""
    settings = Sophon.load()
    data = settings.data_path
    if data.exists():
        if not any((data / name).exists() for name in (startup.LOCK_FILE, "sophon.sqlite")):
            raise BadSetting(f"{data} does not look like a hub's data directory; it stays.")
        startup.hold_lock(settings)
        startup.end_orphans(settings)
        end_process_labs(data / "homes")
    remove_from_engine(settings.namespace)
    if data.exists():
        say(f"removing {data}")
        shutil.rmtree(data)


def end_process_labs(homes: Path) -> None:
    """End labs that run as processes: those that work in one of the homes."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            directory = (process / "cwd").readlink()
        except OSError:  # somebody else's, or gone
            continue
        if directory.is_relative_to(homes):
            say(f"ending process {process.name} in {directory}")
            os.kill(int(process.name), signal.SIGKILL)


def remove_from_engine(namespace: str) -> None:
    """Remove the containers, volumes and networks with the label of this namespace."""
    try:
        client = connect()
    except DockerException:
        say("no Docker engine answers, so there are no containers to remove")
        return
    mine = {"label": [f"org.sophon.namespace={namespace}"]}
    for container in client.containers(all=True, filters=mine):
        say(f"removing container {container['Names'][0].lstrip('/')}")
        client.remove_container(container["Id"], force=True)
    for volume in client.volumes(filters=mine)["Volumes"] or []:
        say(f"removing volume {volume['Name']}")
        client.remove_volume(volume["Name"])
    for network in client.networks(filters=mine):
        say(f"removing network {network['Name']}")
        try:
            client.remove_network(network["Id"])
        except APIError as error:
            say(f"the engine keeps it until it is started again: {error.explanation}")


def say(text: str) -> None:
    """One line of what happens."""
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        main()
    except BadSetting as error:
        sys.exit(f"sophon-hub: {error.detail}")
