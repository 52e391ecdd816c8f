"""What holds for every way of signing in: reserved names, real names, no 500 at the login form."""

import asyncio
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.app import JupyterHub
from jupyterhub.auth import Authenticator
from jupyterhub.handlers.login import LoginHandler
from jupyterhub.utils import maybe_future
from sqlalchemy import Engine
from tornado import web
from traitlets.config import LoggingConfigurable
from traitlets.utils.importstring import import_item

from sophon_hub import names, safety
from sophon_hub.authenticator.user_info import user_info
from sophon_hub.clock import utcnow
from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.store import people
from sophon_hub.store.engine import make_engine, reading, writing

RESERVED = "Names that begin with project- or tmp- belong to the hub; nobody can sign in with one."


class SophonLoginHandler(LoginHandler):
    """The Hub's login form, which also survives requests that no form sends."""

    async def post(self) -> None:
        """Refuse a request without a user name, on which JupyterHub 6.1 fails with a 500."""
        if "username" not in self.request.body_arguments:
            raise web.HTTPError(400, "Type your user name and password.")
        await super().post()


class SophonAuthenticatorMixin(LoggingConfigurable):
    """Goes before any authenticator: ``class Ours(SophonAuthenticatorMixin, Theirs)``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # the Hub makes it when all configuration is read, before it keeps any token
        if isinstance(self.parent, JupyterHub):
            self._refuse_unsafe(self.parent)

    @cached_property
    def settings(self) -> Sophon:
        """Sophon's settings, as `configure` left them in the configuration."""
        return Sophon(config=self.config)

    @cached_property
    def engine(self) -> Engine:
        """Sophon's own database."""
        return make_engine(self.settings.database_url)

    async def get_authenticated_user(self, handler: Any, data: Any) -> dict[str, Any] | None:
        """Let the authenticator decide, then refuse reserved names and add the person's name.

        The Hub says not to override this. It is overridden because it is the only place that
        sees the final name, after normalisation, name maps and hooks of any authenticator.
        """
        model: dict[str, Any] | None = await super().get_authenticated_user(  # type: ignore[misc]
            handler, data
        )
        if model is None:
            return None
        if names.is_reserved_username(model["name"]):
            self.log.warning("Refusing a sign-in under the reserved name %r", model["name"])
            raise web.HTTPError(403, RESERVED)
        user = handler.find_user(model["name"])
        return await self._with_name(keep_our_groups(model, user), user)

    async def refresh_user(self, user: Any, handler: Any = None, **options: Any) -> Any:
        """Let the authenticator refresh what it knows; research groups stay what they are."""
        model = await maybe_future(super().refresh_user(user, handler, **options))  # type: ignore[misc]
        if not isinstance(model, dict):
            return model
        model = keep_our_groups(model, user)
        return await self._with_name(model, user) if model.get("user_info") else model

    async def _with_name(self, model: dict[str, Any], user: Any) -> dict[str, Any]:
        """Add what labs show of the person."""
        theirs = model.get("user_info") or {}
        if given := theirs.get("display_name"):
            admin = model.get("admin")
            is_admin = bool(user and user.admin) if admin is None else admin
            await asyncio.to_thread(self._note_person, model["name"], given, is_admin=is_admin)
        display_name = await asyncio.to_thread(self._display_name, model["name"])
        display_name = display_name or model["name"]
        return {**model, "user_info": {**theirs, **user_info(model["name"], display_name)}}

    def _note_person(self, username: str, display_name: str, *, is_admin: bool) -> None:
        """Put the name that a sign-on system gives on record; it knows it best."""
        with writing(self.engine) as session:
            people.system_upsert_person(
                session, username, display_name, is_admin=is_admin, now=utcnow()
            )

    def _display_name(self, username: str) -> str | None:
        with reading(self.engine) as session:
            person = people.find_person(session, username)
        return None if person is None else person.display_name

    def refuse_exposed(self) -> None:
        """Refuse, with `BadSetting`, what is unsafe for this authenticator beyond loopback."""

    def _refuse_unsafe(self, app: JupyterHub) -> None:
        """End a start that would be unsafe; lines below the call of `configure` count, too."""
        host = urlsplit(app.bind_url).hostname or ""
        try:
            safety.refuse_unsafe(self.settings, app.config, host)
            if safety.is_exposed(self.settings, app.config, host):
                self.refuse_exposed()
        except BadSetting as error:
            raise SystemExit(f"sophon-hub: {error.detail}") from None

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """The authenticator's own handlers, with our login form in place of the Hub's."""
        handlers: list[tuple[Any, ...]] = super().get_handlers(app)  # type: ignore[misc]
        return [
            (path, SophonLoginHandler if handler is LoginHandler else handler, *rest)
            for path, handler, *rest in handlers
        ]


def keep_our_groups(model: dict[str, Any], user: Any) -> dict[str, Any]:
    """Keep the hub groups of Sophon out of the hands of a system that manages groups.

    Where the authenticator names the groups of a person, the Hub throws the person out of all
    others at every sign-in; and who could name a group of ours would open its labs.
    """
    if model.get("groups") is None:
        return model
    theirs = [name for name in model["groups"] if not is_our_group(name)]
    ours = [group.name for group in user.groups if is_our_group(group.name)] if user else []
    return {**model, "groups": theirs + ours}


def is_our_group(name: str) -> bool:
    """Whether Sophon, and nobody else, decides who is in this hub group."""
    return name == names.ALL_ACCOUNTS_GROUP or names.group_of_hub_group(name) is not None


def make_authenticator(base: str | type[Authenticator]) -> type[Authenticator]:
    """The authenticator with this entry point, class path or class, with our rules before it."""
    found = _find(base) if isinstance(base, str) else base
    if issubclass(found, SophonAuthenticatorMixin):
        return found
    # the module and name decide under which name a site configures it, so they stay
    return type(
        found.__name__,
        (SophonAuthenticatorMixin, found),
        {"__module__": found.__module__, "__doc__": found.__doc__},
    )


def _find(name: str) -> type[Authenticator]:
    registered = entry_points(group="jupyterhub.authenticators", name=name)
    try:
        found = next(iter(registered)).load() if registered else import_item(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadSetting(f"authenticator is {name!r}, which cannot be loaded: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Authenticator)):
        raise BadSetting(f"authenticator is {name!r}, which is not a JupyterHub authenticator.")
    return found
