"""Accounts with passwords kept by this hub, in Sophon's own database."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

from jupyterhub.auth import Authenticator
from sqlalchemy.exc import IntegrityError
from tornado import web
from traitlets import Int, default

from sophon_hub import names
from sophon_hub.authenticator import handlers, passwords
from sophon_hub.authenticator.attempts import Attempt, Reason
from sophon_hub.authenticator.mixin import RESERVED, SophonAuthenticatorMixin
from sophon_hub.authenticator.throttle import Throttle
from sophon_hub.clock import utcnow
from sophon_hub.errors import Conflict, FieldError, Invalid
from sophon_hub.settings import BadSetting
from sophon_hub.store import accounts, people
from sophon_hub.store.engine import reading, writing

T = TypeVar("T")

USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
MAX_DISPLAY_NAME = 200
HASHING_THREADS = 2
"""Hashing is slow on purpose; it must neither stall the Hub nor take all of the machine."""


class LocalAuthenticator(SophonAuthenticatorMixin, Authenticator):
    """Sign-in with a user name and password of this hub.

    Every account may sign in, unless the site sets ``allowed_users``. Sign-up is a setting.
    """

    allowed_failures = Int(
        10, help="Failed sign-ins under one name after which it has to wait."
    ).tag(config=True)

    pause_seconds = Int(
        300, help="Seconds for which a name has to wait after too many failed sign-ins."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pause = timedelta(seconds=self.pause_seconds)
        self.throttle = Throttle(self.allowed_failures, pause)
        self._threads = ThreadPoolExecutor(HASHING_THREADS, "passwords")

    @default("allow_all")
    def _allow_every_account(self) -> bool:
        return not self.allowed_users

    def refuse_exposed(self) -> None:
        """Refuse that anybody at all makes an account and starts labs."""
        if self.settings.open_signup and self.allow_all:
            raise BadSetting(
                "With open_signup anybody who reaches this hub could make an account and run"
                " programs. Set SOPHON_OPEN_SIGNUP=false, or name those who may sign in with"
                " c.Authenticator.allowed_users."
            )

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run slow work beside the Hub's loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """The user name when the password is right; the same answer for everything else."""
        username = self.normalize_username(data.get("username", ""))
        attempt = Attempt.current()
        if names.is_reserved_username(username):
            attempt.reason = Reason.RESERVED_NAME
            raise web.HTTPError(403, RESERVED)
        if self.throttle.is_waiting(username):
            attempt.reason = Reason.THROTTLED
            raise web.HTTPError(
                403, "Too many failed attempts under this name. Wait some minutes, then try again."
            )
        if await self.in_thread(self.check_password, username, data.get("password", "")):
            self.throttle.succeeded(username)
            return str(username)
        self.throttle.failed(username)
        return None

    def check_password(self, username: str, password: str) -> bool:
        """Whether this is the password of this account; takes as long when there is none."""
        with reading(self.engine) as session:
            account = accounts.system_find_account(session, username)
            stored = account.password_hash if account else None
        right = passwords.verify(stored, password)
        if right and stored and passwords.is_outdated(stored):
            self._store_password(username, password)
        return right

    def has_account(self, username: str) -> bool:
        """Whether somebody can sign in under this name."""
        with reading(self.engine) as session:
            return accounts.system_find_account(session, username) is not None

    def list_accounts(self) -> list[tuple[str, str]]:
        """User name and display name of every local account."""
        with reading(self.engine) as session:
            rows = accounts.system_list_accounts(session)
            known = {row.username: people.find_person(session, row.username) for row in rows}
        return [(name, person.display_name if person else name) for name, person in known.items()]

    def create_account(self, username: str, password: str, display_name: str = "") -> str:
        """Make an account and the person's record; `Invalid` or `Conflict` when it cannot be."""
        username = self.normalize_username(username.strip())
        display_name = " ".join(display_name.split())
        check_new_account(username, password, display_name)
        hashed, now = passwords.hash_password(password), utcnow()
        try:
            with writing(self.engine) as session:
                accounts.system_add_account(session, username, hashed, now=now)
                people.system_upsert_person(
                    session,
                    username,
                    display_name or None,
                    is_admin=username in self.admin_users,
                    now=now,
                )
        except IntegrityError:
            raise Conflict("This user name is taken.") from None
        return str(username)

    def set_password(self, username: str, password: str) -> None:
        """Replace the password of an account."""
        if problem := passwords.problem(password, username):
            raise Invalid.of("password", problem)
        if not self._store_password(username, password):
            raise Conflict(f"{username} has no password at this hub.")
        self.throttle.succeeded(username)

    def _store_password(self, username: str, password: str) -> bool:
        hashed = passwords.hash_password(password)
        with writing(self.engine) as session:
            return accounts.system_set_password(session, username, hashed, now=utcnow())

    async def delete_user(self, user: Any) -> None:
        """Hook of the Hub: the account goes with the hub user."""

        def delete() -> None:
            with writing(self.engine) as session:
                accounts.system_delete_account(session, user.name)

        await self.in_database(delete)
        await super().delete_user(user)

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Pages for signing up, for one's own password, and for the administrators."""
        return [
            *super().get_handlers(app),
            ("/signup", handlers.SignUpHandler),
            ("/change-password", handlers.ChangePasswordHandler),
            ("/accounts", handlers.AccountsHandler),
        ]


def check_new_account(username: str, password: str, display_name: str) -> None:
    """Raise `Invalid` with everything that is wrong with the fields of a new account."""
    errors = []
    if names.is_reserved_username(username):
        errors.append(FieldError("username", RESERVED))
    elif not USERNAME.fullmatch(username):
        errors.append(
            FieldError(
                "username",
                "Use 1 to 64 small letters a to z, digits, dots, hyphens and underscores,"
                " with a letter or digit at both ends.",
            )
        )
    if problem := passwords.problem(password, username):
        errors.append(FieldError("password", problem))
    if len(display_name) > MAX_DISPLAY_NAME or not display_name.isprintable():
        errors.append(
            FieldError("display_name", f"Use at most {MAX_DISPLAY_NAME} printable characters.")
        )
    if errors:
        raise Invalid(errors)
