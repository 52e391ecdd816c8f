"""Which images labs may run, as the images say by themselves.

The Hub asks the engine once, when it starts, and hands what it found on with its settings; so
portal and worker never talk to Docker, and an image is offered by building it.
"""

import contextlib
from typing import Any

from docker.api.client import APIClient
from docker.errors import ImageNotFound

from sophon_hub.settings import Sophon
from sophon_hub.volumes.engine import connect
from sophon_hub.volumes.homes import skeleton_in

REPOSITORY = "sophon-hub/"
TITLE = "org.sophon.title"
DESCRIPTION = "org.sophon.description"
LANGUAGES = "org.sophon.languages"
VISITORS = f"{REPOSITORY}tmp:latest"
OFFERED = "org.sophon.offered"
"""Labels of images; people may choose those that say ``org.sophon.offered=true``."""

Json = dict[str, Any]


def describe_images(settings: Sophon, client: APIClient | None = None) -> dict[str, Json]:
    """Return the setting `images`, completed with what the engine knows.

    Without the setting these are the images called ``sophon-hub/<name>:latest`` for people;
    what the setting says wins over labels. ``available`` tells whether the engine has an image,
    ``skeleton`` which folder of it belongs into homes.
    """
    if client is None:
        with contextlib.closing(connect()) as own_client:
            return describe_images(settings, own_client)
    wanted = settings.images
    if not settings.images_given:
        wanted = _built(client) or wanted
    return {name: _described(client, name, image) for name, image in sorted(wanted.items())}


def visitors_image(client: APIClient | None = None) -> str:
    """Reference of our own image for visitors; empty when it was not built."""
    if client is None:
        with contextlib.closing(connect()) as own_client:
            return visitors_image(own_client)
    return VISITORS if client.images(VISITORS) else ""


def _built(client: APIClient) -> dict[str, Json]:
    """The images of ours that people may choose."""
    found: dict[str, Json] = {}
    for image in client.images(filters={"label": f"{OFFERED}=true"}):
        for reference in image["RepoTags"] or ():
            name, _, tag = reference.removeprefix(REPOSITORY).partition(":")
            if reference.startswith(REPOSITORY) and tag == "latest":
                found[name] = {"image": reference}
    return found


def _described(client: APIClient, name: str, image: Json) -> Json:
    """One image with title, description and languages."""
    try:
        labels = client.inspect_image(image["image"])["Config"].get("Labels") or {}
        available = True
    except ImageNotFound:
        labels, available = {}, False
    languages = [word.strip() for word in labels.get(LANGUAGES, "").split(",") if word.strip()]
    told = {
        "title": labels.get(TITLE, name),
        "description": labels.get(DESCRIPTION, ""),
        "languages": languages,
        "skeleton": skeleton_in(labels) or "",
    }
    return {**told, **image, "available": available}
