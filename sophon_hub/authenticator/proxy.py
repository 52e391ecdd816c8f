"""Campus sign-on that ends in a web server: an Apache module knows the person, headers say who.

Whoever runs code on this machine can send such headers, too. So they count only on one path, only
from that path's own handler, and only with a secret that the web server and the Hub share.
"""

import ipaddress
import re
import time
from collections.abc import Collection
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.auth import Authenticator
from jupyterhub.utils import maybe_future, url_path_join
from traitlets import default

from sophon_hub.authenticator import proxy_handlers
from sophon_hub.authenticator.assertion import (
    WORDS,
    Assertion,
    GuestRefused,
    Refused,
    SecretFile,
    display_name_of,
    groups_of,
    one_header,
    refuse_lookalikes,
    require_trusted_hops,
)
from sophon_hub.authenticator.attempts import Attempt, Reason
from sophon_hub.authenticator.mixin import SophonAuthenticatorMixin
from sophon_hub.authenticator.proxy_traits import HEADERS, SIGNATURE_HEADERS, ProxyTraits
from sophon_hub.authenticator.signature import (
    MOMENT,
    REQUEST_LINE,
    require_fresh,
    require_own_line,
    require_signature,
)
from sophon_hub.settings import BadSetting

CLAIMED = "sophon_claimed"
"""Where a model carries the claimed groups until they are on record."""


