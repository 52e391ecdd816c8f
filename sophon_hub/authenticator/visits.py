"""Visitors of temporary labs at the Hub: one address lets them into their lab, and no other.

A visitor never signs in. The portal gives the browser a secret, in a cookie that is sent to the
address below and nowhere else of the Hub's; there it answers the question of the visitor's own
lab who this is. To every other page and to the API of the Hub the browser is nobody, and somebody
who is signed in stays so beside it.
"""

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from jupyterhub import orm
from jupyterhub.apihandlers.auth import OAuthAuthorizeHandler
from jupyterhub.handlers import BaseHandler
from jupyterhub.utils import maybe_future, url_path_join
from sqlalchemy.orm import Session
from tornado import web

from sophon_hub import names, request_ids
from sophon_hub.errors import SophonError
from sophon_hub.rehearsal import take_ticket
from sophon_hub.store import temporary
from sophon_hub.store.engine import reading

if TYPE_CHECKING:
    from sophon_hub.authenticator.mixin import SophonAuthenticatorMixin

FORBIDDEN = 403
NOT_YOURS = "This temporary lab belongs to another visitor, or its time is over."


class VisitorAuthorizeHandler(OAuthAuthorizeHandler):
    """Where every lab asks who somebody is. For temporary labs the visitor's cookie answers."""

    authenticator: "SophonAuthenticatorMixin"
    _lab = ""
    """The hub user of the temporary lab that asks."""

    async def get_current_user(self) -> Any:
        """The visitor for temporary labs, whoever is signed in; for others who is signed in."""
        if not hasattr(self, "_jupyterhub_user"):
            self._lab = self._temporary_lab()
            if not self._lab:
                return await super().get_current_user()
            self._jupyterhub_user = await self._visitor()
        return self._jupyterhub_user

    def _temporary_lab(self) -> str:
        client = self._client()
        owner = client.spawner.user.name if client and client.spawner else ""
        return owner if names.is_temporary(owner) else ""

    def _client(self) -> Any:
        """The lab that asks, as the Hub knows it."""
        identifier = self.get_argument("client_id", "")
        return self.db.query(orm.OAuthClient).filter_by(identifier=identifier).first()

    async def _visitor(self) -> Any:
        secret = self.get_cookie(names.ENTRY_COOKIE)
        if not secret:
            return None
        if take_ticket(secret) == self._lab:
            return self.find_user(self._lab)
        engine, visit = self.authenticator.engine, temporary.visit_digest(secret)

        def find() -> str | None:
            with reading(engine) as session:
                return _name_of_lab(session, visit)

        found = await self.authenticator.in_database(find)
        return self.find_user(self._lab) if found == self._lab else None

    def get_session_cookie(self) -> Any:
        """A session for the visit alone: a cookie for one would tell the portal of a sign-in."""
        if not self._lab:
            return super().get_session_cookie()
        return sha256(f"{self._lab}/session".encode()).hexdigest()[:32]

    async def get(self) -> None:
        """Tell the lab who this is; others than the visitor are not asked to sign in for it."""
        if self._lab and self.current_user is None:
            raise web.HTTPError(403, NOT_YOURS)
        try:
            await maybe_future(super().get())
        except web.HTTPError as error:
            if error.status_code == FORBIDDEN:
                await self._note_refusal()
            raise

    async def _note_refusal(self) -> None:
        """Put on record who was not let into which lab; visitors have no name."""
        client = self._client()
        user = self.current_user
        if self._lab or user is None or client is None or client.spawner is None:
            return
        server, request_id = client.spawner, request_ids.of_handler(self)
        refused = self.authenticator.records.door.refused
        try:
            await asyncio.to_thread(refused, user.name, server.user.name, server.name, request_id)
        except SophonError as error:
            self.log.warning("A refusal at a lab is not in the audit trail: %s", error)


def _name_of_lab(session: Session, visit: str) -> str | None:
    lab = temporary.find_lab_of_visit(session, visit)
    return lab.name if lab else None


class EndedVisitHandler(BaseHandler):
    """Addresses of temporary labs that are gone: nothing is started from here."""

    def get(self, _name: str, path: str | None) -> None:
        """Lead the visitor to the page that offers a new one; scripts get a plain error."""
        if (path or "").startswith("/api/"):
            raise web.HTTPError(424, "This temporary lab has ended.")
        self.redirect(url_path_join(self.base_url, "services", "sophon", "try") + "?ended=true")


HANDLERS: list[tuple[Any, ...]] = [
    (r"/api/oauth2/authorize", VisitorAuthorizeHandler),
    (rf"/user/({names.TEMPORARY_PREFIX}[^/]+)(/.*)?", EndedVisitHandler),
]
"""They go before those of the Hub."""
