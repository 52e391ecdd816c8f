"""Whether the portal can do its work."""

import asyncio

from aiohttp import ClientError
from jupyterhub.httpclient import fetch

from sophon_hub.errors import SophonError
from sophon_hub.store import instance
from sophon_hub.web.portal import Portal

TIMEOUT_SECONDS = 3


async def check(portal: Portal) -> dict[str, str]:
    """State of database and Hub, each ``ok`` or ``down``, and of both together."""
    database, hub = await asyncio.gather(_database(portal), _hub(portal))
    both = "ok" if database == hub == "ok" else "down"
    return {"status": both, "database": database, "hub": hub}


async def _database(portal: Portal) -> str:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await portal.read(instance.ping)
    except (TimeoutError, SophonError):
        return "down"
    return "ok"


async def _hub(portal: Portal) -> str:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            answer = await fetch(portal.hub_auth.api_url + "/", raise_for_status=False)
            await answer.read()
    except (TimeoutError, OSError, ClientError):
        return "down"
    return "ok" if answer.status == 200 else "down"
