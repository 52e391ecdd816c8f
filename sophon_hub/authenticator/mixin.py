"""What holds for every way of signing in: reserved names, research groups, the audit trail."""

import asyncio
from collections.abc import Callable, Collection
from functools import cached_property, partial
from importlib.metadata import entry_points
from typing import Any, TypeVar
from urllib.parse import urlsplit

from jupyterhub.app import JupyterHub
from jupyterhub.auth import Authenticator
from jupyterhub.handlers.login import LoginHandler, LogoutHandler
from jupyterhub.utils import maybe_future
from sqlalchemy import Engine
from tornado import web
from traitlets import Dict, TraitError, validate
from traitlets.config import LoggingConfigurable
from traitlets.utils.importstring import import_item

from sophon_hub import names, request_ids, safety
from sophon_hub.authenticator.attempts import Attempt, Reason
from sophon_hub.authenticator.records import SignInRecords
from sophon_hub.authenticator.renames import follow_renames
from sophon_hub.authenticator.research_groups import check_mapping, research_groups_of
from sophon_hub.authenticator.user_info import user_info
from sophon_hub.authenticator.visits import HANDLERS as VISIT_HANDLERS
from sophon_hub.errors import SophonError
from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.store.engine import make_engine

T = TypeVar("T")

SIGN_OUT = "/logout"
UPSTREAM_FAILURE = 500
RESERVED = "Names that begin with project- or tmp- belong to the hub; nobody can sign in with one."


class SophonLoginHandler(LoginHandler):
    """The Hub's login form, which also survives requests that no form sends."""

    async def post(self) -> None:
        """Refuse a request without a user name, on which JupyterHub 6.1 fails with a 500."""
        if "username" not in self.request.body_arguments:
            raise web.HTTPError(400, "Type your user name and password.")
        await super().post()


class SignOutRecorder(LogoutHandler):
    """Goes before any handler of signing out: writes down who did."""

    authenticator: "SophonAuthenticatorMixin"
    _is_recorded = False

    async def default_handle_logout(self) -> None:
        """Sign out, then write it down; once, though some handlers call this twice."""
        user = self.current_user
        await super().default_handle_logout()
        if user and not self._is_recorded:
            self._is_recorded = True
            request_id = request_ids.of_handler(self)
            signed_out = self.authenticator.records.signed_out
            await self.authenticator.in_database(signed_out, user.name, request_id)


