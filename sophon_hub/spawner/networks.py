"""The networks labs live in.

Every lab is in ``<namespace>-labs``: internal, and without traffic between its members. Labs
with internet are also in ``<namespace>-internet``, again without traffic between members.

That is not enough. Even in an internal network the engine gives containers a default route to
the host, which answers on all of its addresses; and the cloud's metadata service answers whoever
has internet. So `volumes.guard` changes the routes of each lab before its server runs.
"""

import contextlib
import logging
from dataclasses import dataclass
from typing import Any

from docker.api.client import APIClient
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.volumes.engine import connect, is_status

log = logging.getLogger(__name__)

NO_TRAFFIC_BETWEEN_LABS = {"com.docker.network.bridge.enable_icc": "false"}


@dataclass(frozen=True)
class LabNetworks:
    """The names of both networks, and the address at which labs reach the Hub's API."""

    labs: str
    internet: str
    hub_address: str


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


def gateway_of_labs(settings: Sophon, client: APIClient) -> str | None:
    """Where labs reach the Hub's API; None when there is no such network yet. Makes nothing."""
    found = _find(client, f"{settings.namespace}-labs")
    return _gateway(found) if found else None


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
