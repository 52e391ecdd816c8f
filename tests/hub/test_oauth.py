"""Sign-in with OAuth in a real Hub, against a provider that checks what it is sent."""

import base64
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from running import Browser, RunningHub
from traitlets.config import Config

from sophon_hub.authenticator.oauth import SophonOAuthenticator

pytestmark = pytest.mark.hub

ADA = {"sub": "1", "preferred_username": "ada", "name": "Ada Lovelace", "groups": ["maths"]}


class Provider(ThreadingHTTPServer):
    """Signs in whoever is in ``claims``; each code counts once, and with its PKCE verifier."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ProviderHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.claims: dict[str, Any] = dict(ADA)
        self.challenges: dict[str, str] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()


class ProviderHandler(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/userinfo":
            known = self.headers["Authorization"] == "Bearer the-token"
            self._answer(200 if known else 401, self.server.claims)
            return
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        assert query["code_challenge_method"] == "S256"
        code = f"code-{len(self.server.challenges)}"
        self.server.challenges[code] = query["code_challenge"]
        back = urlencode({"code": code, "state": query["state"]})
        self.send_response(302)
        self.send_header("Location", f"{query['redirect_uri']}?{back}")
        self.end_headers()

    def do_POST(self) -> None:
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        digest = hashlib.sha256(sent["code_verifier"][0].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        good = self.server.challenges.pop(sent["code"][0], None) == challenge
        token = {"access_token": "the-token", "token_type": "Bearer"}
        self._answer(200 if good else 400, token if good else {"error": "invalid_grant"})

    def _answer(self, status: int, value: Any) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.shutdown()
    provider.server_close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[RunningHub]:
    config = f"""
c.Authenticator.manage_groups = True
c.SophonOAuthenticator.allowed_users = {{"ada"}}
c.SophonOAuthenticator.client_id = "sophon"
c.SophonOAuthenticator.client_secret = "client-secret"
c.SophonOAuthenticator.authorize_url = "{provider.url}/authorize"
c.SophonOAuthenticator.token_url = "{provider.url}/token"
c.SophonOAuthenticator.userdata_url = "{provider.url}/userinfo"
c.SophonOAuthenticator.username_claim = "preferred_username"
c.SophonOAuthenticator.auth_state_groups_key = "oauth_user.groups"
c.SophonOAuthenticator.login_service = "the campus"
"""
    hub = RunningHub(tmp_path_factory.mktemp("oauth"), config=config, authenticator="sophon-oauth")
    hub.start()
    yield hub
    hub.end()


@pytest.fixture
def browser(hub: RunningHub, provider: Provider) -> Browser:
    provider.claims = dict(ADA)
    return hub.browser()


def groups_of(hub: RunningHub, username: str) -> set[str]:
    with sqlite3.connect(f"file:{hub.data}/jupyterhub.sqlite?mode=ro", uri=True) as database:
        rows = database.execute(
            "select groups.name from groups join user_group_map on group_id = groups.id"
            " join users on users.id = user_id where users.name = ?",
            [username],
        ).fetchall()
    return {name for (name,) in rows}


def test_the_login_page_leads_to_the_provider(browser: Browser) -> None:
    page = browser.page("/hub/login").text
    assert "Sign in with the campus" in page
    assert "/hub/oauth_login" in page


def test_a_person_signs_in_with_name_and_groups(
    browser: Browser, hub: RunningHub, provider: Provider
) -> None:
    browser.page("/hub/oauth_login")
    assert browser.name() == "ada"
    assert groups_of(hub, "ada") == {"maths"}
    provider.claims["groups"] = ["chess", "sophon-accounts", "sophon-engines-people"]
    again = hub.browser()
    again.page("/hub/oauth_login")
    assert again.name() == "ada"
    assert groups_of(hub, "ada") == {"chess"}


@pytest.mark.parametrize("name", ["mallory", "project-x", "tmp-1"])
def test_others_and_names_of_the_hub_are_refused(
    browser: Browser, provider: Provider, name: str
) -> None:
    provider.claims["preferred_username"] = name
    assert browser.page("/hub/oauth_login").status_code == 403
    assert browser.name() is None


def callback(browser: Browser) -> str:
    """The address that the provider sends the browser back to, not yet visited."""
    options: dict[str, Any] = {"allow_redirects": False, "timeout": 30}
    asked = browser.get(f"{browser.origin}/hub/oauth_login", **options)
    return browser.get(asked.headers["Location"], **options).headers["Location"]


def test_a_state_of_another_browser_is_refused(browser: Browser, hub: RunningHub) -> None:
    url = callback(browser)
    victim = hub.browser()
    assert victim.get(url, timeout=30).status_code in {400, 403}
    assert victim.name() is None
    browser.get(url, timeout=30)
    assert browser.name() == "ada"


def test_a_code_counts_once_and_only_for_its_verifier(browser: Browser, hub: RunningHub) -> None:
    first, second = callback(browser), callback(hub.browser())
    code = parse_qs(urlsplit(second).query)["code"][0]
    stolen = first.replace(parse_qs(urlsplit(first).query)["code"][0], code)
    assert browser.get(stolen, timeout=30).status_code >= 400
    assert browser.name() is None


async def test_a_refresh_keeps_research_groups_and_the_name(
    sqlite_engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    authenticator: Any = SophonOAuthenticator(
        config=Config({"Sophon": {"data_dir": str(tmp_path)}}), manage_groups=True
    )
    authenticator.engine = sqlite_engine
    authenticator.enable_auth_state = True
    authenticator.userdata_url = "https://provider.test/userinfo"
    authenticator.username_claim = "preferred_username"
    authenticator.auth_state_groups_key = "oauth_user.groups"

    async def claims(_token: Any) -> Any:
        return {**ADA, "groups": ["chess", "sophon-other-people"]}

    async def state() -> Any:
        return {"token_response": {"access_token": "x", "token_type": "Bearer"}}

    monkeypatch.setattr(authenticator, "token_to_user", claims)
    groups = [SimpleNamespace(name=name) for name in ("sophon-engines-people", "maths")]
    user = SimpleNamespace(name="ada", admin=False, groups=groups, get_auth_state=state)
    model = await authenticator.refresh_user(user)
    assert model["groups"] == ["chess", "sophon-engines-people"]
    assert model["user_info"]["display_name"] == "Ada Lovelace"
    assert model["user_info"]["initials"] == "AL"
