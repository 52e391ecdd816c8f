"""A real OpenID provider beside the hub, and people who sign in with it.

provider = Provider()            # a process; provider.end() ends it
provider.config()                # lines for jupyterhub_config.py: c.SophonOAuthenticator...
provider.claims["groups"] = []   # what it says about the person from now on
provider.sign_in(browser)        # the whole flow; the last answer
provider.deny(browser)           # the person refuses at the provider
provider.callback(browser)       # address the provider sends back to, not yet visited
provider.prepare(userinfo=(500, "broken"))   # and provider.prepare() undoes it
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
from running import Browser

from tests.waiting import free_port, wait_for

PROGRAM = Path(__file__).with_name("openid_program.py")
CLIENT_ID = "sophon"
CLIENT_SECRET = "client-secret-of-the-hub"
ADA = {"sub": "1", "preferred_username": "ada", "name": "Ada Lovelace", "groups": ["maths"]}
LOGIN = "/hub/oauth_login"
PATHS = {"token": "/oauth2/token", "userinfo": "/userinfo"}
STAY: dict[str, Any] = {"allow_redirects": False, "timeout": 30}


class Provider:
    """`oidc-provider-mock` as a process on loopback; signs in whoever ``claims`` describes."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.claims: dict[str, Any] = dict(ADA)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Also again after `end`, at the same address; it remembers nobody then."""
        self._process = subprocess.Popen(
            [sys.executable, PROGRAM, str(self.port)],
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._is_up, "the OpenID provider to answer")

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the OpenID provider ended by itself"
        try:
            return requests.get(f"{self.url}/jwks", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def config(self) -> str:
        """Lines of configuration for ``sophon-oauth``; who may sign in is left to the test."""
        return f"""
c.SophonOAuthenticator.client_id = "{CLIENT_ID}"
c.SophonOAuthenticator.client_secret = "{CLIENT_SECRET}"
c.SophonOAuthenticator.authorize_url = "{self.url}/oauth2/authorize"
c.SophonOAuthenticator.token_url = "{self.url}/oauth2/token"
c.SophonOAuthenticator.userdata_url = "{self.url}/userinfo"
c.SophonOAuthenticator.scope = ["openid", "profile"]
c.SophonOAuthenticator.username_claim = "preferred_username"
c.SophonOAuthenticator.auth_state_groups_key = "oauth_user.groups"
c.SophonOAuthenticator.login_service = "the campus"
"""

    def sign_in(self, browser: Browser, start: str = LOGIN) -> requests.Response:
        """From this page of the hub to the provider and back; the last answer."""
        return browser.get(self.callback(browser, start), timeout=30)

    def deny(self, browser: Browser, start: str = LOGIN) -> requests.Response:
        """The person says no at the provider; the last answer."""
        form = browser.page(start)
        answer = browser.post(form.url, data={"action": "deny"}, **STAY)
        return browser.get(answer.headers["Location"], timeout=30)

    def callback(self, browser: Browser, start: str = LOGIN) -> str:
        """The address that the provider sends the browser back to, not yet visited."""
        self.tell()
        form = browser.page(start)
        assert form.url.startswith(self.url), form.url
        answer = browser.post(form.url, data={"sub": self.claims["sub"]}, **STAY)
        return answer.headers["Location"]

    def tell(self) -> None:
        """Let the provider know ``claims``, also for who is signed in already."""
        self._put(f"/users/{self.claims['sub']}", self.claims)

    def prepare(self, **answers: tuple[int, str]) -> None:
        """What ``token`` or ``userinfo`` answer from now on; without arguments as usual."""
        self._put("/test/answers", {PATHS[name]: answer for name, answer in answers.items()})

    def expire_codes(self) -> None:
        """No code that was given so far counts any longer."""
        requests.post(f"{self.url}/test/expire-codes", timeout=30).raise_for_status()

    def _put(self, path: str, value: Any) -> None:
        requests.put(self.url + path, json=value, timeout=30).raise_for_status()
