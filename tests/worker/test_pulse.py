"""What the worker makes of what labs say of themselves, which may be anything."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
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
from sophon_hub.actions import labs
from sophon_hub.lab_messages import HEADER, LabMessages
from sophon_hub.models import Lab, LabState, MemberRole, Person, PersonalLab
from sophon_hub.settings import Sophon
from sophon_hub.store import chain
from sophon_hub.store.engine import reading, writing
from sophon_hub.worker import pulse, usage
from sophon_hub.worker.context import Context
from sophon_hub.worker.doors import PATIENCE
from tests import make
from tests.actions import stage
from tests.cast import Cast, actor
from tests.conftest import StoppedClock
from tests.database import actions, events, jobs
from tests.waiting import free_port

BENCH = "/user/project-lens/bench/sophon/pulse"
OWN = "/user/ada/sophon/pulse"
NOBODY: dict[str, Any] = {"people": []}
TIDE = "/user/project-waves/tide/sophon/pulse"
PATIENCE_SECONDS = 30
EVERYBODY = ["ada", "grace", "alan", "barbara", "root", "edgar", "project-lens", "tmp-1", "nobody"]


@dataclass
class Labs:
    """Two labs behind a proxy; ``say`` is what each answers, by path."""

    say: dict[str, Any]
    keys: list[tuple[str, str]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/routes":
            target = f"http://{request.host}"
            accounts = [("project-lens", "bench"), ("project-waves", "tide"), ("ada", "")]
            accounts += [("tmp-1", ""), ("ada", "other"), ("grace", "")]
            routes = [{"user": a, "server_name": s, "target": target} for a, s in accounts]
            return web.json_response(dict(enumerate([*routes, {"target": target}])))
        self.keys.append((request.path, request.headers[HEADER]))
        self.told[request.path] = await request.json()
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

    def lab(self, slug: str = "bench") -> Lab:
        with reading(self.context.engine) as session:
            [lab] = [lab for lab in session.query(Lab) if lab.slug == slug]
            return lab

    def used(self, **values: Any) -> None:
        """Change all labs, personal ones too."""
        with writing(self.context.engine) as session:
            for lab in [*session.query(Lab), *session.query(PersonalLab)]:
                for name, value in values.items():
                    setattr(lab, name, value)

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
        make.personal_lab(session, cast.people["ada"], state=LabState.RUNNING)
        make.personal_lab(session, cast.people["grace"])
        project = make.project(session, waves, "waves")
        make.lab(session, project, "tide", state=LabState.RUNNING)
    labs, app = Labs(dict.fromkeys((BENCH, TIDE, OWN), NOBODY)), web.Application()
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
    assert {path for path, _ in world.labs.keys} == {BENCH, TIDE, OWN}
    key = LabMessages.of(world.context.settings).public_key
    for path, header in world.labs.keys:
        assert is_genuine(key, header, path, b'{"stops_in": null}')


def entered(world: World) -> list[tuple[str | None, str, str, str]]:
    """Who came into which lab in which mode, and who says so."""
    with reading(world.context.engine) as session:
        found = [event for event in events(session) if event.action == "lab:enter"]
        return [(one.actor, one.subject, one.detail["mode"], one.via) for one in found]


async def test_who_comes_into_a_lab_by_its_own_address_is_on_record_once_a_stay(
    world: World, stopped_clock: StoppedClock
) -> None:
    world.labs.say |= {BENCH: {"people": ["ada", "alan"]}, OWN: {"people": ["ada"]}}
    await world.look(3)
    first = [("ada", "lens/bench", "edit", "lab"), ("alan", "lens/bench", "watch", "lab")]
    assert entered(world) == first

    for said in (["alan"], ["ada", "alan"], [], ["ada", "alan"]):
        world.labs.say[BENCH] = {"people": said}
        await world.look()
    assert entered(world) == first, "coming back soon is the same stay"

    stopped_clock.forward(minutes=11)
    await world.look()
    assert entered(world) == first, "a long stay is one stay"
    for said in (["alan"], ["alan", "ada"]):
        world.labs.say[BENCH] = {"people": said}
        await world.look()
    assert entered(world) == [*first, first[0]]
    with reading(world.context.engine) as session:
        assert chain.system_verify(session).problem is None


async def test_who_has_opened_a_lab_in_the_portal_is_not_on_record_twice(
    world: World, stopped_clock: StoppedClock
) -> None:
    def open_as(name: str, slug: str = "bench") -> None:
        with writing(world.context.engine) as session:
            labs.open_lab(session, actor(session, name), stage.lab(session, slug))

    open_as("ada")
    open_as("root", "tide")
    stopped_clock.forward(minutes=9)
    world.labs.say |= {BENCH: {"people": ["ada", "grace"]}, TIDE: {"people": ["root"]}}
    await world.look()
    assert entered(world) == [("grace", "lens/bench", "edit", "lab")]

    world.labs.say[BENCH] = {"people": ["root"]}
    await world.look()
    assert entered(world)[1:] == [("root", "lens/bench", "edit", "lab")]
    stopped_clock.forward(minutes=1, seconds=1)
    world.labs.say[BENCH] = {"people": ["ada"]}
    await world.look()
    assert [who for who, *_ in entered(world)] == ["grace", "root", "ada"]


async def test_who_comes_into_a_new_lab_is_on_record_though_one_of_that_name_was_entered_before(
    world: World, stopped_clock: StoppedClock
) -> None:
    world.labs.say[BENCH] = {"people": ["ada"]}
    await world.look()
    stopped_clock.forward(minutes=1)
    with writing(world.context.engine) as session:
        old = stage.lab(session, "bench")
        project = old.project
        session.delete(old)
        session.flush()
        new = make.lab(session, project, "bench", state=LabState.RUNNING)
        new.created_at = clock.utcnow()

    await world.look(2)

    assert entered(world) == [("ada", "lens/bench", "edit", "lab")] * 2


async def test_two_workers_put_one_entry_on_record(world: World) -> None:
    answers = {
        ("project-lens", "bench"): usage.Report(frozenset({"ada"}), 5.0, True, clock.utcnow())
    }
    with reading(world.context.engine) as session:
        twice = [
            usage.find_news(session, world.context.settings, answers) for _ in ("one", "other")
        ]
    for news in twice:
        with writing(world.context.engine) as session:
            usage.write_down(session, news)
    assert len(entered(world)) == 1


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
    world.labs.say |= {BENCH: claim, TIDE: claim}

    await world.look()

    assert [name for name, _, _ in world.people()] == ["ada", "alan", "grace", "root"]
    assert [name for name, _, _ in world.people("tide")] == ["barbara", "root"]
    assert {(who, where) for who, where, *_ in entered(world)} == {
        *((name, "lens/bench") for name in ("ada", "alan", "grace", "root")),
        *((name, "waves/tide") for name in ("barbara", "root")),
    }


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
        b'{"idle_seconds": -1}',
        b'{"idle_seconds": 1e999}',
        b'{"idle_seconds": NaN}',
        b'{"busy": "perhaps"}',
        500,
        307,
    ],
)
async def test_what_is_no_answer_changes_nothing_at_first_and_then_nobody_is_there(
    world: World, said: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world.labs.say |= {BENCH: {"people": ["ada"]}, TIDE: {"people": ["barbara"]}}
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


LIMIT = 120 * 60


async def test_a_lab_is_used_when_it_says_so_and_not_when_a_tab_is_open(world: World) -> None:
    started = clock.utcnow() - timedelta(hours=1)
    world.used(started_at=started)
    world.labs.say[BENCH] = {"people": ["ada"], "idle_seconds": 600, "busy": True}
    world.labs.say[TIDE] = {"people": ["barbara"], "idle_seconds": 10_000, "busy": False}

    await world.look()

    bench, tide = world.lab(), world.lab("tide")
    assert bench.last_activity is not None
    assert timedelta(minutes=9) < clock.utcnow() - bench.last_activity < timedelta(minutes=12)
    assert bench.busy
    assert (tide.last_activity, tide.busy) == (started, False)
    world.labs.say[BENCH] = {"idle_seconds": 3000, "busy": False}
    await world.look()
    assert world.lab().last_activity == bench.last_activity
    assert not world.lab().busy


async def test_a_lab_that_nobody_works_in_is_warned_and_then_stopped(world: World) -> None:
    idle = {"people": ["ada"], "idle_seconds": LIMIT + 10, "busy": False}
    world.used(started_at=clock.utcnow() - timedelta(days=1))
    world.labs.say |= {BENCH: idle, OWN: idle, TIDE: {**idle, "idle_seconds": 5}}

    await world.look()
    stops_at = world.lab().stops_at
    assert stops_at is not None
    assert world.lab("tide").stops_at is None
    await world.look()
    assert 590 < world.labs.told[BENCH]["stops_in"] <= 600
    assert 590 < world.labs.told[OWN]["stops_in"] <= 600
    assert world.labs.told[TIDE] == {"stops_in": None}
    assert (world.lab().state, world.lab().stops_at) == (LabState.RUNNING, stops_at)

    world.labs.say[OWN] = {"idle_seconds": 1, "busy": False}
    world.used(stops_at=clock.utcnow() - timedelta(seconds=1))
    await world.look(2)
    with reading(world.context.engine) as session:
        bench = world.lab()
        assert (bench.state, bench.stop_reason) == (
            LabState.STOPPING,
            "nobody worked in it for 2 hours",
        )
        assert [kind for kind, _ in jobs(session)] == ["stop_lab"]
        assert actions(session) == ["lab:enter", "lab:halt"]
        own = session.query(PersonalLab).filter_by(state=LabState.RUNNING).one()
        assert own.stops_at is None
    assert world.lab("tide").state is LabState.RUNNING


async def test_a_lab_that_does_not_say_how_it_is_used_is_not_stopped(world: World) -> None:
    idle = {"idle_seconds": LIMIT, "busy": True}
    world.used(started_at=clock.utcnow() - timedelta(days=2))
    world.used(stops_at=clock.utcnow() - timedelta(seconds=1))
    world.labs.say |= {BENCH: 500, TIDE: idle}

    await world.look(pulse.MISSED + 1)

    assert (world.lab().state, world.lab().stops_at) == (LabState.RUNNING, None)
    assert (world.lab("tide").state, world.lab("tide").stops_at) == (LabState.RUNNING, None)
    assert world.lab("tide").busy


async def test_a_lab_that_somebody_keeps_at_the_last_moment_goes_on(world: World) -> None:
    world.used(started_at=clock.utcnow() - timedelta(days=1))
    world.used(stops_at=clock.utcnow() - timedelta(seconds=1))
    said = {("project-lens", "bench"): usage.Report(frozenset(), LIMIT, False, clock.utcnow())}
    with reading(world.context.engine) as session:
        news = usage.find_news(session, world.context.settings, said)
    assert [one.halt for one in news] == ["nobody worked in it for 2 hours"]

    world.used(stops_at=None, last_activity=clock.utcnow())
    with writing(world.context.engine) as session:
        usage.write_down(session, news)

    assert (world.lab().state, world.lab().stops_at) == (LabState.RUNNING, None)


async def test_nothing_is_written_of_a_lab_that_was_stopped_meanwhile(world: World) -> None:
    answers = {
        ("project-lens", "bench"): usage.Report(frozenset({"ada"}), 5.0, True, clock.utcnow())
    }
    with reading(world.context.engine) as session:
        news = usage.find_news(session, world.context.settings, answers)
    world.put(LabState.STOPPED)
    with writing(world.context.engine) as session:
        usage.write_down(session, news)
    assert (world.people(), world.lab().busy) == ([], False)
