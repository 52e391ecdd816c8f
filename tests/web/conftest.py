"""A real portal on loopback, before a stub of the Hub's answers.

One server a module; each test gets a fresh copy of the database.
"""

import asyncio
import base64
import hashlib
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.httpclient import JupyterHubHTTPClient
from jupyterhub.services.auth import HubOAuth
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, create_signed_value

from sophon_hub.audit import EventBudget
from sophon_hub.models import AuditEvent
from sophon_hub.settings import Sophon
from sophon_hub.store import schema
from sophon_hub.store.engine import make_engine, writing
from sophon_hub.web.app import make_app, make_portal
from sophon_hub.web.looks import RecentLooks
from sophon_hub.web.portal import Portal
from tests.web import world
from tests.web.contract import Contract
from tests.web.stub_hub import SERVICE_SCOPE, SERVICE_TOKEN, StubHub

PREFIX = "/services/sophon/"
COOKIE = "service-sophon"


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def told(self) -> tuple[int, dict[str, str], str]:
        """Everything a client learns, without the time of day and the name of the request."""
        headers = {name.lower(): value for name, value in self.headers.get_all()}
        headers.pop("date", None)
        assert re.fullmatch("[0-9a-f]{32}", headers.pop("x-request-id"))
        return self.status, headers, self.text

    @property
    def wrong_fields(self) -> set[str]:
        """The fields that a 422 names."""
        assert self.status == 422, self.text
        assert all(error["message"] for error in self.json["errors"])
        return {error["field"] for error in self.json["errors"]}


@dataclass
class Client:
    """Somebody who talks to the portal: a guest without token, else a person."""

    portal_url: str
    token: str | None = None
    contract: Contract | None = None
    headers: dict[str, str] = field(default_factory=dict)

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
        sent = {**self.headers, **(headers or {})}
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
        answer = Answer(response.code, response.headers, response.body.decode("utf-8", "replace"))
        if self.contract:
            self.contract.check(method, path, answer.status, answer.headers, answer.text)
        return answer

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
    """A running portal. Clients fail when an answer of the API is not what the contract says."""

    portal: Portal
    hub: StubHub
    url: str
    app: Application
    contract: Contract

    def client(self, username: str | None = None) -> Client:
        """A client of this person; a guest without a name."""
        return self.bearing(self.hub.token(username) if username else None)

    def bearing(self, token: str | None) -> Client:
        """A client with this token."""
        return Client(self.url, token, self.contract)

    def browser(self, username: str, *, session_id: str = "s1") -> Client:
        """A client with the session cookies of this person; ``xsrf_of`` gives its XSRF token."""
        token, name = self.hub.token(username), self.portal.hub_auth.cookie_name
        secret = self.app.settings["cookie_secret"]
        xsrf_id = f"{session_id}:{hashlib.sha256(token.encode()).hexdigest()}"
        signed = create_signed_value(secret, "_xsrf", xsrf_id)
        cookies = {
            name: create_signed_value(secret, name, token).decode(),
            "_xsrf": base64.urlsafe_b64encode(signed).rstrip(b"=").decode(),
            "jupyterhub-session-id": session_id,
        }
        header = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return Client(self.url, None, self.contract, {"Cookie": header})

    @contextmanager
    def rows(self) -> Iterator[Session]:
        """The database, to look or change things behind the portal's back."""
        with writing(self.portal.engine) as session:
            yield session

    def count_events(self) -> int:
        """How many audit events there are."""
        with self.rows() as session:
            return session.scalar(select(func.count()).select_from(AuditEvent)) or 0

    @contextmanager
    def without_hub(self) -> Iterator[None]:
        """The Hub cannot be reached meanwhile."""
        up = self.portal.hub_auth.api_url
        socket, port = bind_unused_port()
        socket.close()
        self.portal.hub_auth.api_url = f"http://127.0.0.1:{port}/hub/api"
        try:
            yield
        finally:
            self.portal.hub_auth.api_url = up

    @contextmanager
    def without_database(self) -> Iterator[None]:
        """The database cannot be opened meanwhile."""
        up = self.portal.engine
        self.portal.engine = make_engine("sqlite:////nowhere/at/all.sqlite")
        try:
            yield
        finally:
            self.portal.engine.dispose()
            self.portal.engine = up

    def reset(self, engine: Engine) -> None:
        """Start again with another database."""
        self.portal.engine = engine
        self.portal.known_people.clear()
        self.portal.looks = RecentLooks()
        self.portal.refusals = EventBudget()
        self.portal.hub_auth.cache.clear()
        self.hub.reset()


