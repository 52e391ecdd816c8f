"""Certificates for tests, and names that lead to this machine."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DOMAIN = "hub.test"
"""Reserved for tests (RFC 6761): no name server has it."""

LOCAL_DOMAIN = "hub.localhost"
"""The same for hubs that no other machine may reach, such as those without containers."""

OTHER_DOMAIN = "elsewhere.test"

CHROMIUM_RESOLVES = (
    f"--host-resolver-rules=MAP {DOMAIN} 127.0.0.1, MAP *.{DOMAIN} 127.0.0.1,"
    f" MAP {OTHER_DOMAIN} 127.0.0.1"
)


def client_context(certificate: Path | str) -> ssl.SSLContext:
    """TLS for clients in which one thread reads while another one writes, such as WebSockets'.

    With TLS 1.3 the server sends tickets just when the first request is written, and OpenSSL may
    then lose the request: its objects are for one thread at a time.
    """
    context = ssl.create_default_context(cafile=certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def write_certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for both domains, all names below them and loopback, and its key."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    names = f"subjectAltName=DNS:{DOMAIN},DNS:*.{DOMAIN},IP:127.0.0.1"
    names += f",DNS:{LOCAL_DOMAIN},DNS:*.{LOCAL_DOMAIN}"
    words = f"req -x509 -nodes -days 2 -subj /CN={DOMAIN} -addext {names} -newkey ec"
    curve = f"-pkeyopt ec_paramgen_curve:prime256v1 -keyout {key} -out {certificate}"
    subprocess.run(["openssl", *f"{words} {curve}".split()], check=True, capture_output=True)
    return certificate, key


@contextmanager
def domain_is_here() -> Iterator[None]:
    """Let this process find both domains, and all names below them, on loopback."""
    ask = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:
        ours = isinstance(host, str) and f".{host}".endswith((f".{DOMAIN}", f".{LOCAL_DOMAIN}"))
        return ask("127.0.0.1" if ours else host, *arguments, **options)

    socket.getaddrinfo = answer
    try:
        yield
    finally:
        socket.getaddrinfo = ask
