"""Sign-in with OpenID Connect or any other OAuth 2 provider."""

from collections.abc import Collection
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Unicode, observe

from sophon_hub.authenticator.mixin import SophonAuthenticatorMixin


class SophonOAuthenticator(SophonAuthenticatorMixin, GenericOAuthenticator):
    """OAuthenticator's generic class, which also takes the person's own name from the provider.

    Configured with the traits of ``GenericOAuthenticator``, under that name or this one.
    """

    display_name_claim = Unicode("name", help="Claim with the person's own name.").tag(config=True)

    @observe("allowed_groups", "admin_groups", "auth_state_groups_key")
    def _requires_manage_groups(self, change: Any) -> None:
        """OAuthenticator's check; a claim for research groups alone needs no hub groups."""
        if change.name != "auth_state_groups_key" or not self.research_groups:
            super()._requires_manage_groups(change)

    async def claimed_groups(self, model: dict[str, Any]) -> Collection[str] | None:
        """The groups in the provider's claims, also where they are no hub groups."""
        if self.manage_groups or not self.research_groups:
            return await super().claimed_groups(model)
        groups: Collection[str] = await self.get_user_groups(model["auth_state"])
        return groups

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """Add the name that pages and labs show."""
        claims = auth_model["auth_state"][self.user_auth_state_key]
        name = claims.get(self.display_name_claim)
        if isinstance(name, str) and name.strip() and name.isprintable():
            return {**auth_model, "user_info": {"display_name": name.strip()}}
        return auth_model
