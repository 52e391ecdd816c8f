"""Messages to running labs, signed so that a lab can tell them from anybody else's.

A lab belongs to the people in it, who can read everything that is sent to it. So a message
carries no secret, only a signature over the lab's address and the time:
`sophon_lab.messages` checks it. The private key stays in the data directory.
"""

import time
from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sophon_hub.secret_files import read_or_make_secret
from sophon_hub.settings import BadSetting, Sophon

KEY_FILE = "lab-message-key"
HEADER = "Sophon-Message"


@dataclass(frozen=True)
class LabMessages:
    """Signs messages for labs; the Hub's process and the worker read the same key."""

    key: Ed25519PrivateKey

    @classmethod
    def of(cls, settings: Sophon) -> Self:
        """With this hub's key, which is made at the first use."""
        path = settings.prepare_data_dir() / KEY_FILE
        secret = read_or_make_secret(path)
        try:
            return cls(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)))
        except ValueError:
            raise BadSetting(
                f"{path} is damaged. Remove it, and start running labs again: they know its"
                " other half."
            ) from None

    @property
    def public_key(self) -> str:
        """What labs check with, as hex; no secret."""
        return self.key.public_key().public_bytes_raw().hex()

    def headers(self, path: str, body: bytes = b"") -> dict[str, str]:
        """Headers of a message to ``path``, such as ``/user/project-a/lab/sophon/flush``."""
        sent = str(int(time.time()))
        signature = self.key.sign(f"sophon-lab\n{path}\n{sent}\n".encode() + body)
        return {HEADER: f"{sent}:{signature.hex()}"}
