"""Metrics, for Prometheus."""

import asyncio

from sophon_hub import clock
from sophon_hub.api.base import ApiHandler
from sophon_hub.api.operation import operation
from sophon_hub.errors import Forbidden, SophonError, Unauthenticated
from sophon_hub.metrics import exposition, snapshot
from sophon_hub.web.identity import GUEST

SCOPE = "read:metrics"
TIMEOUT_SECONDS = 3
"""Scrapers give up after ten; then they would not learn that the database is down."""


class MetricsAPI(ApiHandler):
    """Numbers about the hub. JupyterHub's own are at ``/hub/metrics``."""

    caller_kinds = frozenset({"user", "service"})

    @operation({200: "text/plain"})
    async def get(self) -> None:
        """Send metrics as Prometheus reads them; admins, and tokens with the scope read:metrics."""
        caller = await self.caller()
        if caller == GUEST:
            raise Unauthenticated
        if not (caller.is_admin or SCOPE in caller.scopes):
            raise Forbidden(f"Metrics need a token with the hub scope {SCOPE}.")
        self.set_header("Content-Type", exposition.CONTENT_TYPE)
        self.write(self.portal.metrics.render(await self._snapshot()))

    async def _snapshot(self) -> snapshot.Snapshot | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self.portal.read(
                    lambda session: snapshot.take(session, clock.utcnow())
                )
        except (TimeoutError, SophonError):
            return None
