"""The Docker engine in tests: a client, and clearing away what one namespace made."""

import contextlib

from docker.api.client import APIClient
from docker.errors import APIError
from docker.utils.utils import kwargs_from_env

from tests.waiting import wait_for


def docker_client() -> APIClient:
    """A client of the engine that the environment names."""
    return APIClient(version="auto", **kwargs_from_env())


def remove_namespace(client: APIClient, namespace: str) -> None:
    """Remove everything of one namespace, and nothing of any other.

    Again and again, since a Hub that was just stopped may have had a container under way.
    """
    wait_for(lambda: _removed(client, namespace), f"everything of {namespace} to be gone")


def _removed(client: APIClient, namespace: str) -> bool:
    mine = {"label": f"org.sophon.namespace={namespace}"}
    with contextlib.suppress(APIError):
        for container in client.containers(all=True, filters=mine):
            client.remove_container(container["Id"], force=True, v=True)
        for volume in client.volumes(filters=mine)["Volumes"] or []:
            client.remove_volume(volume["Name"])
        for network in client.networks(filters=mine):
            _remove_network(client, network["Id"])
        return True
    return False


def _remove_network(client: APIClient, network: str) -> None:
    """Remove a network; one that only the engine thinks is in use has to stay.

    Engine 20.10 can forget to release the endpoint of a container that was removed while it was
    being started; until the engine's next start nothing removes such a network.
    """
    try:
        client.remove_network(network)
    except APIError as error:
        if "active endpoints" not in str(error) or client.inspect_network(network)["Containers"]:
            raise
