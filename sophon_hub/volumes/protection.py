"""Keeping containers that have the internet from the cloud's metadata, by `guard`."""

from pathlib import Path

from docker.api.client import APIClient

from sophon_hub.volumes import guard

GATE = guard.GATE
GUARD_SOURCE = Path(guard.__file__).read_text(encoding="utf-8")


class GuardFailed(Exception):
    """What a lab must not reach could not be blocked, so the lab does not run."""


def protect(
    client: APIClient, container: str, image: str, labels: dict[str, str], *, internet: bool
) -> None:
    """Block what a lab that was just started must not reach; it waits for this.

    The blocking is done by a container of the lab's own image that shares nothing but the
    network with the lab, lives for a tenth of a second, and is the only one with the right to
    change routes: the lab itself can never take them back.
    """
    host_config = client.create_host_config(
        network_mode=f"container:{container}",
        cap_drop=["ALL"],
        cap_add=["NET_ADMIN"],
        security_opt=["no-new-privileges"],
        read_only=True,
        pids_limit=32,
        mem_limit="128m",
    )
    helper = client.create_container(
        image,
        entrypoint=["python3", "-I", "-S", "-c", GUARD_SOURCE],
        command=[] if internet else ["--everything"],
        user="0:0",
        working_dir="/",
        host_config=host_config,
        labels={**labels, "org.sophon.kind": "guard"},
    )["Id"]
    try:
        client.start(helper)
        status = client.wait(helper, timeout=30)["StatusCode"]
        if status:
            said = client.logs(helper, tail=5).decode(errors="replace")
            raise GuardFailed(f"the guard ended with {status}: {said}")
    finally:
        client.remove_container(helper, force=True)
