"""Headers that keep browsers from doing what pages of ours never need, and cookies to oneself."""

import re
import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tornado.web import RequestHandler

_SCRIPT_TAG = re.compile(r"<script\b")

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        # addresses tell the names of projects and labs
        "Referrer-Policy": "same-origin",
    }
)
"""What every answer has."""

PAGE_HEADERS: Mapping[str, str] = MappingProxyType(
    # a page that opened one of ours, or was opened by it, gets no hold of its window
    {**HEADERS, "Cross-Origin-Opener-Policy": "same-origin"}
)
"""What every page has."""

API_POLICY = "default-src 'none'; frame-ancestors 'none'"


def new_nonce() -> str:
    """A random word that marks the scripts of one answer as ours."""
    return secrets.token_urlsafe(16)


def mark_scripts(source: str, nonce: str) -> str:
    """The source of a template, with a nonce in each script that it has itself."""
    return _SCRIPT_TAG.sub(f'<script nonce="{nonce}"', source)


def hub_policy(nonce: str) -> str:
    """What a page of the Hub may load: what the Hub serves, and scripts with the nonce.

    Where forms lead is left open: a sign-in ends at whatever service has asked for it.
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def page_policy(nonce: str, servers: str = "") -> str:
    """What a page of the portal may load, and where its forms may lead.

    ``servers`` matches the origins of labs: a form that opens one leads there.
    """
    return f"{hub_policy(nonce)}; form-action 'self' {servers}".rstrip()


def cookie_options(*, is_https: bool) -> dict[str, Any]:
    """How browsers are to keep cookies; ``secure`` ones go over https only."""
    return {"samesite": "Lax"} | ({"secure": True} if is_https else {})


def set_headers(handler: RequestHandler, policy: str) -> None:
    """Set the security headers of an answer."""
    handler.set_header("Content-Security-Policy", policy)
    for name, value in (HEADERS if policy == API_POLICY else PAGE_HEADERS).items():
        handler.set_header(name, value)
    handler.set_header("Cache-Control", "no-store")
