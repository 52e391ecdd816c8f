"""Puts our Docker spawner in the place of dockerspawner's, for dockerspawner's own tests.

The sdist has the tests but not their conftest.py; the fixture they need is here.
"""

import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import dockerspawner
import pytest
from jupyterhub.tests import conftest as hub_conftest
from jupyterhub.tests.mocking import MockHub
from jupyterhub.user import User
from traitlets import default

from sophon_hub.spawner import make_project_spawner

# a test compares the class's name in a warning
Made = make_project_spawner(dockerspawner.DockerSpawner, "DockerSpawner")


class Replacement(Made):  # type: ignore[misc]
    """Ours, leaving servers of people to dockerspawner's configuration."""

    @default("manage_people")
    def _manage_people(self) -> bool:
        return False


Replacement.__name__ = "DockerSpawner"
dockerspawner.DockerSpawner = Replacement

for _name in ("app", "cleanup_after", "tmp_cwd", "ssl_tmpdir", "user", "username"):
    globals()[_name] = getattr(hub_conftest, _name)


@pytest.fixture(scope="module", autouse=True)
def hub_where_containers_find_it() -> Iterator[None]:
    """The Hub listens on the address of Docker's default bridge."""
    client = dockerspawner.dockerspawner.docker.APIClient(version="auto")
    address = client.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    client.close()
    with mock.patch.object(MockHub, "hub_ip", address):
        yield


@pytest.fixture
def dockerspawner_configured_app(app: MockHub) -> Iterator[MockHub]:
    """The Hub of JupyterHub's tests with Docker, named servers and a prefix of its own."""
    app.config.DockerSpawner.prefix = os.environ["UPSTREAM_PREFIX"]
    changed = {
        "spawner_class": dockerspawner.DockerSpawner,
        "allow_named_servers": True,
        "slow_spawn_timeout": 30,
        "slow_stop_timeout": 30,
    }
    new_spawner = User._new_spawner

    def with_row(user: User, server_name: str, *args: Any, **kwargs: Any) -> Any:
        # the tests are older than JupyterHub 6, which wants servers to be created first
        if server_name not in user.orm_user.orm_spawners:
            user._new_orm_spawner(server_name, "")
        return new_spawner(user, server_name, *args, **kwargs)

    with (
        mock.patch.dict(app.tornado_settings, changed),
        mock.patch.object(User, "_new_spawner", with_row),
    ):
        yield app
    app.config.DockerSpawner.pop("cpu_limit", None)
