"""The Hub's page to which an OAuth provider sends people back."""

from typing import Any

from oauthenticator.oauth2 import OAuthCallbackHandler
from tornado import web
from tornado.httputil import url_concat

EXPIRED = "The sign-in was not finished in time, or not in the browser that began it."
DENIED = "The sign-on system did not sign you in, or you did not agree to it."
REFUSED = "The sign-on system refused the sign-in. Please tell the administrators of this hub."


class CallbackHandler(OAuthCallbackHandler):
    """OAuthenticator's, with a page for every way in which a sign-in can fail."""

    def check_error(self) -> None:
        """Say what happened in our words: anybody can write an address with others."""
        error = self.get_argument("error", "")
        if error:
            self.log.warning("The sign-on system refused a sign-in: %r", error)
            raise web.HTTPError(403, DENIED if error == "access_denied" else REFUSED)

    def check_state(self) -> None:
        """Refuse what this browser did not ask for, and what is no state at all."""
        try:
            super().check_state()
        except (web.HTTPError, ValueError, AttributeError):
            raise web.HTTPError(403, EXPIRED) from None

    async def get(self) -> None:
        """Sign in, or say why not."""
        try:
            await super().get()
        except web.HTTPError as reason:
            self.set_status(reason.status_code)
            again = url_concat(self.settings["login_url"], {"next": self.get_next_url()})
            html: Any = await self.render_template(
                "sign-in-failed.html", reason=reason.get_message(), again=again
            )
            self.finish(html)
