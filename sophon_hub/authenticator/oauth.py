"""Sign-in with OpenID Connect or any other OAuth 2 provider."""

from collections.abc import Collection
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from tornado import web
from tornado.httpclient import HTTPClientError
from traitlets import Unicode, observe

from sophon_hub.authenticator.mixin import SophonAuthenticatorMixin
from sophon_hub.authenticator.oauth_handlers import EXPIRED, CallbackHandler

NO_ANSWER = "The sign-on system does not answer. Try again in a few minutes."
UNREADABLE = (
    "The sign-on system gave an answer that this hub does not understand."
    " Please tell the administrators of this hub."
)
NONSENSE = (ValueError, TypeError, KeyError, AttributeError)
"""What OAuthenticator raises when it is sent something else than it expects."""


class SophonOAuthenticator(SophonAuthenticatorMixin, GenericOAuthenticator):
    """OAuthenticator's generic class, which also takes the person's own name from the provider.

    Configured with the traits of ``GenericOAuthenticator``, under that name or this one.
    """

    callback_handler = CallbackHandler

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

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """The names among what the provider says about groups; numbers are none."""
        key = self.auth_state_groups_key
        if isinstance(key, str):
            found: Any = auth_state
            for part in key.split("."):
                found = found.get(part) if isinstance(found, dict) else None
            if isinstance(found, str):  # the only group; OAuthenticator would take its letters
                return {found}
        return {name for name in await super().get_user_groups(auth_state) if isinstance(name, str)}

    async def authenticate(
        self, handler: Any, data: Any = None, **options: Any
    ) -> dict[str, Any] | None:
        """Ask the provider who it is; whatever goes wrong there is a sentence, never a 500.

        OAuthenticator 17.4 says not to override this, and lets every error of the provider
        through as it is.
        """
        try:
            model: dict[str, Any] | None = await super().authenticate(handler, data, **options)
        except HTTPClientError as error:
            # OAuthenticator has logged what the provider said
            if 400 <= error.code < 500:
                raise web.HTTPError(403, EXPIRED) from None
            raise web.HTTPError(503, NO_ANSWER) from None
        except OSError as error:
            self.log.warning("The sign-on system cannot be reached: %s", error)
            raise web.HTTPError(503, NO_ANSWER) from None
        except web.HTTPError as error:
            if error.status_code < 500:
                raise
            # the message holds the token; what made it fail does not
            self.log.warning("The sign-on system's answer is wrong: %r", error.__context__)
            raise web.HTTPError(502, UNREADABLE) from None
        except NONSENSE as error:
            self.log.warning("The sign-on system's answer is wrong: %r", error)
            raise web.HTTPError(502, UNREADABLE) from None
        return model

    async def refresh_user(self, user: Any, handler: Any = None, **options: Any) -> Any:
        """Ask again, where ``enable_auth_state`` is on; a provider that fails ends no session.

        What it said last holds until it answers: else its outage would end everybody's work.
        """
        try:
            return await super().refresh_user(user, handler, **options)
        except (HTTPClientError, OSError, web.HTTPError, *NONSENSE) as error:
            self.log.warning("Cannot ask the sign-on system about %s: %r", user.name, error)
            return True
