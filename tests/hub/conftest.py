"""Fixtures of the tests against a real Hub and Docker engine."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from docker.api.client import APIClient
from hub_harness import LAB_IMAGE, HubProcess
from openid_provider import Provider

from tests.engine import docker_client, remove_namespace


@pytest.fixture(scope="session")
def docker() -> Iterator[APIClient]:
    with contextlib.closing(docker_client()) as client:
        assert client.images(LAB_IMAGE), f"{LAB_IMAGE} is missing: run make images first"
        yield client


@contextlib.contextmanager
def making_hubs(
    docker: APIClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., HubProcess]]:
    """Makes Hubs, each with a namespace and directory of its own, and clears them away."""
    made: list[HubProcess] = []

    def make(**environment: Any) -> HubProcess:
        namespace = f"sophontest-{secrets.token_hex(4)}"
        directory = tmp_path_factory.mktemp("hub")
        hub = HubProcess(directory, namespace, {k: str(v) for k, v in environment.items()})
        made.append(hub)
        return hub

    yield make
    for hub in made:
        hub.stop()
        remove_namespace(docker, hub.namespace)


@pytest.fixture(scope="module")
def make_hub(
    docker: APIClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., HubProcess]]:
    """Makes Hubs, which are cleared away after the module: an engine has about 30 networks."""
    with making_hubs(docker, tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="session")
def hub(docker: APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A running Hub that tests share; each test makes its own labs."""
    with making_hubs(docker, tmp_path_factory) as make:
        hub = make()
        hub.start()
        yield hub


@pytest.fixture
def slug(request: pytest.FixtureRequest) -> str:
    """A slug no other test uses."""
    return f"p{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def make_process_hub(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., HubProcess]]:
    """Makes Hubs that run labs as processes and never ask for an engine."""
    made: list[HubProcess] = []

    def make(**environment: Any) -> HubProcess:
        directory = tmp_path_factory.mktemp("process-hub")
        texts = {name: str(value) for name, value in environment.items()}
        hub = HubProcess(directory, "sophontest-none", {"DOCKER_HOST": "unix:///none", **texts})
        made.append(hub)
        return hub

    yield make
    for hub in made:
        if hub.process is not None and hub.process.poll() is None:
            hub.stop_all_labs()
        hub.stop()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A real OpenID provider, for one module."""
    provider = Provider()
    yield provider
    provider.end()
