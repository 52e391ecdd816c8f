"""The engine, for the tests of what is done with volumes there."""

import contextlib
from collections.abc import Iterator

import pytest
from docker.api.client import APIClient

from tests.engine import docker_client


@pytest.fixture(scope="module")
def docker() -> Iterator[APIClient]:
    """The Docker engine."""
    with contextlib.closing(docker_client()) as client:
        yield client
