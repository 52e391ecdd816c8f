"""Latency of portal pages and API with 1,000 people, 100 groups and 10,000 projects and labs.

The same requests go, in turns, to a portal with 1,000 projects and labs, so that growth is seen
whatever else the machine does. ``request`` is what a client on loopback waits, with a token that
the portal asks a stub of the Hub about (what the Hub itself takes is `access_check`);
``handler`` is the part of it that the portal works, without asking about the token.
"""

import gzip
import inspect
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from sophon_hub.store import schema
from sophon_hub.store.engine import make_engine
from tests.bench import population
from tests.bench.population import ADMIN, MEMBER
from tests.bench.report import Json, Report, Target
from tests.bench.served import PREFIX, serving
from tests.postgres import new_database, postgres_server

GUEST = "guest"
SMALL, LARGE = 1_000, 10_000
ROUNDS = 200
WARM_UP = 5
PROJECT = population.project_slug(1)

MOST_MILLISECONDS = Target("median", 10)
MOST_STATEMENTS = Target("max", 4)
MOST_GROWTH = Target("median", 1.5)


@dataclass(frozen=True)
class Probe:
    """A request that is measured; ``targeted`` when the project names numbers for it."""

    name: str
    actor: str
    path: str
    targeted: bool = False

    @property
    def key(self) -> str:
        kind = "api" if self.path.startswith("api/") else "page"
        return f"{self.name}.{kind}.{self.actor}"


PROBES = [
    *(
        Probe("project_list", actor, path, targeted=actor == MEMBER)
        for path in ("api/v1/projects", "projects")
        for actor in (GUEST, MEMBER, ADMIN)
    ),
    *(
        Probe("group_list", actor, path)
        for path in ("api/v1/groups", "groups")
        for actor in (GUEST, MEMBER, ADMIN)
    ),
    Probe("project", MEMBER, f"api/v1/projects/{PROJECT}"),
    Probe("project", MEMBER, f"projects/{PROJECT}"),
    Probe("lab_list", MEMBER, f"api/v1/projects/{PROJECT}/labs"),
    Probe("own_projects", MEMBER, "api/v1/projects?mine=true"),
    Probe("search", MEMBER, "api/v1/projects?q=laser"),
    Probe("search", MEMBER, "projects?q=laser"),
    Probe("people_search", MEMBER, "api/v1/users?q=laser"),
    Probe("home", GUEST, ""),
    Probe("home", MEMBER, ""),
]


@dataclass
class Client:
    """Keeps a connection to a portal and takes the time of requests."""

    connection: HTTPConnection
    tokens: dict[str, str]

    def get(self, actor: str, path: str) -> tuple[float, int, bytes]:
        """Milliseconds, status and body."""
        headers = {"Accept-Encoding": "gzip"}
        if actor != GUEST:
            headers["Authorization"] = f"Bearer {self.tokens[actor]}"
        begin = time.perf_counter()
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        milliseconds = (time.perf_counter() - begin) * 1000
        if answer.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        return milliseconds, answer.status, body

    def counted(self) -> list[Json]:
        """What the portal noted of each request since the last time."""
        _, _, body = self.get(GUEST, "/counted")
        requests: list[Json] = json.loads(body)["requests"]
        return requests


@dataclass
class Taken:
    """The figures of one request, many times."""

    request: list[float] = field(default_factory=list)
    handler: list[float] = field(default_factory=list)
    statements: list[float] = field(default_factory=list)


def measure(report: Report) -> None:
    """Measure on SQLite, and on PostgreSQL when that was asked for."""
    _measure_on("sqlite", report)
    if not report.with_postgres:
        report.note("PostgreSQL is measured with --postgres")
        return
    try:
        _measure_on("postgresql", report)
    except pytest.fail.Exception as missing:
        report.note(f"PostgreSQL is not measured: {missing}")