def xsrf_of(browser: Client) -> str:
    """The XSRF token of a session, as the portal's pages give it to scripts."""
    return SimpleCookie(browser.headers["Cookie"])["_xsrf"].value


@asynccontextmanager
async def serving(settings: Sophon) -> AsyncIterator[Site]:
    """A portal with these settings, without a database."""
    hub = StubHub()
    hub.start()
    hub_auth = HubOAuth(
        api_url=hub.api_url,
        api_token=SERVICE_TOKEN,
        base_url=PREFIX,
        hub_prefix="/hub/",
        oauth_client_id=COOKIE,
        access_scopes={SERVICE_SCOPE},
        cache_max_age=settings.access_cache_seconds,
    )
    portal = make_portal(settings, hub_auth)
    app = make_app(portal)
    socket, port = bind_unused_port()
    http = HTTPServer(app)
    http.add_socket(socket)
    yield Site(portal, hub, f"http://127.0.0.1:{port}{PREFIX}", app, Contract.of(PREFIX))
    http.stop()
    await http.close_all_connections()
    hub.stop()
    await JupyterHubHTTPClient.loop_instance().close()
    AsyncHTTPClient().close()
    portal.executor.shutdown()


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The portal of a module, without a database."""
    async with serving(Sophon(data_dir=str(tmp_path_factory.mktemp("portal")))) as site:
        yield site


def load(engine: Engine, path: Path) -> None:
    """Make an SQLite database equal to a file. Faster than an engine of its own for each test."""
    source = sqlite3.connect(path)
    target = engine.raw_connection()
    source.backup(target.driver_connection)
    target.close()
    source.close()


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without rows, to load."""
    path = tmp_path_factory.mktemp("empty") / "sophon.sqlite"
    engine = make_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="module")
def module_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The database of a module, to be loaded for each test."""
    engine = make_engine(f"sqlite:///{tmp_path_factory.mktemp('module')}/sophon.sqlite")
    yield engine
    engine.dispose()


@pytest.fixture
async def site(server: Site, module_engine: Engine, empty_file: Path) -> Site:
    """A portal whose database is empty."""
    load(module_engine, empty_file)
    server.reset(module_engine)
    return server


@pytest.fixture(scope="session")
def populated(empty_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with `tests.web.world` in it, to load."""
    path = tmp_path_factory.mktemp("world") / "sophon.sqlite"
    engine = make_engine(f"sqlite:///{path}")
    load(engine, empty_file)
    with writing(engine) as session:
        world.enter(session)
    engine.dispose()
    return path


@pytest.fixture
async def busy_site(server: Site, module_engine: Engine, populated: Path) -> Site:
    """A portal whose database holds `tests.web.world`."""
    load(module_engine, populated)
    server.reset(module_engine)
    return server


@pytest.fixture
async def site_on_any(server: Site, engine: Engine) -> Site:
    """A portal whose database is empty: the test runs on SQLite and on PostgreSQL."""
    server.reset(engine)
    return server


async def eventually(look: Callable[[], Any], what: str, seconds: float = 10) -> Any:
    """What ``look`` gives once it is true, while the server goes on."""
    async with asyncio.timeout(seconds):
        while not (seen := look()):
            await asyncio.sleep(0.01)
        return seen
    raise AssertionError(what)
