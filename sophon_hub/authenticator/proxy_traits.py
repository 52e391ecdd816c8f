"""What a site can set about a sign-on that ends in the web server in front."""

import ipaddress
from typing import Any

from traitlets import Bool, Dict, Enum, Int, List, Set, TraitError, Unicode, validate
from traitlets.config import Configurable

from sophon_hub.authenticator.assertion import HEADER_NAME

SIGNATURE_HEADERS = ("time_header", "request_header", "signature_header")
PERSON_HEADERS = ("user_header", "realm_header", "factor_header", "name_header", "groups_header")
HEADERS = (*PERSON_HEADERS, "secret_header", *SIGNATURE_HEADERS)


class ProxyTraits(Configurable):
    """Part of `TrustedProxyAuthenticator`, and configured under its name."""

    user_header = Unicode("X-Sso-User", help="Header with the user name.").tag(config=True)
    realm_header = Unicode("X-Sso-Realm", help="Header with the realm.").tag(config=True)
    factor_header = Unicode(
        "X-Sso-Factor", help="Header with the factors of the sign-in, separated by spaces."
    ).tag(config=True)
    name_header = Unicode("X-Sso-Name", help="Header with the person's own name, in UTF-8.").tag(
        config=True
    )
    groups_header = Unicode(
        help="""Header with the person's groups for ``research_groups``, in UTF-8. Set it only with
        a virtual host that takes this header away from browsers, as ours does with X-Sso-Groups.
        """,
    ).tag(config=True)
    groups_separator = Unicode(
        ";", help="What stands between two groups in ``groups_header``, as the module writes it."
    ).tag(config=True)
    secret_header = Unicode("X-Sso-Secret", help="Header with the shared secret.").tag(config=True)
    assertion_mode = Enum(
        ["secret", "signed"],
        "secret",
        help="""How the web server proves itself: it sends the ``secret``, or the headers are
        ``signed`` with it, so that the secret itself is never sent.""",
    ).tag(config=True)
    time_header = Unicode("X-Sso-Time", help="Header with the time of the signature.").tag(
        config=True
    )
    request_header = Unicode("X-Sso-Request", help="Header with the signed request line.").tag(
        config=True
    )
    signature_header = Unicode("X-Sso-Signature", help="Header with the signature.").tag(
        config=True
    )
    require_realm = Bool(False, help="Refuse a sign-in without a realm.").tag(config=True)
    require_factor = Bool(False, help="Refuse a sign-in without a factor.").tag(config=True)
    proxy_secret_file = Unicode(
        help="""File with the shared secret, readable by the Hub's user only: one a line, at
        least 32 characters. All count, so that a new one can be added first and the old one
        removed last. Read again when it changes. Default: the setting of Sophon.""",
    ).tag(config=True)
    trusted_proxies = List(
        Unicode(),
        ["127.0.0.1/32", "::1/128"],
        help="Networks from which the web server talks to the proxy, and the proxy to the Hub.",
    ).tag(config=True)
    require_loopback_bind = Bool(
        True, help="Refuse to start when others than this machine can reach the proxy."
    ).tag(config=True)
    allowed_realms = Set(
        Unicode(), help="Realms whose people may sign in. Must be set when realms are required."
    ).tag(config=True)
    guest_realms = Set(
        Unicode(), help="Realms, and factors, that mark somebody as a guest of the campus."
    ).tag(config=True)
    allow_guests = Bool(False, help="Whether guests may sign in.").tag(config=True)
    guest_group = Unicode(
        "external", help="Hub group of guests, where ``manage_groups`` is on."
    ).tag(config=True)
    campus_pattern = Unicode(
        r"[a-z0-9][a-z0-9._-]{0,63}", help="Shape of the user names of the campus, in lower case."
    ).tag(config=True)
    guest_pattern = Unicode(
        r"[a-z0-9][a-z0-9.+_-]{0,63}@[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?",
        help="Shape of the user names of guests, in lower case.",
    ).tag(config=True)
    username_case = Enum(
        ["lower", "reject-upper"],
        "lower",
        help="``reject-upper`` where ALICE and alice are two people.",
    ).tag(config=True)
    strip_domain = Unicode(
        help="""The campus's own domain: ``alice@example.edu`` becomes ``alice``. No other
        domain is ever cut off, and none of a guest's.""",
    ).tag(config=True)
    realm_groups = Dict(
        help="""Realm -> groups of its people: hub groups with ``manage_groups``, and names for
        ``research_groups``.""",
        value_trait=List(Unicode()),
    ).tag(config=True)
    factor_groups = Dict(
        help="Factor -> groups of those who signed in with it, as ``realm_groups``.",
        value_trait=List(Unicode()),
    ).tag(config=True)
    required_factors = Set(Unicode(), help="Factors without which nobody signs in.").tag(
        config=True
    )
    admin_required_factors = Set(
        Unicode(), help="Factors without which administrators do not sign in."
    ).tag(config=True)
    step_up_factors = Set(
        Unicode(), help="Factors that the path ``login/mfa`` of the web server asks for."
    ).tag(config=True)
    service_cookie = Unicode(
        help="Cookie of the sign-on module, which signing out removes from the browser."
    ).tag(config=True)
    weblogin_logout_url = Unicode(
        help="Page of the sign-on system where people sign out of all of it."
    ).tag(config=True)
    logout_return = Unicode(
        "?{url}",
        help="""How the way back is added to ``weblogin_logout_url``: with ``{url}``, or as a
        parameter such as ``?return={parameter}``. Empty: not at all.""",
    ).tag(config=True)
    hub_public_url = Unicode(
        help="Address of this hub, for the way back. Default: JupyterHub.public_url."
    ).tag(config=True)
    session_max_age = Int(
        8 * 3600,
        min=0,
        help="""Seconds after which a browser has to come by the sign-on system again, which
        nobody notices while that remembers the person. 0: never.""",
    ).tag(config=True)
    revoke_on_logout = Bool(
        True, help="Signing out ends all sessions of the person, copied cookies as well."
    ).tag(config=True)

    @validate(*HEADERS)
    def _good_header(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] and not HEADER_NAME.fullmatch(proposal["value"]):
            raise TraitError(
                f"{proposal['trait'].name} is {proposal['value']!r}; a header here has letters,"
                " digits and single hyphens, and no underscore"
            )
        return str(proposal["value"])

    @validate("groups_separator")
    def _good_separator(self, proposal: dict[str, Any]) -> str:
        if not proposal["value"].strip():
            raise TraitError("groups_separator is empty; names of groups may have spaces")
        return str(proposal["value"])

    @validate("trusted_proxies")
    def _good_networks(self, proposal: dict[str, Any]) -> list[str]:
        for network in proposal["value"]:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise TraitError(f"trusted_proxies: {error}") from None
        return list(proposal["value"])
