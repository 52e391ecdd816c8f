"""What a hub that others can reach must not start with; each refusal says what to set.

A hub is beyond loopback when its proxy listens there, or when people reach it by a name that
is not this machine's own, whatever web server is in between. On loopback all of this starts.
"""

import ipaddress
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError
from traitlets.config import Config

from sophon_hub.secret_files import MINIMUM_SECRET, others_reach
from sophon_hub.settings import BadSetting, Sophon

PUBLIC = ("public_url", "subdomain_host")
SECRET_FILES = (
    "cookie-secret",
    "portal-cookie-secret",
    "portal-token",
    "proxy-token",
    "worker-token",
)
"""Those that the hub makes in its data directory."""
SAMPLE = re.compile(r"change|example|sample|secret|password|insecure|default|replace", re.I)
"""No random text of letters and digits has such a word in it; what is copied from a guide has."""
FEWEST_CHARACTERS = 6
"""Fewer different ones than this are no random text."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can mean this address or name; ``""`` is all addresses."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_exposed(settings: Sophon, config: Config, host: str) -> bool:
    """Whether others than this machine are meant to reach the hub.

    ``host`` is where the proxy listens; ``config`` is the configuration of JupyterHub.
    """
    names = [urlsplit(url).hostname or "" for url in public_addresses(settings, config).values()]
    return not all(is_loopback(name) for name in (host, *names))


def public_addresses(settings: Sophon, config: Config) -> dict[str, str]:
    """Where people reach the hub, as far as that is set, by name of the setting."""
    ours = {name: getattr(settings, name) for name in PUBLIC}
    theirs = {f"c.JupyterHub.{name}": config.JupyterHub.get(name) for name in PUBLIC}
    return {name: url for name, url in (ours | theirs).items() if url and isinstance(url, str)}


def refuse_unsafe(settings: Sophon, config: Config, host: str) -> None:
    """Refuse what others must not meet.

    Raises:
        BadSetting: something is unsafe, and the hub is beyond loopback.
    """
    if not is_exposed(settings, config, host):
        return
    if settings.spawner == "process":
        raise BadSetting(
            "With SOPHON_SPAWNER=process labs are not isolated, so the hub is for loopback"
            " only. Set SOPHON_HOST=127.0.0.1 and no public_url, or SOPHON_SPAWNER=docker."
        )
    _refuse_open_transport(settings, config, host)
    for what, secret in _secrets(settings, config):
        if problem := weakness(secret):
            raise BadSetting(f"{what} {problem}. Replace it by the output of: openssl rand -hex 32")
    _refuse_readable(settings, config)


def _refuse_open_transport(settings: Sophon, config: Config, host: str) -> None:
    abroad = {
        name: urlsplit(url)
        for name, url in public_addresses(settings, config).items()
        if not is_loopback(urlsplit(url).hostname or "")
    }
    for name, parts in abroad.items():
        if parts.scheme != "https":
            raise BadSetting(
                f"{name} is {parts.geturl()}, so passwords would cross the network readable."
                f" Set it to https://{parts.netloc}{parts.path}"
            )
    hub = config.JupyterHub
    has_certificate = bool(hub.get("ssl_cert") and hub.get("ssl_key"))
    if not (is_loopback(host) or has_certificate or settings.tls_in_front or abroad):
        raise BadSetting(
            f"The hub would listen on {host or 'all addresses'} without TLS, so passwords would"
            " cross the network readable. Set c.JupyterHub.ssl_cert and c.JupyterHub.ssl_key above"
            " configure(c), or SOPHON_TLS_IN_FRONT=true when a web server in front has the"
            " certificate, or SOPHON_HOST=127.0.0.1."
        )


def weakness(secret: str) -> str | None:
    """What is wrong with a secret that programs use; None when it may be random."""
    if len(secret) < MINIMUM_SECRET:
        return f"has fewer than {MINIMUM_SECRET} characters"
    is_periodic = secret in (secret + secret)[1:-1]
    if SAMPLE.search(secret) or is_periodic or len(set(secret)) < FEWEST_CHARACTERS:
        return "is a sample and no secret"
    return None


def _secrets(settings: Sophon, config: Config) -> Iterator[tuple[str, str]]:
    """Every secret there is, with what to call it."""
    hub = config.JupyterHub
    paths = [settings.data_path / name for name in SECRET_FILES]
    for path in [*paths, *map(Path, filter(None, [hub.get("cookie_secret_file")]))]:
        if path.is_file():
            yield f"The secret in {path}", path.read_text().strip()
    cookie = hub.get("cookie_secret")
    named: list[tuple[str, Any]] = [
        ("c.JupyterHub.cookie_secret", cookie.hex() if isinstance(cookie, bytes) else cookie),
        ("JPY_COOKIE_SECRET", os.environ.get("JPY_COOKIE_SECRET")),
        ("c.ConfigurableHTTPProxy.auth_token", config.ConfigurableHTTPProxy.get("auth_token")),
        ("CONFIGPROXY_AUTH_TOKEN", os.environ.get("CONFIGPROXY_AUTH_TOKEN")),
        ("The password in database_url", _password(settings.database_url)),
        ("The password in hub_database_url", _password(settings.hub_database_url)),
    ]
    keys = os.environ.get("JUPYTERHUB_CRYPT_KEY", "").split(";")
    named += [("JUPYTERHUB_CRYPT_KEY", key) for key in keys]
    services = hub.get("services")
    for service in services if isinstance(services, list) else []:
        named.append((f"The token of the service {service['name']}", service.get("api_token")))
    for trait in ("service_tokens", "api_tokens"):
        tokens = hub.get(trait)
        if isinstance(tokens, dict):
            named += [(f"A token in c.JupyterHub.{trait}", token) for token in tokens]
    yield from ((what, secret) for what, secret in named if secret and isinstance(secret, str))


def _password(url: str) -> str | None:
    try:
        return make_url(url).password
    except ArgumentError:
        raise BadSetting(
            "database_url or hub_database_url cannot be read; it has to be an SQLAlchemy URL."
        ) from None


def _refuse_readable(settings: Sophon, config: Config) -> None:
    kept = [_sqlite_file(url) for url in (settings.database_url, settings.hub_database_url)]
    lent = [settings.environment_file, config.JupyterHub.get("ssl_key")]
    for file, mask in [*((file, 0o077) for file in kept), *((file, 0o027) for file in lent)]:
        if file and others_reach(Path(file), mask):
            raise BadSetting(f"{file} holds secrets, but others can read it. Run: chmod 600 {file}")


def _sqlite_file(url: str) -> str | None:
    parts = make_url(url)
    return parts.database if parts.get_backend_name() == "sqlite" else None
