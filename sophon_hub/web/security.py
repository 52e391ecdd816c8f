"""Headers that keep browsers from doing what pages of ours never need."""

import secrets

from tornado.web import RequestHandler


def new_nonce() -> str:
    """A random word that marks the scripts of one answer as ours."""
    return secrets.token_urlsafe(16)


API_POLICY = "default-src 'none'; frame-ancestors 'none'"


def page_policy(nonce: str, servers: str = "") -> str:
    """What a page may load: what this portal serves, and scripts with the nonce.

    ``servers`` matches the origins of labs: a form that opens one leads there.
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            f"form-action 'self' {servers}".rstrip(),
            "frame-ancestors 'none'",
        )
    )


def set_headers(handler: RequestHandler, policy: str) -> None:
    """Set the security headers of an answer."""
    handler.set_header("Content-Security-Policy", policy)
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Referrer-Policy", "same-origin")
    handler.set_header("Cache-Control", "no-store")
