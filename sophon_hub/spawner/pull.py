"""Getting an image: the local one first, else downloaded with messages on the way."""

import threading
from collections.abc import Callable
from typing import Any

from docker.api.client import APIClient
from docker.errors import DockerException, ImageNotFound
from docker.utils.utils import parse_repository_tag

Report = Callable[[int], None]


class PullCancelled(Exception):
    """The start was given up while the image was on its way."""


def has_image(client: APIClient, image: str) -> bool:
    """Whether the engine has this image already."""
    try:
        client.inspect_image(image)
    except ImageNotFound:
        return False
    return True


def pull(client: APIClient, image: str, report: Report, cancelled: threading.Event) -> None:
    """Download an image; ``report`` gets the percentage, raises when the registry refuses."""
    repository, tag = parse_repository_tag(image)
    layers: dict[str, tuple[int, int]] = {}
    for line in client.pull(repository, tag=tag or "latest", stream=True, decode=True):
        if cancelled.is_set():
            raise PullCancelled(image)
        if "error" in line:
            raise DockerException(str(line["error"]))
        report(_percent(layers, line))


def _percent(layers: dict[str, tuple[int, int]], line: dict[str, Any]) -> int:
    """Percentage of all layers known so far; downloading counts, unpacking is the rest."""
    detail = line.get("progressDetail") or {}
    layer = line.get("id", "")
    if line.get("status") == "Downloading" and detail.get("total"):
        layers[layer] = (detail["current"], detail["total"])
    elif line.get("status") in ("Download complete", "Pull complete") and layer in layers:
        layers[layer] = (layers[layer][1], layers[layer][1])
    total = sum(size for _, size in layers.values())
    return 100 * sum(done for done, _ in layers.values()) // total if total else 0
