"""Secrets that are made once and kept in files nobody else can read."""

import os
import secrets
from pathlib import Path

from sophon_hub.settings import BadSetting

SECRET_BYTES = 32
"""As hex 64 characters: the longest token that the Hub accepts for a service."""


MINIMUM_SECRET = 32
"""Characters of a secret that somebody else has chosen."""


def others_reach(path: Path, mask: int = 0o077) -> bool:
    """Whether the file's mode has any bit of ``mask``, and its directories let others come by."""
    try:
        mode = path.stat().st_mode
    except OSError:  # not there; or somewhere that not even the hub's user may look
        return False
    # not resolved by name only: a link leads through the directories of what it points to
    doors = [folder.stat().st_mode & 0o011 for folder in path.resolve().parents]
    return bool(mode & mask) and all(doors)


def require_private(path: Path) -> None:
    """Refuse a file that others on this machine can read or change."""
    if path.stat().st_mode & 0o077:
        raise BadSetting(
            f"{path} holds secrets, but others can read it. If nobody has, run: chmod 600 {path};"
            " otherwise replace what is in it."
        )


def write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read; fails when there is one already."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_or_make_secret(path: Path) -> str:
    """The secret in this file; a new random one when there is no file yet."""
    try:
        write_secret(path, secrets.token_hex(SECRET_BYTES))
    except FileExistsError:
        require_private(path)
    text = path.read_text().strip()
    if not text:
        raise BadSetting(f"{path} is empty. Remove it, and the next start makes a new secret.")
    return text
