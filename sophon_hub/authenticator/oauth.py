"""Sign-in with OpenID Connect or any other OAuth 2 provider."""

from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Unicode

from sophon_hub.authenticator.mixin import SophonAuthenticatorMixin


class SophonOAuthenticator(SophonAuthenticatorMixin, GenericOAuthenticator):
    """OAuthenticator's generic class, which also takes the person's own name from the provider.

    Configured with the traits of ``GenericOAuthenticator``, under that name or this one.
    """

    display_name_claim = Unicode("name", help="Claim with the person's own name.").tag(config=True)

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """Add the name that pages and labs show."""
        claims = auth_model["auth_state"][self.user_auth_state_key]
        name = claims.get(self.display_name_claim)
        if isinstance(name, str) and name.strip() and name.isprintable():
            return {**auth_model, "user_info": {"display_name": name.strip()}}
        return auth_model
