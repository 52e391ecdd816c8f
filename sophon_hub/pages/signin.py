"""Signing in through the Hub, and addresses where nothing is."""

from typing import Any

from jupyterhub.services.auth import HubOAuthCallbackHandler
from jupyterhub.utils import url_path_join

from sophon_hub.errors import SophonError
from sophon_hub.pages.base import PageHandler
from sophon_hub.web.identity import GUEST


class LoginPage(PageHandler):
    """Sign in, then come back to the page where one was."""

    async def get(self) -> None:
        """Go to the Hub as a guest; come back signed in."""
        if await self.caller() == GUEST:
            self.send_to(self.sign_in_address())
            return
        self.send_to(self._next())

    def _next(self) -> str:
        """The page to come back to; only pages of the portal."""
        wanted = self.one_argument("next")
        inside = wanted.startswith(self.portal.prefix) and "\\" not in wanted
        return wanted if inside and wanted.isprintable() else self.portal.prefix


class LogoutPage(PageHandler):
    """Sign out of the portal, then of the Hub; who left is a guest and not asked to come back."""

    async def prepare(self) -> None:
        """Recognise nobody."""
        self._caller = GUEST

    async def get(self) -> None:
        """Forget the session and go to the Hub."""
        self.hub_auth.clear_cookie(self)
        self.send_to(url_path_join(self.portal.hub_prefix, "logout"))


class OAuthCallback(PageHandler, HubOAuthCallbackHandler):
    """Where the Hub sends people back to; JupyterHub's code does the work."""

    async def prepare(self) -> None:
        """Remember whether somebody is signed in already, and redirect nobody."""
        try:
            await self.caller()
        except SophonError:
            self._caller = GUEST

    async def get(self) -> None:
        """Finish the sign-in."""
        await HubOAuthCallbackHandler.get(self)

    def answer_problem(self, error: BaseException | None, document: dict[str, Any]) -> None:
        """Say that it did not work, and offer to try again."""
        if document["status"] in {400, 403}:
            document["detail"] = "Signing in was not finished. Please try again."
        super().answer_problem(error, document)


class NothingHere(PageHandler):
    """Every address that is none: the same page as for what may not be seen."""

    async def get(self, *_: str) -> None:
        """Answer 404, but forgive a missing or superfluous slash at the end."""
        path = self.request.path
        if path + "/" == self.portal.prefix:
            self.send_to(self.portal.prefix)
        elif path.startswith(self.portal.prefix) and path.endswith("/") and "//" not in path:
            self.send_to(path.rstrip("/"))
        else:
            self.send_error(404)

    async def post(self, *_: str) -> None:
        """Answer 404."""
        self.send_error(404)

    put = patch = delete = post
