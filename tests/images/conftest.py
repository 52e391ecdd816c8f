"""Images are built once per session; labs are started from the image just built."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator

import pytest

from tests.images.building import run_build
from tests.images.lab_container import Lab, bridge_gateway
from tests.images.stub_hub import StubHub


@functools.cache
def build(name: str) -> str:
    """Build an image as its folder says it now, and return its content's tag."""
    built = run_build(name)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr
    rows = json.loads(run_build("--list", name).stdout)
    return str({row["name"]: row["tag"] for row in rows}[name])


@pytest.fixture(scope="session")
def image() -> str:
    """The standard lab's image; a module about another one has a fixture of this name."""
    return build("lab")


@pytest.fixture(scope="session")
def hub() -> Iterator[StubHub]:
    """A Hub that lets one person in."""
    with StubHub(bridge_gateway()) as running:
        yield running


@pytest.fixture(scope="module")
def lab(image: str, hub: StubHub) -> Iterator[Lab]:
    """A running lab with the hardening of the spawner and a home volume."""
    with Lab(image, hub) as running:
        running.wait_until_it_answers()
        yield running
