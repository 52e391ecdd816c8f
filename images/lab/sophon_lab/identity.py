"""Who is connected, and what they may do: asked at the hub, and soon asked again."""

import asyncio
import os
from typing import Any

from jupyter_server_ydoc.handlers import YDocWebSocketHandler
from jupyterhub.singleuser.extension import JupyterHubIdentityProvider, JupyterHubUser
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler
from traitlets import Instance, default

from sophon_lab import watching
from sophon_lab.activity import Activity
from sophon_lab.documents import vouch
from sophon_lab.rights import Rights, rights_of
from sophon_lab.sockets import Sockets, Visit


class SophonIdentityProvider(JupyterHubIdentityProvider):
    """JupyterHub's identity provider that also looks after what is open, and lets people watch.

    JupyterHub asks who somebody is when a request comes, and a socket is one request that lasts
    for as long as the tab is open.
    """

    sockets = Instance(Sockets)

    activity = Instance(Activity, ())

    @default("sockets")
    def _default_sockets(self) -> Sockets:
        return Sockets(self.log)

    async def get_user(self, handler: Any) -> JupyterHubUser | None:
        """The person who makes this request; None when they may not be here."""
        user: JupyterHubUser | None = await super().get_user(handler)
        if user is None or hasattr(handler, "_sophon_rights"):
            return user
        rights = handler._sophon_rights = await self._rights(user.hub_user)
        if rights is Rights.NONE:
            watching.refuse(handler)
        if rights is Rights.WATCH:
            watching.restrict(handler, user)
        else:
            if isinstance(handler, YDocWebSocketHandler):
                vouch(handler, user)
            self.activity.follow(handler)
        if isinstance(handler, WebSocketHandler):
            self.sockets.add(handler, self._visit(handler), user.username, rights)
        return user

    def page_config_hook(self, handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
        """What JupyterLab is told when it starts: to those who watch, also that they do."""
        page_config = super().page_config_hook(handler, page_config)
        if getattr(handler, "_sophon_rights", None) is Rights.WATCH:
            page_config["appName"] = "Watching - JupyterLab"
            page_config["sophonWatching"] = "true"
            page_config["notebookStartsKernel"] = "false"
        return page_config

    def _visit(self, handler: Any) -> Visit:
        by_token = getattr(handler, "_token_authenticated", False)
        token = self.hub_auth.get_token(handler, in_cookie=not by_token)
        return Visit(token or "", self.hub_auth.get_session_id(handler))

    async def _rights(self, model: dict[str, Any] | None) -> Rights:
        if not model or not self.hub_auth.check_scopes(self.hub_auth.access_scopes, model):
            return Rights.NONE
        owner = await self.hub_auth.user_for_token(self.hub_auth.api_token, sync=False)
        return rights_of(model, owner, os.environ.get("JUPYTERHUB_SERVER_NAME", ""))

    async def revalidate(self) -> None:
        """Ask the hub about everybody who is connected, and shut what they may not use any more."""
        self.hub_auth.cache.clear()
        await asyncio.gather(*(self._revalidate(visit) for visit in self.sockets.visits()))

    async def _revalidate(self, visit: Visit) -> None:
        try:
            model = await self.hub_auth.user_for_token(
                visit.token, session_id=visit.session_id, sync=False
            )
            rights = await self._rights(model)
        except HTTPError:
            return  # the hub is away for a moment: nobody can have been removed meanwhile
        closed = self.sockets.close_unless(visit, rights)
        if closed:
            self.log.info("Access is %s now: closed %d sockets", rights, closed)