class TrustedProxyAuthenticator(SophonAuthenticatorMixin, ProxyTraits, Authenticator):
    """Any sign-on that ends in Apache: Shibboleth, OpenID Connect, Kerberos, client certificates.

    The web server protects one path, ``/hub/sso/login`` and sends it the headers
    that the traits name.
    """

    route = "sso"

    @default("auto_login")
    def _no_button(self) -> bool:
        return True

    @default("login_service")
    def _service(self) -> str:
        return "campus sign-on"

    @default("proxy_secret_file")
    def _secret_file_of_the_site(self) -> str:
        return self.settings.proxy_secret_file

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._signed_in: dict[tuple[str, str], float] = {}

    @cached_property
    def _secret_file(self) -> SecretFile:
        return SecretFile(self.proxy_secret_file)

    def login_url(self, base_url: str) -> str:
        """The path that the web server protects."""
        return str(url_path_join(base_url, self.route, "login"))

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """The protected paths and signing out; ends a start that would be unsafe."""
        try:
            self.refuse_unsafe(app.bind_url)
        except BadSetting as error:
            raise SystemExit(f"sophon-hub: {error.detail}") from None
        if not app.public_url.startswith("https://"):
            self.log.warning("c.JupyterHub.public_url is no https address: cookies are not Secure.")
        ours = f"/{self.route}"
        return [
            ("/logout", proxy_handlers.SignOutHandler),
            *super().get_handlers(app),
            (f"{ours}/login", proxy_handlers.SignOnHandler),
            (f"{ours}/login/mfa", proxy_handlers.StepUpHandler),
            (f"{ours}/logged-out", proxy_handlers.SignedOutHandler),
        ]

    def refuse_unsafe(self, bind_url: str) -> None:
        """Refuse settings with which the wrong people would be believed."""
        self._secret_file.secrets()
        names = [getattr(self, name).lower() for name in HEADERS if getattr(self, name)]
        needed = ["user_header", "secret_header"]
        needed += SIGNATURE_HEADERS if self.assertion_mode == "signed" else []
        if not all(getattr(self, name) for name in needed) or len(set(names)) < len(names):
            raise BadSetting(f"{', '.join(needed)} must be set, and all headers differ.")
        if self.require_realm and not self.allowed_realms:
            raise BadSetting("allowed_realms is empty; name the realms whose people may sign in.")
        has_groups = self.realm_groups or self.factor_groups
        if has_groups and not (self.manage_groups or self.research_groups):
            raise BadSetting(
                "realm_groups and factor_groups need manage_groups or research_groups."
            )
        if self.groups_header and not self.research_groups:
            raise BadSetting("groups_header needs research_groups, which says what they mean.")
        host = urlsplit(bind_url).hostname or ""
        if self.require_loopback_bind and host != "localhost" and not _is_loopback(host):
            raise BadSetting(
                f"The proxy would listen on {host or 'all addresses'}, around the web server that"
                " signs people in. Set SOPHON_HOST=127.0.0.1."
            )

    async def authenticate(self, handler: Any, data: Any) -> dict[str, Any] | None:
        """Who the headers say it is; never ``data``, which also arrives in requests' bodies."""
        attempt = Attempt.current()
        if not isinstance(handler, proxy_handlers.SignOnHandler) or handler.request.method != "GET":
            attempt.reason = Reason.ASSERTION
            self.log.warning("Refusing a sign-in by other means than %s/login", self.route)
            return None
        try:
            assertion = self.read_assertion(handler.request)
            name = self.name_of(assertion)
        except Refused as reason:
            self.log.warning("Refusing a sign-in: %s", reason)
            attempt.reason = Reason.ASSERTION
            return None
        if self.missing_factors(handler, name, assertion):
            attempt.name, attempt.reason = name, Reason.SECOND_FACTOR
            return None
        guest = self.is_guest(assertion)
        state = {"realm": assertion.realm, "factors": [*assertion.factors], "guest": guest}
        model: dict[str, Any] = {
            "name": name,
            "admin": False if guest else None,
            "auth_state": {self.route: state},
            "user_info": {"realm": assertion.realm} if assertion.realm else {},
        }
        if assertion.display_name:
            model["user_info"]["display_name"] = assertion.display_name
        if self.research_groups:
            model[CLAIMED] = {*assertion.groups, *self._granted(assertion, guest=guest)}
        if self.manage_groups:
            model["groups"] = self._groups(handler.find_user(name), assertion, guest=guest)
        return model

    def read_assertion(self, request: Any) -> Assertion:
        """What the web server says, when it is the web server; else `Refused`."""
        require_trusted_hops(request, self.trusted_proxies)
        names = [getattr(self, name) for name in HEADERS if getattr(self, name)]
        refuse_lookalikes(request, names)
        if self.assertion_mode == "secret":
            self._secret_file.require(self._demand(request, self.secret_header))
        user = self._demand(request, self.user_header)
        realm = self._header(request, self.realm_header, required=self.require_realm)
        factors = self._header(
            request, self.factor_header, required=self.require_factor, shape=WORDS
        )
        name = display_name_of(request, self.name_header) if self.name_header else ""
        groups: tuple[str, ...] = ()
        if self.groups_header:
            groups = groups_of(request, self.groups_header, self.groups_separator)
        if self.assertion_mode == "signed":
            self._require_signed(request, [user, realm, factors])
        assertion = Assertion(user, realm, tuple(factors.split()), name, groups)
        self.check_assertion(assertion)
        return assertion

    def _require_signed(self, request: Any, fields: list[str]) -> None:
        """Refuse unless the web server signed these headers, just now, for this request."""
        if self.secret_header in request.headers:
            raise Refused(f"header {self.secret_header} came, but the secret is never sent here")
        given = self._demand(request, self.signature_header)
        moment = self._demand(request, self.time_header, shape=MOMENT)
        line = self._demand(request, self.request_header, shape=REQUEST_LINE)
        require_signature(
            given,
            self._secret_file.believed(),
            fields=fields,
            texts=[
                request.headers.get(name, "") for name in (self.name_header, self.groups_header)
            ],
            moment=moment,
            request_line=line,
        )
        require_fresh(moment)
        require_own_line(line, request.uri)

    def _demand(self, request: Any, name: str, **options: Any) -> str:
        return self._header(request, name, required=True, **options)

    @staticmethod
    def _header(request: Any, name: str, *, required: bool, **options: Any) -> str:
        value = one_header(request, name, **options) if name else None
        if value is None and required:
            raise Refused(f"header {name} is missing")
        return value or ""

    def check_assertion(self, assertion: Assertion) -> None:
        """Refuse realms that nobody allowed."""
        allowed = self.allowed_realms | (self.guest_realms if self.allow_guests else set())
        if self.allowed_realms and assertion.realm not in allowed:
            raise Refused(f"realm {assertion.realm!r} is not allowed", assertion.user)
        if self.is_guest(assertion) and not self.allow_guests:
            raise GuestRefused("guests may not sign in", assertion.user)

    def is_guest(self, assertion: Assertion) -> bool:
        """Whether this is a guest of the campus."""
        return not self.guest_realms.isdisjoint({assertion.realm, *assertion.factors})

    def name_of(self, assertion: Assertion) -> str:
        """The hub's user name; only names of the expected shape have one."""
        name = assertion.user
        if self.username_case == "reject-upper" and name != name.lower():
            raise Refused(f"user name {name!r} has capital letters")
        name = name.lower()
        guest = self.is_guest(assertion)
        if self.strip_domain and not guest:
            name = name.removesuffix("@" + self.strip_domain.lower())
        if not re.fullmatch(self.guest_pattern if guest else self.campus_pattern, name):
            raise Refused(f"user name {assertion.user!r} has an unexpected shape")
        return str(self.normalize_username(name))

    def missing_factors(self, handler: Any, name: str, assertion: Assertion) -> set[str]:
        """The factors that this person still needs."""
        user = handler.find_user(name)
        is_admin = name in self.admin_users or bool(user and user.admin)
        needed = self.required_factors | (self.admin_required_factors if is_admin else set())
        return set(needed) - set(assertion.factors)

    def _groups(self, user: Any, assertion: Assertion, *, guest: bool) -> list[str]:
        """All groups of the person: those given here, and those that are none of our business."""
        granted = self._granted(assertion, guest=guest)
        owned = {self.guest_group}.union(*self.realm_groups.values(), *self.factor_groups.values())
        others = {group.name for group in user.groups} - owned if user else set()
        return sorted(granted | others)

    def _granted(self, assertion: Assertion, *, guest: bool) -> set[str]:
        """Groups that realm and factors stand for."""
        granted = {self.guest_group} if guest else set()
        granted.update(self.realm_groups.get(assertion.realm, []))
        for factor in assertion.factors:
            granted.update(self.factor_groups.get(factor, []))
        return granted

    async def claimed_groups(self, model: dict[str, Any]) -> Collection[str] | None:
        """The groups the assertion stands for; hub groups that others gave are none of them."""
        claimed: Collection[str] | None = model.pop(CLAIMED, None)
        return claimed

    def note_session(self, username: str, session_id: str) -> None:
        """Remember when this browser last came by the sign-on system."""
        now = time.monotonic()
        oldest = now - self.session_max_age
        self._signed_in = {key: at for key, at in self._signed_in.items() if at > oldest}
        self._signed_in[username, session_id] = now

    async def refresh_user(self, user: Any, handler: Any = None, **options: Any) -> Any:
        """Send browsers to the sign-on system again when they have not been there for long."""
        # as a token's request, or about somebody else, it is none that could be sent anywhere
        asks = getattr(handler, "_jupyterhub_user", None)
        token = getattr(handler, "_token_authenticated", False)
        if self.session_max_age and asks is not None and asks is user and not token:
            at = self._signed_in.get((user.name, handler.get_session_cookie() or ""))
            if at is None or at + self.session_max_age <= time.monotonic():
                # JupyterHub 6.1 reads this next, and has not set it for requests with a cookie
                handler._token_authenticated = False
                return False
        return await maybe_future(super().refresh_user(user, handler, **options))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
