"""Who may sign in, and as whom: reserved names for every authenticator, and local accounts."""

from sophon_hub.authenticator.local import LocalAuthenticator
from sophon_hub.authenticator.mixin import SophonAuthenticatorMixin, make_authenticator

__all__ = ["LocalAuthenticator", "SophonAuthenticatorMixin", "make_authenticator"]
