"""Server-sent events about a lab that starts or stops."""

import asyncio
import json

from tornado.iostream import StreamClosedError

from sophon_hub.errors import SophonError
from sophon_hub.models.servers import HasServer
from sophon_hub.policy.actor import Actor
from sophon_hub.store.engine import Session
from sophon_hub.web.handlers import BaseHandler, Work

POLL_SECONDS = 0.2
HEARTBEAT_POLLS = 50
"""A comment every ten seconds, so that proxies keep the connection open."""

UNDER_WAY = frozenset({"starting", "stopping"})


async def stream(handler: BaseHandler, get_lab: Work[HasServer]) -> None:
    """Send ``{progress, message, state}`` at every change, and end when the lab is at rest.

    ``get_lab`` refuses who may not watch; it is asked again at every look, and the credentials
    at every heartbeat.
    """

    def look(session: Session, actor: Actor) -> dict[str, object]:
        lab = get_lab(session, actor)
        return {"progress": lab.progress, "message": lab.message, "state": str(lab.state)}

    seen = await handler.read(look)
    handler.set_header("Content-Type", "text/event-stream; charset=utf-8")
    handler.set_header("X-Accel-Buffering", "no")
    if handler.request.method == "HEAD":
        return
    try:
        await _send(handler, f"data: {json.dumps(seen)}\n\n")
        polls = 0
        while seen["state"] in UNDER_WAY:
            await asyncio.sleep(POLL_SECONDS)
            polls += 1
            now = await handler.read(look)
            if now != seen:
                seen = now
                await _send(handler, f"data: {json.dumps(seen)}\n\n")
            if polls % HEARTBEAT_POLLS == 0:
                await handler.caller(again=True)
                await _send(handler, ": still here\n\n")
    except (StreamClosedError, SophonError):
        # the browser left, or the caller lost the right to look: nothing more to say
        return


async def _send(handler: BaseHandler, text: str) -> None:
    handler.write(text)
    await handler.flush()
