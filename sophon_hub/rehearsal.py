"""Tickets with which a temporary lab is entered once before its visitor comes.

The spawner makes one and the authenticator takes it. Both are in the Hub's process, whose memory
no browser and no lab reaches.
"""

import secrets

_accounts: dict[str, str] = {}


def make_ticket(account: str) -> str:
    """A secret that lets whoever has it into the lab of this hub user, once."""
    ticket = secrets.token_urlsafe()
    _accounts[ticket] = account
    return ticket


def take_ticket(ticket: str) -> str | None:
    """The hub user whose lab this ticket is for; it is worth nothing afterwards."""
    return _accounts.pop(ticket, None)
