"""What every template knows: the variables of the Hub's ``page.html``, and ours."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment
from jupyterhub.utils import url_path_join

from sophon_hub.pages import words
from sophon_hub.settings import Sophon
from sophon_hub.web.identity import Caller
from sophon_hub.web.portal import Portal

if TYPE_CHECKING:
    from sophon_hub.pages.base import PageHandler

STATIC = Path(__file__).resolve().parent.parent / "static"
LOCAL_ACCOUNTS = "sophon-local"


class FrameUser:
    """The signed-in person, with the attributes that the Hub's templates ask for."""

    def __init__(self, caller: Caller) -> None:
        self.name = caller.username or ""
        self.display_name = caller.display_name or self.name
        self.json_escaped_name = json.dumps(self.name)[1:-1].replace("<", "\\u003c")


@lru_cache
def version(file: str) -> str:
    """A word that changes when the file does, so that browsers may keep it for long."""
    return hashlib.sha256((STATIC / file).read_bytes()).hexdigest()[:12]


def environment(portal: Portal) -> Environment:
    """The templates with our filters."""
    if "visibilities" not in portal.templates.globals:
        words.install(portal.templates)
    return portal.templates


def _hub_static(hub_prefix: str) -> Any:
    def static_url(path: str, include_version: bool = True) -> str:
        return str(url_path_join(hub_prefix, "static", path))

    return static_url


def variables(handler: "PageHandler", caller: Caller, name: str) -> dict[str, Any]:
    """The frame of one page."""
    portal, settings = handler.portal, handler.portal.settings
    signed_in = caller.username is not None
    return {
        "base_url": portal.hub_prefix,
        "prefix": portal.addresses.base_url,
        "user": FrameUser(caller) if signed_in else None,
        "login_url": portal.prefix + "login?next=" + _quoted(handler),
        "logout_url": url_path_join(portal.hub_prefix, "logout"),
        "static_url": _hub_static(portal.hub_prefix),
        "version_hash": "",
        "parsed_scopes": {"admin-ui": {}} if caller.is_admin else {},
        "admin_access": False,
        "services": [],
        "no_spawner_check": True,
        "csp_nonce": handler.csp_nonce,
        "xsrf_token": handler.xsrf_token.decode("ascii"),
        "sophon_url": portal.prefix,
        "sophon_name": name or "Sophon Hub",
        "sophon_local_accounts": settings.authenticator == LOCAL_ACCOUNTS,
        "asset": lambda file: f"{portal.prefix}static/{file}?v={version(file)}",
        "announcement": _announcement(settings),
        "section": handler.section,
        "is_partial": handler.is_partial,
        "me": {"username": caller.username, "admin": caller.is_admin},
        "request_cursor": "cursor" in handler.request.query_arguments,
    }


def _quoted(handler: "PageHandler") -> str:
    safe = handler.request.method in {"GET", "HEAD"}
    return quote(handler.request.uri if safe else handler.request.path, safe="")


def _announcement(settings: Sophon) -> str:
    if settings.spawner != "process":
        return ""
    return (
        "Trial without containers: labs are plain processes and are <strong>not isolated</strong>"
        " from each other or from this machine."
    )
