"""Who is connected, and whether they may be: asked at the hub, and soon asked again."""

import asyncio
from typing import Any

from jupyterhub.singleuser.extension import JupyterHubIdentityProvider, JupyterHubUser
from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler
from traitlets import Instance, default

from sophon_lab.sockets import NO_ACCESS, Sockets, Visit


class SophonIdentityProvider(JupyterHubIdentityProvider):
    """JupyterHub's identity provider that also shuts sockets of whoever has lost access.

    JupyterHub asks who somebody is when a request comes, and a socket is one request that lasts
    for as long as the tab is open.
    """

    sockets = Instance(Sockets)

    @default("sockets")
    def _default_sockets(self) -> Sockets:
        return Sockets(self.log)

    async def get_user(self, handler: RequestHandler) -> JupyterHubUser | None:
        """The person who makes this request; None when they may not be here."""
        user: JupyterHubUser | None = await super().get_user(handler)
        if user is not None and isinstance(handler, WebSocketHandler):
            self.sockets.add(handler, self._visit(handler))
        return user

    def _visit(self, handler: Any) -> Visit:
        by_token = getattr(handler, "_token_authenticated", False)
        token = self.hub_auth.get_token(handler, in_cookie=not by_token)
        return Visit(token or "", self.hub_auth.get_session_id(handler))

    async def revalidate(self) -> None:
        """Ask the hub about everybody who is connected, and shut out who may not be any more."""
        self.hub_auth.cache.clear()
        await asyncio.gather(*(self._revalidate(visit) for visit in self.sockets.visits()))

    async def _revalidate(self, visit: Visit) -> None:
        try:
            model = await self.hub_auth.user_for_token(
                visit.token, session_id=visit.session_id, sync=False
            )
        except HTTPError:
            return  # the hub is away for a moment: nobody can have been removed meanwhile
        if model is None or not self.hub_auth.check_scopes(self.hub_auth.access_scopes, model):
            closed = self.sockets.close(
                visit, NO_ACCESS, "You have no access to this lab any more."
            )
            self.log.info("Access ended: %d sockets closed", closed)
