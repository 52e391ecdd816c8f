"""What a web server in front says about the person: read from headers, believed by a secret.

Everything here fails closed, with the reason for the log in `Refused` and none for the browser.
"""

import hmac
import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.httputil import HTTPServerRequest

from sophon_hub.secret_files import require_private
from sophon_hub.settings import BadSetting

MINIMUM_SECRET = 32
HEADER_NAME = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")
"""No underscore: some servers take X_A and X-A for the same header."""
WORD = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
WORDS = re.compile(r"[\x21-\x2b\x2d-\x7e]+(?: [\x21-\x2b\x2d-\x7e]+)*")
NOTHING = "(null)"
"""What Apache writes for a variable that is not set."""
MAX_DISPLAY_NAME = 200


class Refused(Exception):
    """The request does not prove who the person is; the text is for the log only.

    ``user`` is whom the web server named, where it was the web server.
    """

    def __init__(self, text: str, user: str | None = None) -> None:
        super().__init__(text)
        self.user = user


class GuestRefused(Refused):
    """A guest of the campus, where guests may not sign in."""


@dataclass(frozen=True)
class Assertion:
    """What the sign-on system said."""

    user: str
    realm: str = ""
    factors: tuple[str, ...] = ()
    display_name: str = ""
    groups: tuple[str, ...] = ()


class SecretFile:
    """Secrets shared with the web server, one a line: the first is new, the others still count."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._read: tuple[tuple[int, int, int, int], list[str]] | None = None

    def secrets(self) -> list[str]:
        """The secrets; `BadSetting` unless all are long and the file is its owner's alone."""
        if not self.path:
            raise BadSetting("proxy_secret_file is not set; nobody could be believed.")
        path = Path(self.path)
        try:
            require_private(path)
            status = path.stat()
            state = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
            if self._read is None or self._read[0] != state:
                self._read = (state, path.read_text().split())
        except (OSError, ValueError):
            raise BadSetting(f"proxy_secret_file {path} cannot be read.") from None
        secrets = self._read[1]
        if not secrets or min(map(len, secrets)) < MINIMUM_SECRET:
            raise BadSetting(
                f"proxy_secret_file {path} needs secrets of at least {MINIMUM_SECRET} characters,"
                " one a line. One way: openssl rand -hex 32"
            )
        return secrets

    def believed(self) -> list[str]:
        """The secrets; `Refused` when the file has become unusable since the start."""
        try:
            return self.secrets()
        except BadSetting as error:
            raise Refused(error.detail) from None

    def require(self, given: str) -> None:
        """Refuse anything but one of the secrets, in the same time whatever is wrong."""
        right = [hmac.compare_digest(given.encode(), secret.encode()) for secret in self.believed()]
        if not any(right):
            raise Refused("the secret is wrong")


def one_header(request: HTTPServerRequest, name: str, shape: re.Pattern[str] = WORD) -> str | None:
    """The value of a header that came once and is well formed; None when it did not come."""
    lines = request.headers.get_list(name)
    if not lines:
        return None
    if len(lines) > 1:
        raise Refused(f"header {name} came {len(lines)} times")
    if lines[0] == NOTHING or not shape.fullmatch(lines[0]):
        raise Refused(f"header {name} is empty or malformed")
    return str(lines[0])


def refuse_lookalikes(request: HTTPServerRequest, names: Collection[str]) -> None:
    """Refuse X_Sso_User beside, or in place of, X-Sso-User: no server in front sends it."""
    ours = {name.lower() for name in names}
    for name in request.headers:
        if "_" in name and name.lower().replace("_", "-") in ours:
            raise Refused(f"header {name} is spelled like one of ours")


def text_header(request: HTTPServerRequest, name: str) -> str:
    """A header of free text in UTF-8; empty when it is missing or is no text."""
    lines = request.headers.get_list(name)
    if len(lines) > 1:
        raise Refused(f"header {name} came {len(lines)} times")
    try:
        text = " ".join(lines).encode("latin-1").decode().strip()
    except UnicodeError:
        return ""
    return text if text != NOTHING and text.isprintable() else ""


def display_name_of(request: HTTPServerRequest, name: str) -> str:
    """A person's name in a header; empty when it is missing or cannot be shown."""
    text = text_header(request, name)
    return text if len(text) <= MAX_DISPLAY_NAME else ""


def groups_of(request: HTTPServerRequest, name: str, separator: str) -> tuple[str, ...]:
    """Names of groups in a header; none when it is missing or is no text."""
    parts = (part.strip() for part in text_header(request, name).split(separator))
    return tuple(part for part in parts if part)


def require_trusted_hops(request: HTTPServerRequest, trusted: Iterable[str]) -> None:
    """Refuse unless this machine's proxy asks, for somebody who talked to it from a trusted place.

    Which processes of this machine ask, nothing here can tell: that takes the secret.
    """
    networks = [ipaddress.ip_network(network) for network in trusted]
    connection: Any = request.connection
    sender = _address(connection.stream.socket.getpeername()[0])
    here = _address(connection.stream.socket.getsockname()[0])
    hops = ",".join(request.headers.get_list("X-Forwarded-For")).split(",")
    try:
        last = _address(hops[-1].strip())
    except ValueError:
        raise Refused("the request did not come through the proxy") from None
    # with containers the Hub listens on their network's gateway, and the proxy asks from there
    if sender != here and not any(sender in network for network in networks):
        raise Refused(f"{sender} is not a trusted proxy")
    if not any(last in network for network in networks):
        raise Refused(f"{last}, which talked to the proxy, is not trusted")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address
