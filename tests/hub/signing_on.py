"""Requests as a web server in front sends them, well or badly, one header at a time."""

import http.client
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

SECRET = "0123456789abcdef" * 4
OLD_SECRET = "fedcba9876543210" * 4
COSIGN_LOGIN = "/hub/cosign/login"
COSIGN = {
    "X-Cosign-User": "alice",
    "X-Cosign-Realm": "EXAMPLE.EDU",
    "X-Cosign-Factor": "EXAMPLE.EDU",
    "X-Cosign-Secret": SECRET,
}


@dataclass
class Answer:
    status: int
    location: str
    cookies: dict[str, str]
    set_cookies: list[str]
    text: str

    @property
    def signed_in(self) -> bool:
        return bool(self.cookies.get("jupyterhub-hub-login"))


def ask(
    origin: str,
    path: str,
    headers: Iterable[tuple[str, str]] = (),
    *,
    method: str = "GET",
    body: str | None = None,
    cookies: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request; headers may come twice, which no library for people allows."""
    server = urlsplit(origin).netloc
    connection = (
        http.client.HTTPSConnection(server, timeout=30, context=tls)
        if tls
        else http.client.HTTPConnection(server, timeout=30)
    )
    try:
        connection.putrequest(method, path)
        for name, value in headers:
            connection.putheader(name, value.encode())
        if cookies:
            connection.putheader("Cookie", "; ".join(f"{k}={v}" for k, v in cookies.items()))
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode() if body else None)
        answer = connection.getresponse()
        set_cookies = answer.headers.get_all("Set-Cookie") or []
        jar: SimpleCookie = SimpleCookie()
        for line in set_cookies:
            jar.load(line)
        return Answer(
            answer.status,
            answer.headers.get("Location", ""),
            {name: morsel.value for name, morsel in jar.items()},
            set_cookies,
            answer.read().decode(),
        )
    finally:
        connection.close()


def cosign_headers(**changes: str | None) -> list[tuple[str, str]]:
    """What Apache sends for alice; ``user="bob"`` changes a header, None leaves it out."""
    values: dict[str, str | None] = dict(COSIGN)
    for name, value in changes.items():
        values[f"X-Cosign-{name.capitalize()}"] = value
    return [(name, value) for name, value in values.items() if value is not None]


def name_of(origin: str, cookies: dict[str, str], **options: Any) -> str | None:
    """Who the Hub says is signed in with these cookies."""
    page = ask(origin, "/hub/home", cookies=cookies, **options).text
    found = re.search(r'\buser: "([^"]*)"', page)
    return found[1] if found else None