def _measure_on(kind: str, report: Report) -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sophon-bench-")))
        people = [MEMBER, ADMIN]
        hub = stack.enter_context(serving("hub", admins=[ADMIN], people=people))
        server = stack.enter_context(postgres()) if kind == "postgresql" else ""
        clients = {}
        for size in (SMALL, LARGE):
            url = f"sqlite:///{directory}/{size}.sqlite"
            if server:
                url = stack.enter_context(new_database(server))
            _fill(url, size, report)
            clients[size] = stack.enter_context(_portal(url, directory / str(size), hub))
        for size, client in clients.items():
            milliseconds, status, _ = client.get(MEMBER, f"{PREFIX}api/v1/projects")
            assert status == 200, status
            report.add(f"{kind}.first_request.{size}", "ms", [milliseconds])
        for probe in PROBES:
            _measure_probe(kind, probe, clients, report)
        _measure_walk(kind, clients[LARGE], report)


@contextmanager
def postgres() -> Iterator[str]:
    """The tests' own PostgreSQL server, started without pytest."""
    yield from inspect.unwrap(postgres_server)()


@contextmanager
def _portal(url: str, data_dir: Path, hub: Json) -> Iterator[Client]:
    with serving(
        "portal", database_url=url, data_dir=str(data_dir), hub_api_url=hub["api_url"]
    ) as said:
        connection = HTTPConnection("127.0.0.1", said["port"], timeout=60)
        try:
            yield Client(connection, hub["tokens"])
        finally:
            connection.close()


def _fill(url: str, size: int, report: Report) -> None:
    report.say(f"filling a database with {size} projects and labs")
    engine = make_engine(url)
    try:
        schema.upgrade(engine)
        population.populate(engine, size)
    finally:
        engine.dispose()


def _measure_probe(kind: str, probe: Probe, clients: dict[int, Client], report: Report) -> None:
    key = f"{kind}.{probe.key}"
    path = PREFIX + probe.path
    for client in clients.values():
        _, status, _ = client.get(probe.actor, path)
        if status != 200:
            report.note(f"{key} is not measured: it answers {status}")
            return
        for _ in range(WARM_UP):
            client.get(probe.actor, path)
        client.counted()
    taken = {size: Taken() for size in clients}
    for _ in range(ROUNDS):
        for size, client in clients.items():
            taken[size].request.append(client.get(probe.actor, path)[0])
    for size, client in clients.items():
        counted = client.counted()
        taken[size].handler = [one["handler"] for one in counted]
        taken[size].statements = [one["statements"] for one in counted]
    large = taken[LARGE]
    time_target = MOST_MILLISECONDS if probe.targeted else None
    report.add(f"{key}.request", "ms", large.request, time_target)
    report.add(f"{key}.handler", "ms", large.handler, time_target)
    report.add(
        f"{key}.statements",
        "statements",
        large.statements,
        MOST_STATEMENTS if probe.targeted else None,
    )
    growth = statistics.median(large.handler) / statistics.median(taken[SMALL].handler)
    report.add(f"{key}.growth", "times", [growth], MOST_GROWTH if probe.targeted else None)


def _measure_walk(kind: str, client: Client, report: Report) -> None:
    """Every page of the list once: what is on it has not been shown before."""
    times: list[float] = []
    cursor = ""
    client.counted()
    while len(times) < ROUNDS:
        path = f"{PREFIX}api/v1/projects" + (f"?cursor={cursor}" if cursor else "")
        milliseconds, status, body = client.get(MEMBER, path)
        assert status == 200, status
        times.append(milliseconds)
        page: Any = json.loads(body)
        cursor = page["next"]
        if not cursor:
            break
    report.add(f"{kind}.project_list_walk.api.{MEMBER}.request", "ms", times)
    report.add(
        f"{kind}.project_list_walk.api.{MEMBER}.handler",
        "ms",
        [one["handler"] for one in client.counted()],
    )
