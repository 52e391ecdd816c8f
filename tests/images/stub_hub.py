"""A Hub that knows one person: enough of its API for jupyterhub-singleuser to let them in."""

from __future__ import annotations

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

USER = "ada"
PREFIX = f"/user/{USER}/"


class StubHub:
    """Serves on ``address`` while entered; ``calls`` lists what labs asked for."""

    def __init__(self, address: str) -> None:
        self.token = secrets.token_hex(16)
        self.calls: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.calls.append(f"GET {self.path}")
                if self.path.rstrip("/") == "/hub/api":
                    self.answer(200, {"version": "6.1.1"})
                elif self.path == "/hub/api/user" and hub.token in self.headers["Authorization"]:
                    self.answer(200, hub.person())
                else:
                    self.answer(404, {"message": "not here"})

            def do_POST(self) -> None:
                hub.calls.append(f"POST {self.path}")
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(200, {})

            def answer(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                """Keep the output of tests and benchmarks to themselves."""

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_address[1]}/hub/api"

    def person(self) -> dict[str, Any]:
        """Describe the one user as ``GET /user`` does for a token of theirs."""
        return {
            "kind": "user",
            "name": USER,
            "groups": [],
            "scopes": [f"access:servers!server={USER}/"],
            "user_info": {
                "name": "Ada Lovelace",
                "display_name": "Ada Lovelace",
                "initials": "AL",
                "color": "#aa33cc",
            },
        }

    def environment(self) -> dict[str, str]:
        """Return what the Hub puts into the environment of a server it starts."""
        return {
            "JUPYTERHUB_API_TOKEN": self.token,
            "JUPYTERHUB_API_URL": self.url,
            "JUPYTERHUB_BASE_URL": "/",
            "JUPYTERHUB_CLIENT_ID": f"jupyterhub-user-{USER}",
            "JUPYTERHUB_HOST": "",
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": f'["access:servers!server={USER}/"]',
            "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{PREFIX}oauth_callback",
            "JUPYTERHUB_SERVER_NAME": "",
            "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
            "JUPYTERHUB_SERVICE_URL": f"http://0.0.0.0:8888{PREFIX}",
            "JUPYTERHUB_USER": USER,
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.server.shutdown()
        self.server.server_close()
