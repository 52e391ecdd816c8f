"""Headers that keep browsers from doing what pages of ours never need."""

import secrets

from tornado.web import RequestHandler


def new_nonce() -> str:
    """A random word that marks the scripts of one answer as ours."""
    return secrets.token_urlsafe(16)


def set_headers(handler: RequestHandler, nonce: str) -> None:
    """Set the security headers of an answer."""
    handler.set_header(
        "Content-Security-Policy",
        "; ".join(
            (
                "default-src 'self'",
                f"script-src 'self' 'nonce-{nonce}'",
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data:",
                "object-src 'none'",
                "base-uri 'none'",
                "form-action 'self'",
                "frame-ancestors 'none'",
            )
        ),
    )
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Referrer-Policy", "same-origin")
    handler.set_header("Cache-Control", "no-store")
