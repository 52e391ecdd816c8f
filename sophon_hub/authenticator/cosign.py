"""CoSign behind Apache: the trusted proxy with CoSign's headers, rules and logout."""

from traitlets import Unicode, default

from sophon_hub.authenticator.assertion import Assertion, Refused
from sophon_hub.authenticator.proxy import TrustedProxyAuthenticator

PREFIX = "cosign-"


class CosignAuthenticator(TrustedProxyAuthenticator):
    """Sign-in with CoSign's mod_cosign in front; it protects ``/hub/cosign/login``."""

    route = "cosign"

    cosign_service = Unicode(
        help="CosignService of the web server, with or without ``cosign-``: its cookie's name."
    ).tag(config=True)

    @default("login_service")
    def _service(self) -> str:
        return "CoSign"

    @default("user_header")
    def _user_header(self) -> str:
        return "X-Cosign-User"

    @default("realm_header")
    def _realm_header(self) -> str:
        return "X-Cosign-Realm"

    @default("factor_header")
    def _factor_header(self) -> str:
        return "X-Cosign-Factor"

    @default("name_header")
    def _name_header(self) -> str:
        return "X-Cosign-Name"

    @default("secret_header")
    def _secret_header(self) -> str:
        return "X-Cosign-Secret"

    @default("time_header")
    def _time_header(self) -> str:
        return "X-Cosign-Time"

    @default("request_header")
    def _request_header(self) -> str:
        return "X-Cosign-Request"

    @default("signature_header")
    def _signature_header(self) -> str:
        return "X-Cosign-Signature"

    @default("require_realm")
    def _realms_are_always_sent(self) -> bool:
        return True

    @default("require_factor")
    def _factors_are_always_sent(self) -> bool:
        return True

    @default("guest_realms")
    def _friends(self) -> set[str]:
        return {"friend"}

    @default("service_cookie")
    def _cookie_of_the_service(self) -> str:
        service = self.cosign_service
        return PREFIX + service.removeprefix(PREFIX) if service else ""

    def check_assertion(self, assertion: Assertion) -> None:
        """Refuse as well what mod_cosign never says: its realm is always the first factor."""
        super().check_assertion(assertion)
        if assertion.factors[:1] != (assertion.realm,):
            raise Refused(f"realm {assertion.realm!r} is not the first factor")
