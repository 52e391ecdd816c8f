"""Assertions that the web server signs, so that the key itself is never sent.

A signature holds for one person, one request line and half a minute. It is SHA-1 with the key
at both ends, which is what Apache can compute without a module of its own; the attacks known on
SHA-1 are about making two texts of one's own collide, not about guessing a text with a key.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from sophon_hub import clock
from sophon_hub.authenticator.assertion import Refused

MAX_AGE_SECONDS = 30
"""How much older, or newer, than this machine's clock a signature may be."""

SEPARATOR = "|"
REQUEST_LINE = re.compile(r"GET [\x21-\x7e]+ HTTP/[0-9](?:\.[0-9])?")
MOMENT = re.compile(r"t=[0-9]{16}")
"""Microseconds since 1970 in UTC, as mod_headers writes ``%t``: no time zone to disagree on."""


def sign(
    key: str, fields: Sequence[str], texts: Sequence[str], moment: str, request_line: str
) -> str:
    """The signature in hexadecimal digits.

    Args:
        key: the secret shared with the web server.
        fields: user, realm and factors as they are sent; empty when they are not.
        texts: the person's own name, and groups, as they are sent. They may hold any character,
            so they are signed as base64: nothing can be moved from one part to the next.
        moment: when the web server got the request.
        request_line: what the web server was asked for.
    """
    encoded = [base64.b64encode(text.encode("latin-1")).decode() for text in texts]
    text = SEPARATOR.join([key, *fields, *encoded, moment, request_line, key])
    return hashlib.sha1(text.encode("latin-1")).hexdigest()  # noqa: S324 - see above


def require_signature(
    given: str,
    keys: Iterable[str],
    *,
    fields: Sequence[str],
    texts: Sequence[str],
    moment: str,
    request_line: str,
) -> None:
    """Refuse unless one of the keys made this signature, in the same time whatever is wrong."""
    if any(SEPARATOR in field for field in fields):
        raise Refused(f"a signed header holds {SEPARATOR!r}")
    expected = [sign(key, fields, texts, moment, request_line) for key in keys]
    if not any([hmac.compare_digest(given.encode(), one.encode()) for one in expected]):  # noqa: C419 - all are compared
        raise Refused("the signature is wrong")


def require_fresh(moment: str) -> None:
    """Refuse a signature of another time: somebody has kept it, or the clocks differ."""
    age = clock.utcnow().timestamp() - int(moment.removeprefix("t=")) / 1_000_000
    if abs(age) > MAX_AGE_SECONDS:
        raise Refused(f"the signature is {age:.0f} seconds old")


def require_own_line(request_line: str, uri: str) -> None:
    """Refuse a signature that was made for another request.

    The proxy between writes some characters of a query as ``%5C`` and the like.
    """
    _, signed_for, _ = request_line.split(" ")
    if unquote(signed_for) != unquote(uri):
        raise Refused("the signature is for another request")
