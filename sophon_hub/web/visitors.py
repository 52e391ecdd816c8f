"""Visitors without an account: where they come from, how often they ask, and their cookie."""

import ipaddress
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from jupyterhub.utils import get_browser_protocol, url_path_join

from sophon_hub import names
from sophon_hub.errors import TooMany
from sophon_hub.settings.temporary import Network, parse_networks

if TYPE_CHECKING:
    from sophon_hub.settings import Sophon
    from sophon_hub.web.handlers import BaseHandler

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

WINDOW_SECONDS = 600
REMEMBERED = 10_000
IPV6_PREFIX = 64
"""One customer of a network has so many bits of IPv6 addresses, and can use any of them."""

SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
AUTHORIZE = "api/oauth2/authorize"


class ClaimBuckets:
    """How many temporary labs an address may still ask for: a bucket that fills up slowly.

    Kept in memory; a restart forgets it, which gives nobody more than one bucket.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, size: int) -> None:
        """Take one out of the bucket of this address, which holds ``size`` when it is full.

        Raises:
            TooMany: the bucket is empty.
        """
        now, rate = self._now(), size / WINDOW_SECONDS
        left, since = self._buckets.get(key, (float(size), now))
        left = min(float(size), left + (now - since) * rate)
        if left < 1:
            wait = int((1 - left) / rate) + 1
            minutes = -(-wait // 60)
            raise TooMany(
                "From your address too many temporary labs were asked for; try again in"
                f" {minutes} minute{'s' if minutes > 1 else ''}, or sign in.",
                retry_after=wait,
            )
        self._buckets[key] = (left - 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)


def take_claim(handler: "BaseHandler") -> None:
    """Count one claim of the address that the request comes from.

    Raises:
        TooMany: it has asked too often.
    """
    settings = handler.portal.settings
    forwarded = handler.request.headers.get("X-Forwarded-For", "")
    key, size = bucket_of(forwarded, settings)
    handler.portal.claims.take(key, size)


def bucket_of(forwarded: str, settings: "Sophon") -> tuple[str, int]:
    """The name and size of the bucket of a request.

    The hub's proxy puts the address it was called from at the end of ``forwarded``. If that is a
    web server in front of the hub, what that one wrote before it counts, and so on; the first
    address that is no such server is the visitor's. Everything before it anybody can make up.
    """
    trusted = parse_networks(settings.trusted_proxies)
    address: Address | None = None
    for part in reversed(forwarded.split(",")):
        try:
            address = _address(part.strip())
        except ValueError:
            break
        if not _is_in(address, trusted):
            break
    if address is None:
        return "unknown", settings.temporary_claims
    is_campus = _is_in(address, parse_networks(settings.campus_networks))
    size = settings.campus_claims if is_campus else settings.temporary_claims
    if address.version == 6 and not is_campus:
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False)), size
    return str(address), size


def _address(text: str) -> Address:
    address = ipaddress.ip_address(text)
    # what listens for both kinds writes the older one like this
    return (address.version == 6 and address.ipv4_mapped) or address


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def visit_secret(handler: "BaseHandler") -> str | None:
    """The secret of this browser; None when it has none, or something else in its place."""
    found = handler.get_cookie(names.VISIT_COOKIE) or ""
    return found if SECRET.fullmatch(found) else None


def new_visit_secret() -> str:
    """A secret for a browser; nobody can guess it."""
    return secrets.token_urlsafe(32)


def keep_visit(handler: "BaseHandler", secret: str) -> None:
    """Have the browser show the secret to this portal, and where the Hub lets visitors in.

    Not anywhere else: labs, whose programs see the cookies they are sent, never get it.
    """
    days = handler.portal.settings.temporary_max_minutes / (24 * 60)
    for name, path in _cookies(handler):
        handler.set_cookie(
            name,
            secret,
            expires_days=days,
            path=path,
            httponly=True,
            samesite="Lax",
            secure=get_browser_protocol(handler.request) == "https",
        )


def forget_visit(handler: "BaseHandler") -> None:
    """Take the secret from the browser."""
    for name, path in _cookies(handler):
        handler.clear_cookie(name, path=path)


def _cookies(handler: "BaseHandler") -> tuple[tuple[str, str], tuple[str, str]]:
    portal = handler.portal
    entry = str(url_path_join(portal.hub_prefix, AUTHORIZE))
    return (names.VISIT_COOKIE, portal.prefix), (names.ENTRY_COOKIE, entry)
