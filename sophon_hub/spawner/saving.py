"""Before a lab is stopped it saves what people have open in it."""

import logging
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientTimeout
from jupyterhub.httpclient import fetch
from jupyterhub.utils import url_path_join

from sophon_hub.lab_messages import LabMessages
from sophon_hub.settings import BadSetting, Sophon

FLUSH_SECONDS = 4.0
"""Longest wait for a lab to save everything. It goes on when asked to end."""

LOGGED_BYTES = 2000
"""What is kept of an answer: it comes from a lab, where people can run anything."""

log = logging.getLogger(__name__)


async def flush(settings: Sophon, lab_url: str, name: str) -> None:
    """Have the lab at this address save all documents; one that does not is stopped all the same.

    ``name`` is what the lab is called in the log.
    """
    url = url_path_join(lab_url, "sophon", "flush")
    try:
        response = await fetch(
            url,
            method="POST",
            headers=LabMessages.of(settings).headers(urlsplit(url).path),
            raise_for_status=False,
            allow_redirects=False,
            timeout=ClientTimeout(total=FLUSH_SECONDS),
        )
        if response.status == 200:
            return
        said = f"{response.status} {await response.content.read(LOGGED_BYTES)!r}"
    except (ClientError, OSError, TimeoutError, BadSetting) as error:
        said = str(error) or type(error).__name__
    log.warning("%s did not save everything before it is stopped: %s", name, said)
