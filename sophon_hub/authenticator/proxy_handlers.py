"""Hub pages of a sign-on that ends in the web server in front: the protected path, signing out."""

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jupyterhub.handlers import BaseHandler
from jupyterhub.utils import url_path_join
from tornado import web
from tornado.httputil import url_concat

from sophon_hub import request_ids
from sophon_hub.authenticator.assertion import GuestRefused, Refused
from sophon_hub.authenticator.attempts import Attempt, Reason
from sophon_hub.authenticator.mixin import SignOutRecorder
from sophon_hub.authenticator.sessions import end_sessions

if TYPE_CHECKING:
    from sophon_hub.authenticator.proxy import TrustedProxyAuthenticator

UNPROVEN = "The sign-on system did not say who you are. Please tell the administrators of this hub."
NOT_HERE = "You are signed on, but this account may not use this hub."
WEAKER = "This account has to sign in with a second factor."
GOODBYE = "The campus sign-on may still know you. Close the browser to end that as well."


class SignOnHandler(BaseHandler):
    """The path that the web server protects: the only one where its headers count."""

    SUPPORTED_METHODS = ("GET",)
    authenticator: "TrustedProxyAuthenticator"
    may_step_up = True

    async def get(self) -> None:
        """Sign in whom the headers name, and go where the person wanted to go."""
        authenticator = self.authenticator
        try:
            assertion = authenticator.read_assertion(self.request)
            name = authenticator.name_of(assertion)
        except Refused as reason:
            self.log.warning("Refusing a sign-on: %s", reason)
            is_guest = isinstance(reason, GuestRefused)
            why = Reason.GUEST if is_guest else Reason.ASSERTION
            authenticator.note_refusal(Attempt(reason.user, why, request_ids.of_handler(self)))
            raise web.HTTPError(403, UNPROVEN) from None
        missing = authenticator.missing_factors(self, name, assertion)
        if missing and not (self.may_step_up and missing <= authenticator.step_up_factors):
            factor = Attempt(name, Reason.SECOND_FACTOR, request_ids.of_handler(self))
            authenticator.note_refusal(factor)
            raise web.HTTPError(403, WEAKER)
        self._end_session_of_another(name)
        if missing:
            wanted = {"next": self.get_argument("next", "")}
            mfa = url_path_join(authenticator.login_url(self.hub.base_url), "mfa")
            self.redirect(url_concat(mfa, wanted))
            return
        user = await self.login_user()
        if user is None:
            raise web.HTTPError(403, NOT_HERE)
        authenticator.note_session(user.name, self.get_session_cookie() or "")
        self.redirect(self.get_next_url(user))

    def _end_session_of_another(self, name: str) -> None:
        before = self.get_current_user_cookie()
        if before is not None and before.name != name:
            self.log.info("%s signs on where %s was signed in", name, before.name)
            self.clear_login_cookie()
            self._jupyterhub_user = None
            self._session_id = uuid.uuid4().hex
            self.set_session_cookie()


class StepUpHandler(SignOnHandler):
    """The same where the web server asks for a second factor."""

    may_step_up = False


class SignOutHandler(SignOutRecorder):
    """Ends hub and labs' sessions, removes the sign-on module's cookie, and goes to its page."""

    authenticator: "TrustedProxyAuthenticator"

    async def default_handle_logout(self) -> None:
        """Sign out here; copies of the cookie end, too."""
        user = self.current_user
        await super().default_handle_logout()
        if user and self.authenticator.revoke_on_logout:
            end_sessions(self.db, user)

    async def render_logout_page(self) -> None:
        """Go on to the sign-on system's own page, or to ours, which signs nobody in again."""
        authenticator = self.authenticator
        if authenticator.service_cookie:
            self.set_cookie(
                authenticator.service_cookie, "null", expires_days=-1, secure=True, httponly=True
            )
        ours = url_path_join(self.hub.base_url, authenticator.route, "logged-out")
        url = authenticator.weblogin_logout_url
        if not url:
            self.redirect(ours)
            return
        public = self.settings.get("public_url")
        origin = authenticator.hub_public_url or (public.geturl() if public else "")
        if origin:
            back = origin.rstrip("/") + "/" + ours.removeprefix(self.base_url)
            url += authenticator.logout_return.format(url=back, parameter=quote(back, safe=""))
        self.redirect(url)


class SignedOutHandler(BaseHandler):
    """Says that it is done; the link to sign in again is the person's own choice."""

    async def get(self) -> None:
        """The page."""
        html: Any = await self.render_template("logout.html", sign_on_note=GOODBYE)
        self.finish(html)
