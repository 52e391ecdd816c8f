"""What the worker makes of what labs say of themselves, which may be anything."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sophon_lab.messages import is_genuine
from sqlalchemy import Engine

from sophon_hub import clock
from sophon_hub.lab_messages import HEADER, LabMessages
from sophon_hub.models import Lab, LabState, MemberRole, Person
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from sophon_hub.worker import pulse
from sophon_hub.worker.context import Context
from sophon_hub.worker.doors import PATIENCE
from tests import make
from tests.cast import Cast
from tests.waiting import free_port

BENCH = "/user/project-lens/bench/sophon/pulse"
TIDE = "/user/project-waves/tide/sophon/pulse"
PATIENCE_SECONDS = 30
EVERYBODY = ["ada", "grace", "alan", "barbara", "root", "edgar", "project-lens", "tmp-1", "nobody"]


@dataclass
class Labs:
    """Two labs behind a proxy; ``say`` is what each answers, by path."""

    say: dict[str, Any]
    keys: list[tuple[str, str]]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/routes":
            target = f"http://{request.host}"
            accounts = [("project-lens", "bench"), ("project-waves", "tide"), ("ada", "")]
            routes = [{"user": a, "server_name": s, "target": target} for a, s in accounts]
            return web.json_response(dict(enumerate([*routes, {"target": target}])))
        self.keys.append((request.path, request.headers[HEADER]))
        said = self.say[request.path]
        if isinstance(said, int):
            return web.Response(status=said, headers={"Location": TIDE})
        if isinstance(said, bytes):
            return web.Response(body=said)
        return web.json_response(said)


@dataclass
class World:
    """The labs and what the portal knows of them."""

    labs: Labs
    pulse: pulse.Pulse
    context: Context
    client: aiohttp.ClientSession

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            await self.pulse.look(self.client)

    def people(self, slug: str = "bench") -> list[tuple[str, str, bool]]:
        with reading(self.context.engine) as session:
            [lab] = [lab for lab in session.query(Lab) if lab.slug == slug]
            return [(one["username"], one["display_name"], one["watching"]) for one in lab.people]

    def put(self, state: LabState) -> None:
        with writing(self.context.engine) as session:
            for lab in session.query(Lab):
                lab.state = state


@pytest.fixture
async def world(sqlite_engine: Engine, tmp_path: Path) -> AsyncIterator[World]:
    with writing(sqlite_engine) as session:
        cast = Cast.enter(session)
        edgar = make.person(session, "edgar")
        ended = clock.utcnow() - timedelta(minutes=1)
        make.membership(session, cast.group, edgar, MemberRole.MEMBER, expires_at=ended)
        cast.people["ada"].display_name = "Ada Lovelace"
        make.lab(session, make.project(session, cast.group), "bench", state=LabState.RUNNING)
        waves = make.group(session, "waves")
        make.membership(session, waves, cast.people["barbara"], MemberRole.OWNER)
        project = make.project(session, waves, "waves")
        make.lab(session, project, "tide", state=LabState.RUNNING)
    labs, app = Labs({BENCH: {"people": []}, TIDE: {"people": []}}, []), web.Application()
    app.router.add_route("*", "/{path:.*}", labs.serve)
    server = TestServer(app)
    await server.start_server()
    settings = Sophon(data_dir=str(tmp_path), proxy_api_port=server.port)
    context = Context(sqlite_engine, None, settings)  # type: ignore[arg-type]
    async with aiohttp.ClientSession(timeout=PATIENCE) as client:
        yield World(labs, pulse.Pulse(context), context, client)
    await server.close()


async def test_who_is_in_a_lab_is_known_by_the_names_of_the_portal(world: World) -> None:
    world.labs.say[BENCH] = {"people": ["grace", "alan", "ada"], "display_names": {"ada": "Root"}}

    await world.look()

    assert world.people() == [
        ("ada", "Ada Lovelace", False),
        ("alan", "Alan", True),
        ("grace", "Grace", False),
    ]
    path, header = world.labs.keys[0]
    key = LabMessages.of(world.context.settings).public_key
    assert is_genuine(key, header, path, b"")


async def test_in_a_locked_lab_all_watch_but_whoever_locked_it(world: World) -> None:
    world.labs.say[BENCH] = {"people": ["grace", "root", "ada"]}
    with writing(world.context.engine) as session:
        [grace] = [person for person in session.query(Person) if person.username == "grace"]
        for lab in session.query(Lab):
            lab.locked_by_id = grace.id

    await world.look()

    watching = {name: is_watching for name, _, is_watching in world.people()}
    assert watching == {"ada": True, "grace": False, "root": True}


async def test_a_lab_can_claim_people_of_its_group_and_administrators_and_nobody_else(
    world: World,
) -> None:
    claim = {"people": [*EVERYBODY, "\x00", "ada"]}
    world.labs.say = {BENCH: claim, TIDE: claim}

    await world.look()

    assert [name for name, _, _ in world.people()] == ["ada", "alan", "grace", "root"]
    assert [name for name, _, _ in world.people("tide")] == ["barbara", "root"]


async def test_who_leaves_is_gone_and_of_a_lab_that_stops_nothing_is_written(world: World) -> None:
    world.labs.say[BENCH] = {"people": ["ada", "grace"]}
    await world.look()

    world.labs.say[BENCH] = {"people": ["grace"]}
    await world.look()
    assert [name for name, _, _ in world.people()] == ["grace"]

    world.put(LabState.STOPPING)
    world.labs.say[BENCH] = {"people": ["ada"]}
    await world.look()
    assert [name for name, _, _ in world.people()] == ["grace"]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"no JSON",
        b"\xff\xfe",
        b'"text"',
        b'{"people": "ada"}',
        b'{"people": [1]}',
        b'{"people": [' + b'"ada",' * 40_000 + b'"ada"]}',
        b'{"people": [' + b'"ada",' * 1000 + b'"ada"]}',
        b'{"people": ["' + b"a" * 300 + b'"]}',
        500,
        307,
    ],
)
async def test_what_is_no_answer_changes_nothing_at_first_and_then_nobody_is_there(
    world: World, said: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world.labs.say = {BENCH: {"people": ["ada"]}, TIDE: {"people": ["barbara"]}}
    await world.look()
    world.labs.say[BENCH] = said

    with caplog.at_level(logging.WARNING):
        await world.look(pulse.MISSED - 1)
        assert [name for name, _, _ in world.people()] == ["ada"]
        await world.look(3)

    assert world.people() == []
    assert [name for name, _, _ in world.people("tide")] == ["barbara"]
    assert caplog.text.count("project-lens/bench does not say how it is") == 1


async def test_a_proxy_that_is_away_is_said_once_and_asked_again_and_again(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[float] = []
    pause = asyncio.sleep

    async def count(seconds: float) -> None:
        rounds.append(seconds)
        await pause(0)

    monkeypatch.setattr(pulse.asyncio, "sleep", count)
    world.labs.say[BENCH] = {"people": ["ada"]}
    port, world.context.settings.proxy_api_port = (
        world.context.settings.proxy_api_port,
        free_port(),
    )
    asking = asyncio.create_task(world.pulse.run())
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(rounds) < 3:
                await pause(0.01)
            world.context.settings.proxy_api_port = port
            while not world.people():
                await pause(0.01)
    asking.cancel()

    assert caplog.text.count("cannot look who is in labs") == 1
