"""The addresses people use: one for everything, or one of its own for each owner of labs.

Without subdomains hub, portal and labs share one origin, and a script in a lab may do at the
portal whatever the person in front of it may. With subdomains each hub user's servers are at
an origin of their own; hub and portal, whose code is ours, stay together at the hub's.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

from jupyterhub.utils import subdomain_hook_idna

from sophon_hub import names
from sophon_hub.settings import BadSetting, Sophon

PORTAL = "sophon"
"""Name of the portal as a service of the Hub."""

_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_PORTS = {"http": 80, "https": 443}
_LONGEST_HOST = 253
"""Characters of a whole domain name (RFC 1035)."""


@dataclass(frozen=True)
class Addresses:
    """Where things are.

    ``base_url`` is the path of everything, with slashes at both ends. ``public_url`` is where
    people find it, with that path, and empty when nobody has said; ``origin`` is the same
    without a path. ``domain`` is the host below which labs have names of their own; empty
    without subdomains.
    """

    base_url: str = "/"
    public_url: str = ""
    origin: str = ""
    domain: str = ""

    @classmethod
    def of(cls, settings: Sophon) -> Self:
        """The addresses that the settings give; `BadSetting` when they cannot work."""
        inner = settings.base_url.strip("/")
        base_url = f"/{inner}/" if inner else "/"
        public = subdomain = origin = ""
        if settings.subdomain_host:
            subdomain = origin = _origin("subdomain_host", settings.subdomain_host, paths=("/",))
        if settings.public_url:
            public = _origin("public_url", settings.public_url, paths=("/", base_url))
            if subdomain and public != subdomain:
                raise BadSetting(
                    f"public_url is {settings.public_url!r} and subdomain_host is"
                    f" {settings.subdomain_host!r}. They must have the same scheme, name and port:"
                    " set SOPHON_SUBDOMAIN_HOST only, or both alike."
                )
            origin = public
        domain = _domain(subdomain) if subdomain else ""
        return cls(base_url, origin + base_url if origin else "", origin, domain)

    @property
    def is_https(self) -> bool:
        """Whether people use https, as far as the settings say."""
        return self.origin.startswith("https://")

    @property
    def keeps_cookies_apart(self) -> bool:
        """Whether cookies can be, and have to be, protected from those that labs could set."""
        return bool(self.domain) and self.is_https

    def server_origin(self, username: str) -> str:
        """Origin of a hub user's servers; empty when it is that of everything."""
        if not self.domain:
            return ""
        scheme, _, host = self.origin.partition("://")
        return f"{scheme}://{names.host_label(username)}.{host}"

    def lab(self, project: str, path: str) -> str:
        """Address of a path below ``base_url`` that belongs to a lab of this project."""
        return self.server_origin(names.account_name(project)) + self.base_url + path

    def personal_lab(self, username: str) -> str:
        """Address of a person's own lab."""
        return self.server_origin(username) + self.base_url + names.personal_path(username)

    def notebook(self, username: str, folder: str, notebook: str) -> str:
        """Address of a notebook in a person's own lab."""
        path = names.notebook_path(username, folder, notebook)
        return self.server_origin(username) + self.base_url + path

    def temporary_lab(self, name: str) -> str:
        """Address at which a visitor enters a temporary lab."""
        return self.server_origin(name) + self.base_url + names.temporary_path(name)

    @property
    def visits(self) -> str:
        """Address of the page of visitors, as it is reached from a temporary lab."""
        return f"{self.origin if self.domain else ''}{self.base_url}services/sophon/try"

    def lab_static(self, digest: str) -> str:
        """Path of JupyterLab's files that labs with this digest share, seen from their origin."""
        return f"{self.base_url}services/{PORTAL}/lab-static/{digest}"

    @property
    def all_servers(self) -> str:
        """What matches the origin of every server, for a Content-Security-Policy; else empty."""
        return self.origin.replace("://", "://*.") if self.domain else ""


def subdomain_hook(name: str, domain: str, kind: str) -> str:
    """Domain of a hub user's servers or of a service, for ``JupyterHub.subdomain_hook``.

    The portal is at the hub's own: people share its addresses, and both are our code. Other
    services get domains of their own, as JupyterHub has it.
    """
    if kind == "service":
        return domain if name == PORTAL else str(subdomain_hook_idna(name, domain, kind))
    return f"{names.host_label(name)}.{domain}"


def _origin(setting: str, text: str, paths: tuple[str, ...]) -> str:
    """Scheme, host and port of an address as browsers write them."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not _is_host(host) or "@" in parts.netloc:
        raise BadSetting(
            f"{setting} is {text!r}. It must be a whole address, such as https://hub.example.edu"
        )
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise BadSetting(f"{setting} is {text!r}. It must end with the path, without ? and #.")
    if f"{parts.path.rstrip('/')}/" not in paths:
        raise BadSetting(
            f"{setting} is {text!r}. Its path must be {paths[-1]!r}"
            + (
                ", as base_url is. Set SOPHON_BASE_URL to the path below which people find the hub."
                if setting == "public_url"
                else "."
            )
        )
    shown = f"[{host}]" if ":" in host else host
    usual = port is None or port == _PORTS[parts.scheme]
    return f"{parts.scheme}://{shown}" + ("" if usual else f":{port}")


def _is_host(host: str) -> bool:
    return len(host) <= _LONGEST_HOST and (_is_number(host) or _HOST.fullmatch(host) is not None)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _domain(origin: str) -> str:
    """The name below which labs get theirs; it cannot be a number or a single word."""
    host = urlsplit(origin).hostname or ""
    if _is_number(host) or "." not in host:
        raise BadSetting(
            f"subdomain_host is {origin!r}. Labs get names below it, and browsers keep the hub's"
            " session for all of them only at a name with a dot, such as hub.example.edu."
        )
    longest = _LONGEST_HOST - names.MAX_HOST_LABEL - 1
    if len(host) > longest:
        raise BadSetting(f"subdomain_host has a name of more than {longest} characters.")
    return host
