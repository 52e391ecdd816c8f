"""The few answers of the Hub that the portal asks for, over a real socket.

Which accounts and tokens there are is up to the test; Root is the admin.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, HTTPError, RequestHandler

SERVICE_SCOPE = "access:services!service=sophon"
SERVICE_TOKEN = "token-of-the-portal"


@dataclass
class StubHub:
    """Accounts of the Hub; ``requests`` are the paths that were asked for.

    ``broken`` is a status with which the Hub answers everything, ``broken_accounts`` one for
    questions about accounts.
    """

    admins: set[str] = field(default_factory=lambda: {"root"})
    accounts: set[str] = field(default_factory=set)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    broken: int | None = None
    broken_accounts: int | None = None
    _given_out: int = 0
    port: int = 0
    _server: HTTPServer | None = None

    def reset(self) -> None:
        """Forget accounts and tokens."""
        self.admins = {"root"}
        self.accounts, self.tokens, self.requests = set(), {}, []
        self.broken = self.broken_accounts = None

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hub/api"

    def token(self, username: str, **changes: object) -> str:
        """A token of this account; ``changes`` override what the Hub says of it."""
        self.accounts.add(username)
        self._given_out += 1
        name = f"token-{username}-{self._given_out}"
        self.tokens[name] = {
            "kind": "user",
            "name": username,
            "admin": username in self.admins,
            "groups": [],
            "scopes": [SERVICE_SCOPE, f"read:users:name!user={username}"],
            "user_info": {"display_name": username.title()},
            **changes,
        }
        return name

    def revoke(self, token: str) -> None:
        """The token is wrong from now on."""
        del self.tokens[token]

    def start(self) -> None:
        """Listen; call it on a running event loop."""
        socket, self.port = bind_unused_port()
        self._server = HTTPServer(
            Application(
                [
                    ("/hub/api/user", _User, {"hub": self}),
                    ("/hub/api/users/([^/]+)", _Account, {"hub": self}),
                    ("/hub/api/", _Root, {"hub": self}),
                ]
            )
        )
        self._server.add_socket(socket)

    def stop(self) -> None:
        """Listen no more."""
        if self._server:
            self._server.stop()
            self._server = None


class _Handler(RequestHandler):
    def initialize(self, hub: StubHub) -> None:
        self.hub = hub

    def prepare(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.hub.requests.append(self.request.path)
        if self.hub.broken:
            raise HTTPError(self.hub.broken)

    def bearer(self) -> str:
        return self.request.headers.get("Authorization", "").partition(" ")[2]


class _Root(_Handler):
    def get(self) -> None:
        self.write({"version": "6.1.1"})


class _User(_Handler):
    def get(self) -> None:
        user = self.hub.tokens.get(self.bearer())
        if user is None:
            raise HTTPError(403)
        self.write(json.dumps(user))


class _Account(_Handler):
    def get(self, username: str) -> None:
        if self.bearer() != SERVICE_TOKEN:
            raise HTTPError(403)
        if self.hub.broken_accounts:
            raise HTTPError(self.hub.broken_accounts)
        if username not in self.hub.accounts:
            raise HTTPError(404)
        self.write(
            json.dumps({"kind": "user", "name": username, "admin": username in self.hub.admins})
        )
