"""Hub pages of local accounts: sign up, change the password, and the administrators' list."""

from typing import TYPE_CHECKING, Any

from jupyterhub.handlers import BaseHandler
from jupyterhub.roles import assign_default_roles
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import maybe_future
from tornado import web

from sophon_hub.authenticator import passwords
from sophon_hub.authenticator.sessions import end_sessions
from sophon_hub.errors import SophonError

if TYPE_CHECKING:
    from sophon_hub.authenticator.local import LocalAuthenticator

NOT_NAMED = "The administrators have not named you as somebody who may have an account here."
MISMATCH = "The two new passwords differ; type the same one twice."


class AccountHandler(BaseHandler):
    """Base: fields that are missing are empty, and answers are pages."""

    authenticator: "LocalAuthenticator"

    def field(self, name: str, *, strip: bool = True) -> str:
        """A field of the form; passwords are taken as they are typed."""
        return str(self.get_body_argument(name, "", strip=strip))

    async def show(self, template: str, status: int = 200, **values: Any) -> None:
        """Answer with a page."""
        self.set_status(status)
        self.finish(await self.render_template(template, **values))


class SignUpHandler(AccountHandler):
    """Anyone makes an account for themselves, where the site allows it."""

    def prepare(self) -> Any:
        """The page does not exist unless sign-up is open."""
        if not self.authenticator.settings.open_signup:
            raise web.HTTPError(404)
        return super().prepare()

    async def get(self) -> None:
        """The empty form."""
        await self.show("signup.html")

    async def post(self) -> None:
        """Make the account, or show the form again with what is wrong."""
        username = self.field("username")
        password = self.field("password", strip=False)
        values = {"username": username, "display_name": self.field("display_name")}
        if password != self.field("confirmation", strip=False):
            await self.show("signup.html", 422, problem=MISMATCH, **values)
            return
        name = self.authenticator.normalize_username(username)
        # an account that cannot sign in would be let in at the next start, as one that exists
        if not await maybe_future(self.authenticator.check_allowed(name, None)):
            await self.show("signup.html", 403, problem=NOT_NAMED, **values)
            return
        user = self.find_user(name)
        # a hub user without a local account is somebody from another sign-on system; but the Hub
        # makes users of those who are named before they ever sign in
        if user and (self.authenticator.allow_all or user.last_activity):
            await self.show("signup.html", 409, problem="This user name is taken.", **values)
            return
        try:
            await self.authenticator.in_thread(
                self.authenticator.create_account, username, password, values["display_name"]
            )
        except SophonError as error:
            await self.show("signup.html", 422, problem=error.detail, **values)
            return
        user = await self.login_user({"username": username, "password": password})
        self.redirect(self.get_next_url(user) if user else self.settings["login_url"])


class ChangePasswordHandler(AccountHandler):
    """People change their own password."""

    async def _page(self, status: int = 200, **values: Any) -> None:
        has_account = await self.authenticator.in_thread(
            self.authenticator.has_account, self.current_user.name
        )
        await self.show("change-password.html", status, has_account=has_account, **values)

    @web.authenticated
    async def get(self) -> None:
        """The empty form."""
        await self._page()

    @web.authenticated
    async def post(self) -> None:
        """Change it, and end the sessions that were opened with the old one."""
        authenticator, user = self.authenticator, self.current_user
        new = self.field("new_password", strip=False)
        if new != self.field("confirmation", strip=False):
            await self._page(422, problem=MISMATCH)
            return
        if authenticator.throttle.is_waiting(user.name):
            await self._page(429, problem="Too many failed attempts. Try again in some minutes.")
            return
        old = self.field("old_password", strip=False)
        if not await authenticator.in_thread(authenticator.check_password, user.name, old):
            authenticator.throttle.failed(user.name)
            await self._page(403, problem="The current password is wrong.")
            return
        try:
            await authenticator.in_thread(authenticator.set_password, user.name, new)
        except SophonError as error:
            await self._page(422, problem=error.detail)
            return
        end_sessions(self.db, user, but=self.get_session_cookie())
        self.set_login_cookie(user)
        await self._page(done="Your password is changed. Other browsers have to sign in again.")


class AccountsHandler(AccountHandler):
    """Administrators make accounts and set new passwords; the Hub's own page deletes them."""

    async def _page(self, status: int = 200, **values: Any) -> None:
        rows = await self.authenticator.in_thread(self.authenticator.list_accounts)
        await self.show("accounts.html", status, accounts=rows, **values)

    @web.authenticated
    @needs_scope("admin:users")
    async def get(self) -> None:
        """All accounts, and the form for another one."""
        await self._page()

    @needs_scope("admin:users")
    async def post(self) -> None:
        """Make an account or a new password; the generated password is shown once."""
        password = passwords.generate()
        username = self.field("username")
        try:
            if self.field("action") == "reset":
                await self.authenticator.in_thread(
                    self.authenticator.set_password, username, password
                )
                end_sessions(self.db, self.find_user(username))
            else:
                username = await self.authenticator.in_thread(
                    self.authenticator.create_account,
                    username,
                    password,
                    self.field("display_name"),
                )
                await self._make_hub_user(username)
        except SophonError as error:
            await self._page(422, problem=error.detail)
            return
        self.log.info("%s made a password for %s", self.current_user.name, username)
        await self._page(username=username, password=password)

    async def _make_hub_user(self, username: str) -> None:
        """Let others find the person, and give them roles, before the first sign-in."""
        if self.find_user(username) is None:
            user = self.user_from_username(username)
            assign_default_roles(self.db, entity=user)
            await maybe_future(self.authenticator.add_user(user))
            self.db.commit()
