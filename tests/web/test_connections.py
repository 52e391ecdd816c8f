"""Connections that are kept: the hub's proxy sends one request after the other into them."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.web.conftest import Site

HUB_SESSION = "Cookie: jupyterhub-session-id=known\r\n"
WRONG = "Authorization: token wrong\r\n"
BODY = "Content-Type: application/json\r\nContent-Length: 2\r\n"

ANSWERS = {
    "a page": ("GET", "", "", "200"),
    "on the way to signing in": ("GET", HUB_SESSION, "", "302"),
    "refused": ("GET", WRONG, "", "401"),
    "refused with a body": ("GET", WRONG + BODY, "{}", "401"),
    "refused before it is read": ("POST", "Content-Length: 99999999\r\n", "", "413"),
    "a wrong method": ("DELETE", BODY, "{}", "405"),
}


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: str
) -> tuple[str, dict[str, str]]:
    """Send a request into the connection; status and headers of its answer, which is read."""
    writer.write(request.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): text for name, _, text in (line.partition(": ") for line in head[1:] if line)
    }
    await reader.readexactly(int(headers.get("content-length", "0")))
    return head[0].split()[1], headers


@pytest.mark.parametrize("kind", ANSWERS)
async def test_a_connection_ends_only_with_an_answer_that_says_so(site: Site, kind: str):
    method, sent, body, status = ANSWERS[kind]
    address = urlsplit(site.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"HTTP/1.1\r\nHost: {address.netloc}\r\n"
    request = f"{method} {address.path}groups {head}{sent}\r\n{body}"
    seen, headers = await exchange(reader, writer, request)
    assert seen == status
    if headers.get("connection") == "close":
        assert await reader.read() == b""
    else:
        again, _ = await exchange(reader, writer, f"GET {address.path}groups {head}\r\n")
        assert again == "200"
    writer.close()
