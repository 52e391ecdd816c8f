"""The networks labs live in.

Every lab is in ``<namespace>-labs``: internal, and without traffic between its members. Labs
with internet are also in ``<namespace>-internet``, again without traffic between members.

That is not enough. Even in an internal network the engine gives containers a default route to
the host, which answers on all of its addresses; and the cloud's metadata service answers whoever
has internet. So `guard` changes the routes of each lab before its server runs.
"""

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.api.client import APIClient
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.spawner import guard
from sophon_hub.volumes.engine import connect, is_status

log = logging.getLogger(__name__)

NO_TRAFFIC_BETWEEN_LABS = {"com.docker.network.bridge.enable_icc": "false"}
GUARD_SOURCE = Path(guard.__file__).read_text(encoding="utf-8")


@dataclass(frozen=True)
class LabNetworks:
    """The names of both networks, and the address at which labs reach the Hub's API."""

    labs: str
    internet: str
    hub_address: str


class GuardFailed(Exception):
    """What a lab must not reach could not be blocked, so the lab does not run."""


def ensure_networks(settings: Sophon, client: APIClient | None = None) -> LabNetworks:
    """Make the networks of this hub when they are missing, and say where the Hub listens."""
    try:
        if client is not None:
            return _ensure_both(settings, client)
        with contextlib.closing(connect()) as own_client:
            return _ensure_both(settings, own_client)
    except APIError as error:
        raise BadSetting(f"The Docker engine refused a network for labs: {error}") from error
    except (DockerException, RequestException) as error:
        raise BadSetting(
            "No Docker engine answers. Start it (systemctl start docker), let DOCKER_HOST name"
            " another one, or set SOPHON_SPAWNER=process to try Sophon Hub without containers."
        ) from error


def _ensure_both(settings: Sophon, client: APIClient) -> LabNetworks:
    labs, internet = f"{settings.namespace}-labs", f"{settings.namespace}-internet"
    found = _ensure(client, settings.namespace, labs, internal=True)
    _ensure(client, settings.namespace, internet, internal=False)
    return LabNetworks(labs, internet, _gateway(found))


def _ensure(client: APIClient, namespace: str, name: str, *, internal: bool) -> dict[str, Any]:
    found = _find(client, name)
    if found is None:
        log.info("Making the Docker network %s", name)
        try:
            client.create_network(
                name,
                driver="bridge",
                internal=internal,
                options=dict(NO_TRAFFIC_BETWEEN_LABS),
                labels={"org.sophon.namespace": namespace},
                check_duplicate=True,
            )
        except APIError as error:
            if not is_status(error, 409):  # else somebody was faster
                raise
        found = _find(client, name)
    if found is None or not _is_ours(found, namespace, internal=internal):
        raise BadSetting(
            f"The Docker network {name} exists but does not keep labs apart as it must."
            f" Remove it (docker network rm {name}) or set another SOPHON_NAMESPACE."
        )
    return found


def _find(client: APIClient, name: str) -> dict[str, Any] | None:
    # the filter also finds names that contain this one
    for network in client.networks(names=[name]):
        if network["Name"] == name:
            details: dict[str, Any] = client.inspect_network(network["Id"])
            return details
    return None


def _is_ours(network: dict[str, Any], namespace: str, *, internal: bool) -> bool:
    return (
        network["Driver"] == "bridge"
        and network["Internal"] is internal
        and NO_TRAFFIC_BETWEEN_LABS.items() <= (network["Options"] or {}).items()
        and (network["Labels"] or {}).get("org.sophon.namespace") == namespace
    )


def _gateway(network: dict[str, Any]) -> str:
    for subnet in network["IPAM"]["Config"]:
        gateway = str(subnet.get("Gateway", ""))
        if gateway and ":" not in gateway:
            return gateway.partition("/")[0]
    raise BadSetting(f"The Docker network {network['Name']} has no gateway for the Hub's API.")


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
