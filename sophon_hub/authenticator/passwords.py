"""Passwords: how they are kept, and which are too weak."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

MINIMUM_LENGTH = 8
MAXIMUM_LENGTH = 1024
GUESSABLE = 1
"""Of zxcvbn's scores from 0 to 4: up to this one a program finds the password in minutes."""
LOOKED_AT = 72
"""zxcvbn takes quadratic time; nothing that long is common."""

_hasher = PasswordHasher()
_nobody = _hasher.hash(secrets.token_hex())
"""Checked for names without an account, so that they take as long as the others."""


def hash_password(password: str) -> str:
    """What is stored: argon2id with its parameters and salt."""
    return _hasher.hash(password)


def verify(password_hash: str | None, password: str) -> bool:
    """Whether this is the password; None as the hash takes the same time and is never right."""
    if len(password) > MAXIMUM_LENGTH:
        return False
    try:
        return _hasher.verify(password_hash or _nobody, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def problem(password: str, username: str) -> str | None:
    """Say what is wrong with a new password, or None when it is good enough."""
    if len(password) < MINIMUM_LENGTH:
        return f"Use at least {MINIMUM_LENGTH} characters."
    if len(password) > MAXIMUM_LENGTH:
        return f"Use at most {MAXIMUM_LENGTH} characters."
    if any(not character.isprintable() for character in password):
        return "Leave out control characters."
    if zxcvbn(password[:LOOKED_AT], [username])["score"] <= GUESSABLE:
        return "This password is easy to guess; use a longer one, for example four random words."
    return None


def generate() -> str:
    """A password for somebody who is told it once: 96 random bits in readable form."""
    return secrets.token_urlsafe(12)
