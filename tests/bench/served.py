"""Servers in processes of their own: a stub of the Hub, or a portal that counts.

Each prints one line of JSON when it listens, and ends when its standard input does, so that
nothing stays behind whatever becomes of the bench. ``python -m tests.bench.served ROLE JSON``.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyterhub.services.auth import HubOAuth
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import RequestHandler

from sophon_hub.settings import Sophon
from sophon_hub.web import handlers, identity
from sophon_hub.web.app import make_app, make_portal
from tests.bench.report import Json
from tests.database import statements
from tests.web.stub_hub import SERVICE_SCOPE, SERVICE_TOKEN, StubHub

PREFIX = "/services/sophon/"
REPOSITORY = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def serving(role: str, **options: Any) -> Iterator[Json]:
    """A server in a process of its own; gives what it said when it listened."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.served", role, json.dumps(options)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the {role} did not start"
        yield json.loads(line)
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """Serve until the standard input ends."""
    role, options = sys.argv[1], json.loads(sys.argv[2])
    serve = serve_hub if role == "hub" else serve_portal
    asyncio.run(serve(**options))


async def serve_hub(admins: list[str], people: list[str]) -> None:
    """Answer for these people as the Hub does, at once."""
    hub = StubHub(admins=set(admins))
    hub.start()
    tokens = {username: hub.token(username) for username in people}
    await _say_and_wait({"api_url": hub.api_url, "tokens": tokens})


async def serve_portal(database_url: str, data_dir: str, hub_api_url: str) -> None:
    """Serve the portal as the service does, and tell at ``/counted`` what each request took."""
    settings = Sophon(data_dir=data_dir, database_url=database_url)
    settings.prepare_data_dir()
    hub_auth = HubOAuth(
        api_url=hub_api_url,
        api_token=SERVICE_TOKEN,
        base_url=PREFIX,
        hub_prefix="/hub/",
        oauth_client_id="service-sophon",
        access_scopes={SERVICE_SCOPE},
        cache_max_age=0,
    )
    portal = make_portal(settings, hub_auth)
    with statements(portal.engine) as seen:
        counter = Counter(seen)
        # where the base of all handlers looks it up
        handlers.__dict__["identify"] = counter.identify
        app = make_app(portal)
        app.settings["log_function"] = counter.note
        app.add_handlers(r".*", [("/counted", Counted, {"counter": counter})])
        socket, port = bind_unused_port()
        server = HTTPServer(app)
        server.add_socket(socket)
        await _say_and_wait({"port": port})


@dataclass
class Counter:
    """Takes the time of each request, with and without asking the Hub, and its statements."""

    seen: list[str]
    requests: list[Json] = field(default_factory=list)
    asking: float = 0.0

    async def identify(self, handler: RequestHandler, hub_auth: HubOAuth) -> identity.Caller:
        begin = time.perf_counter()
        try:
            return await identity.identify(handler, hub_auth)
        finally:
            self.asking += time.perf_counter() - begin

    def note(self, handler: RequestHandler) -> None:
        """Called by Tornado after each answer; requests come one after the other."""
        if isinstance(handler, Counted):
            return
        milliseconds = (handler.request.request_time() - self.asking) * 1000
        self.requests.append({"handler": milliseconds, "statements": len(self.seen)})
        self.asking = 0.0
        self.seen.clear()


class Counted(RequestHandler):
    """What was noted since the last time."""

    def initialize(self, counter: Counter) -> None:
        self.counter = counter

    def get(self) -> None:
        self.write({"requests": self.counter.requests})
        self.counter.requests = []


async def _say_and_wait(said: Json) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    read: Callable[[], str] = sys.stdin.read
    await asyncio.get_running_loop().run_in_executor(None, read)


if __name__ == "__main__":
    main()