class SophonAuthenticatorMixin(LoggingConfigurable):
    """Goes before any authenticator: ``class Ours(SophonAuthenticatorMixin, Theirs)``."""

    research_groups = Dict(
        help="""Groups of the sign-on system and what they mean here: the slug of a research group,
        or ``{"group": slug, "role": "viewer", "member" or "owner"}``. Who is in such a group at a
        sign-in belongs to the research group; who is not any more does not, unless people here
        decided it. Works without ``manage_groups``."""
    ).tag(config=True)

    @validate("research_groups")
    def _good_research_groups(self, proposal: dict[str, Any]) -> dict[str, Any]:
        check_mapping(proposal["value"])
        return dict(proposal["value"])

    def __init__(self, **kwargs: Any) -> None:
        try:
            super().__init__(**kwargs)
        except TraitError as error:
            if kwargs.get("parent") is None:
                raise
            # the Hub that starts would print where in its own source this was noticed
            raise SystemExit(f"sophon-hub: {error}") from None
        self._recording: set[asyncio.Task[None]] = set()
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

    @cached_property
    def records(self) -> SignInRecords:
        """What sign-ins leave in the database."""
        return SignInRecords(self.engine, type(self).__name__)

    async def get_authenticated_user(self, handler: Any, data: Any) -> dict[str, Any] | None:
        """Let the authenticator decide, refuse reserved names, and put on record what came of it.

        The Hub says not to override this. It is overridden because it is the only place that
        sees the final name, after normalisation, name maps and hooks of any authenticator.
        """
        attempt = Attempt.begin(data, request_ids.of_handler(handler))
        try:
            model: dict[str, Any] | None = await super().get_authenticated_user(  # type: ignore[misc]
                handler, data
            )
            if model is not None:
                self._refuse_reserved(model["name"])
        except web.HTTPError as error:
            if error.status_code < UPSTREAM_FAILURE:
                self.note_refusal(attempt)
            raise
        if model is None:
            self.note_refusal(attempt)
            return None
        user = handler.find_user(model["name"])
        claimed = await self.claimed_groups(model)
        accepted = partial(self.records.accepted, request_id=attempt.request_id)
        display_name = await self._on_record(model, user, claimed, accepted)
        return with_name(keep_our_groups(model, user), display_name)

    def _refuse_reserved(self, name: str) -> None:
        if names.is_reserved_username(name):
            self.log.warning("Refusing a sign-in under the reserved name %r", name)
            Attempt.current().reason = Reason.RESERVED_NAME
            raise web.HTTPError(403, RESERVED)

    async def check_blocked_users(self, username: str, authentication: Any = None) -> bool:
        """Hook of the Hub, the first that is told the name: note it, and what would be wrong."""
        attempt = Attempt.current()
        attempt.name, attempt.reason = username, Reason.BLOCKED
        passed = bool(await maybe_future(super().check_blocked_users(username, authentication)))  # type: ignore[misc]
        if passed:
            attempt.reason = Reason.NOT_ALLOWED
        return passed

    async def refresh_user(self, user: Any, handler: Any = None, **options: Any) -> Any:
        """Let the authenticator refresh what it knows, research groups it claims included."""
        model = await maybe_future(super().refresh_user(user, handler, **options))  # type: ignore[misc]
        if not isinstance(model, dict):
            return model
        claimed = await self.claimed_groups(model)
        claims_anything = claimed is not None and bool(self.research_groups)
        if not claims_anything and not model.get("user_info"):
            return keep_our_groups(model, user)
        model["name"] = user.name
        display_name = await self._on_record(model, user, claimed, self.records.refreshed)
        model = keep_our_groups(model, user)
        # the Hub keeps the info it has when there is none
        return with_name(model, display_name) if model.get("user_info") else model

    async def claimed_groups(self, model: dict[str, Any]) -> Collection[str] | None:
        """The person's groups in the sign-on system; None when it says nothing of groups."""
        groups: Collection[str] | None = model.get("groups")
        return groups

    async def _on_record(
        self,
        model: dict[str, Any],
        user: Any,
        claimed: Collection[str] | None,
        record: Callable[..., str],
    ) -> str:
        """Write down who it is and what is claimed; gives the name to show."""
        given = (model.get("user_info") or {}).get("display_name") or None
        admin = model.get("admin")
        is_admin = bool(user and user.admin) if admin is None else bool(admin)
        # without a mapping nothing can be claimed, and what was claimed is taken back
        silent = claimed is None and bool(self.research_groups)
        wanted = None if silent else research_groups_of(self.research_groups, claimed or ())
        return await self.in_database(
            lambda: record(model["name"], given, wanted, admin=is_admin),
        )

    async def in_database(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run work of the database beside the Hub's loop; ask to try again if it is too busy."""
        try:
            return await asyncio.to_thread(work, *arguments)
        except SophonError as error:
            raise web.HTTPError(503, error.detail) from None

    def note_refusal(self, attempt: Attempt) -> None:
        """Put a refusal on record, without the answer waiting for it.

        Else a stopwatch could tell names of people, which leave more to write, from others.
        """
        if attempt.name is not None:
            attempt.name = self.normalize_username(attempt.name)  # type: ignore[attr-defined]
        task = asyncio.create_task(self._record_refusal(attempt))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)

    async def _record_refusal(self, attempt: Attempt) -> None:
        try:
            await asyncio.to_thread(self.records.refused, attempt)
        except SophonError as error:
            self.log.warning("A refused sign-in is not in the audit trail: %s", error)

    async def delete_user(self, user: Any) -> None:
        """Hook of the Hub, before an account is removed: what it held is not inherited by name."""
        if not names.is_reserved_username(user.name):
            await self.in_database(self.records.gone, user.name)
        await maybe_future(super().delete_user(user))  # type: ignore[misc]

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
        """The authenticator's own handlers, with our login form, sign-outs on record, visitors."""
        follow_renames(self.records)
        handlers: list[tuple[Any, ...]] = super().get_handlers(app)  # type: ignore[misc]
        if not any(path == SIGN_OUT for path, *_ in handlers):
            handlers = [*handlers, (SIGN_OUT, LogoutHandler)]
        ours = [(path, _ours(handler), *rest) for path, handler, *rest in handlers]
        return [*ours, *VISIT_HANDLERS]


def _ours(handler: Any) -> Any:
    """The handler, or what stands in its place."""
    if handler is LoginHandler:
        return SophonLoginHandler
    is_class = isinstance(handler, type)  # else a name that Tornado imports
    if is_class and issubclass(handler, LogoutHandler) and not issubclass(handler, SignOutRecorder):
        return type(
            handler.__name__, (SignOutRecorder, handler), {"__module__": handler.__module__}
        )
    return handler


def with_name(model: dict[str, Any], display_name: str) -> dict[str, Any]:
    """The model with what labs show of the person."""
    info = user_info(model["name"], display_name)
    return {**model, "user_info": {**(model.get("user_info") or {}), **info}}


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
    ours = (names.ALL_ACCOUNTS_GROUP, names.TEMPORARY_GROUP)
    of_group = names.group_of_hub_group(name) is not None
    return name in ours or of_group or names.is_lock_group(name)


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
