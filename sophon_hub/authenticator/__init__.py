"""Who may sign in, and as whom: reserved names for every authenticator, local accounts, campus."""

from sophon_hub.authenticator.cosign import CosignAuthenticator
from sophon_hub.authenticator.local import LocalAuthenticator
from sophon_hub.authenticator.mixin import SophonAuthenticatorMixin, make_authenticator
from sophon_hub.authenticator.proxy import TrustedProxyAuthenticator

__all__ = [
    "CosignAuthenticator",
    "LocalAuthenticator",
    "SophonAuthenticatorMixin",
    "TrustedProxyAuthenticator",
    "make_authenticator",
]
