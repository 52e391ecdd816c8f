"""A real portal on loopback, before a stub of the Hub's answers."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.services.auth import HubOAuth
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from sophon_hub.models import Base
from sophon_hub.settings import Sophon
from sophon_hub.web.app import make_app, make_portal
from sophon_hub.web.portal import Portal
from tests.web.stub_hub import SERVICE_SCOPE, SERVICE_TOKEN, StubHub

PREFIX = "/services/sophon/"


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Client:
    """Somebody who talks to the portal: a guest without token, else a person."""

    portal_url: str
    token: str | None = None

    async def request(
        self,
        method: str,
        path: str,
        json_body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request to a path below the portal's prefix; JSON when ``json_body`` is given."""
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent.setdefault("Content-Type", "application/json")
        response: HTTPResponse = await AsyncHTTPClient().fetch(
            self.portal_url + path,
            method=method,
            headers=sent,
            body=body,
            allow_nonstandard_methods=True,
            follow_redirects=False,
            raise_error=False,
            request_timeout=20,
        )
        return Answer(response.code, response.headers, response.body.decode("utf-8", "replace"))

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.request("GET", path, **options)

    async def post(self, path: str, json_body: Any = None, **options: Any) -> Answer:
        return await self.request("POST", path, json_body, **options)

    async def put(self, path: str, json_body: Any = None, **options: Any) -> Answer:
        return await self.request("PUT", path, json_body, **options)

    async def patch(self, path: str, json_body: Any = None, **options: Any) -> Answer:
        return await self.request("PATCH", path, json_body, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.request("DELETE", path, **options)


@dataclass
class Site:
    """A running portal."""

    portal: Portal
    hub: StubHub
    url: str

    def client(self, username: str | None = None) -> Client:
        """A client of this person; a guest without a name."""
        return Client(self.url, self.hub.token(username) if username else None)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    hub = StubHub(admins={"root"})
    hub.start()
    settings = Sophon(data_dir=str(tmp_path / "data"))
    settings.prepare_data_dir()
    hub_auth = HubOAuth(
        api_url=hub.api_url,
        api_token=SERVICE_TOKEN,
        base_url=PREFIX,
        hub_prefix="/hub/",
        oauth_client_id="service-sophon",
        access_scopes={SERVICE_SCOPE},
        cache_max_age=0,
    )
    portal = make_portal(settings, hub_auth)
    Base.metadata.create_all(portal.engine)
    socket, port = bind_unused_port()
    server = HTTPServer(make_app(portal))
    server.add_socket(socket)
    yield Site(portal, hub, f"http://127.0.0.1:{port}{PREFIX}")
    server.stop()
    await server.close_all_connections()
    hub.stop()
    portal.executor.shutdown()
    portal.engine.dispose()
