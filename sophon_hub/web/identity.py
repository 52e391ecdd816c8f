"""Who asks: a token in the header, the portal's session cookie, or a guest.

Credentials that do not hold are an error, never silently a guest. Tokens in headers are asked
for at the Hub every time, so that an expired or revoked one ends at once; sessions are cached
for a few seconds, and signing out changes the session id, which is part of the cache's key.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from jupyterhub.services.auth import HubOAuth
from tornado.web import HTTPError, RequestHandler

from sophon_hub import names
from sophon_hub.errors import Forbidden, Unauthenticated, Unavailable

_AUTHORIZATION = re.compile(r"(?:token|bearer)\s+(\S+)\s*", re.IGNORECASE)
UPSTREAM_FAILURE = 500


@dataclass(frozen=True)
class Caller:
    """Whom the Hub says the credentials belong to; ``username`` None for a guest."""

    username: str | None = None
    display_name: str | None = None
    is_admin: bool = False
    by_token: bool = False
    scopes: frozenset[str] = frozenset()


GUEST = Caller()


async def identify(handler: RequestHandler, hub_auth: HubOAuth, kinds: AbstractSet[str]) -> Caller:
    """Find out who asks; ``kinds`` are those of the Hub that may: ``user``, ``service``.

    Raises:
        Unauthenticated: the credentials are wrong, expired or revoked.
        Forbidden: the credentials are not for this service, or the XSRF token is missing.
        Unavailable: the Hub cannot be asked.
    """
    header = handler.request.headers.get("Authorization")
    try:
        if header is not None:
            return await _by_header(header, hub_auth, kinds)
        return await _by_cookie(handler, hub_auth, kinds)
    except HTTPError as error:
        if error.status_code < UPSTREAM_FAILURE:
            raise
        raise Unavailable("The hub does not answer; please try again.") from error


async def _by_header(header: str, hub_auth: HubOAuth, kinds: AbstractSet[str]) -> Caller:
    match = _AUTHORIZATION.fullmatch(header)
    user = None
    if match and match[1].isascii():
        user = await hub_auth.user_for_token(match[1], use_cache=False, sync=False)
    if user is None:
        raise Unauthenticated("This token is wrong, expired or revoked.")
    return _caller(user, hub_auth, kinds, by_token=True)


async def _by_cookie(
    handler: RequestHandler, hub_auth: HubOAuth, kinds: AbstractSet[str]
) -> Caller:
    token = hub_auth.get_token(handler, in_cookie=True)
    if not token:
        return GUEST
    try:
        handler.check_xsrf_cookie()
    except HTTPError:
        raise Forbidden(
            "The X-XSRFToken header is missing or does not belong to this session; reload the page."
        ) from None
    session_id = hub_auth.get_session_id(handler)
    user = await hub_auth.user_for_token(token, session_id=session_id, sync=False)
    if user is None:
        hub_auth.clear_cookie(handler)
        raise Unauthenticated("Your session has ended; sign in again.")
    return _caller(user, hub_auth, kinds, by_token=False)


def _caller(
    user: dict[str, Any], hub_auth: HubOAuth, kinds: AbstractSet[str], *, by_token: bool
) -> Caller:
    if not hub_auth.check_scopes(hub_auth.access_scopes, user):
        raise Forbidden(
            "This token may not be used here: it lacks the scope access:services!service=sophon."
        )
    if user.get("kind") not in kinds or names.is_reserved_username(user["name"]):
        raise Forbidden("Only people use the portal; this token belongs to a service or a lab.")
    info = user.get("user_info") or {}
    return Caller(
        username=user["name"],
        display_name=info.get("display_name") or info.get("name"),
        is_admin=bool(user.get("admin")),
        by_token=by_token,
        scopes=frozenset(user.get("scopes") or ()),
    )
