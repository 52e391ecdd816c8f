"""What the Docker engine is and has, for whoever asks whether a hub can work."""

import contextlib
from dataclasses import dataclass
from datetime import datetime

from docker.errors import DockerException
from requests.exceptions import RequestException

from sophon_hub.settings import Sophon
from sophon_hub.spawner.images import describe_images
from sophon_hub.spawner.networks import gateway_of_labs
from sophon_hub.volumes.engine import connect
from sophon_hub.volumes.helper import VolumeTrouble


@dataclass(frozen=True)
class EngineState:
    """Version and time of the engine, references of images, and where labs reach the Hub.

    ``hub_address`` is None until a hub has made its networks.
    """

    version: str
    at: datetime
    there: tuple[str, ...]
    missing: tuple[str, ...]
    hub_address: str | None


def look(settings: Sophon) -> EngineState:
    """Ask the engine; nothing is made.

    Raises:
        VolumeTrouble: none answers, or it refuses.
    """
    try:
        with contextlib.closing(connect()) as client:
            info = client.info()
            images = describe_images(settings, client).values()
            found = {str(image["image"]): bool(image["available"]) for image in images}
            if settings.temporary_labs:
                reference = settings.temporary_reference
                found.setdefault(reference, bool(client.images(reference)))
            return EngineState(
                info["ServerVersion"],
                datetime.fromisoformat(info["SystemTime"]),
                tuple(sorted(name for name, is_there in found.items() if is_there)),
                tuple(sorted(name for name, is_there in found.items() if not is_there)),
                gateway_of_labs(settings, client),
            )
    except (DockerException, RequestException, OSError) as error:
        raise VolumeTrouble(str(error)) from error
