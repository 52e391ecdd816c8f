"""Messages from the hub to the lab: signed by the hub, so that nobody else can send them.

The signature covers the address, which names the lab, and the time. Whoever reads a message in
a lab can neither make another one nor use it elsewhere, and the key that checks is no secret.
`sophon_hub.lab_messages` signs.
"""

import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError

HEADER = "Sophon-Message"
FRESH_SECONDS = 60
"""How far the clocks may differ, and how long a message that somebody kept is taken again."""


class MessageHandler(APIHandler):
    """Base of handlers below ``<base_url>sophon/`` that take messages of the hub only.

    A message only makes the lab do what it would do by itself a little later.
    """

    _track_activity = False  # that the hub asks is no sign of anybody at work

    def initialize(self, message_key: str) -> None:
        """``message_key`` is the hub's public key as hex."""
        self._message_key = message_key

    async def prepare(self) -> None:  # type: ignore[override] # nobody is sent to a login
        """Refuse whoever is not the hub; who sends it is no user, so nothing else is asked."""
        header = self.request.headers.get(HEADER, "")
        if not is_genuine(self._message_key, header, self.request.path, self.request.body):
            raise HTTPError(403, "This is for the hub only.")

    def check_xsrf_cookie(self) -> None:
        """Not needed: no browser can make the signature."""


def signed_bytes(path: str, sent: str, body: bytes) -> bytes:
    """What the hub signs: ``path`` as requested, ``sent`` in seconds since 1970."""
    return f"sophon-lab\n{path}\n{sent}\n".encode() + body


def is_genuine(key: str, header: str, path: str, body: bytes) -> bool:
    """Whether the header ``<seconds since 1970>:<signature as hex>`` is the hub's, and fresh."""
    sent, _, signature = header.partition(":")
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(signature), signed_bytes(path, sent, body))
        return abs(time.time() - int(sent)) <= FRESH_SECONDS
    except (InvalidSignature, ValueError):
        return False
