"""What temporary labs are told about the end of the visit."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sophon_lab.messages import is_genuine
from sqlalchemy import Engine

from sophon_hub.actions.temporary import ask_for_lab, note_ready, refill
from sophon_hub.lab_messages import HEADER, LabMessages
from sophon_hub.policy.actor import Actor
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import writing
from sophon_hub.worker.context import Context
from sophon_hub.worker.countdown import tell_visits
from tests.conftest import StoppedClock


@dataclass
class Labs:
    """A proxy, and all labs that it knows; ``status`` is what they answer."""

    accounts: list[str] = field(default_factory=list)
    heard: list[tuple[str, str, bytes]] = field(default_factory=list)
    status: int = 204

    async def serve(self, request: web.Request) -> web.Response:
        if request.path == "/api/routes":
            target = f"http://{request.host}"
            routes = [{"user": name, "server_name": "", "target": target} for name in self.accounts]
            return web.json_response(dict(enumerate([*routes, {"target": target}])))
        self.heard.append((request.path, request.headers[HEADER], await request.read()))
        return web.Response(status=self.status)


@pytest.fixture
async def labs() -> AsyncIterator[tuple[Labs, int]]:
    labs, app = Labs(), web.Application()
    app.router.add_route("*", "/{path:.*}", labs.serve)
    server = TestServer(app)
    await server.start_server()
    assert server.port
    yield labs, server.port
    await server.close()


def make_context(engine: Engine, directory: Path, port: int, **settings: Any) -> Context:
    made = Sophon(
        data_dir=str(directory),
        proxy_api_port=port,
        temporary_labs=True,
        base_url="/x/",
        **settings,
    )
    return Context(engine, None, made)  # type: ignore[arg-type]


def fill(context: Context, *, claim: bool) -> list[str]:
    """The names of the labs of a pool, of which a visitor has the first."""
    with writing(context.engine) as session:
        made = refill(session, context.settings, room=2)
        for name in made:
            note_ready(session, name)
        if claim:
            turn = ask_for_lab(session, Actor(via="page"), "d" * 64, context.settings)
            made.sort(key=lambda name: name != turn.lab)
    return made


async def test_a_visitors_lab_is_told_when_it_ends_and_no_other(
    sqlite_engine: Engine, tmp_path: Path, labs: tuple[Labs, int], stopped_clock: StoppedClock
) -> None:
    known, port = labs
    context = make_context(sqlite_engine, tmp_path, port)
    visited, pooled = fill(context, claim=True)
    known.accounts = [visited, pooled, "ada", "project-lens"]
    stopped_clock.forward(seconds=600)

    await tell_visits(context)

    ((path, header, body),) = known.heard
    assert path == f"/x/user/{visited}/sophon/visit-ends"
    assert is_genuine(LabMessages.of(context.settings).public_key, header, path, body)
    assert json.loads(body) == {
        "ends_in": 240 * 60 - 600,
        "idle_ends_in": 30 * 60 - 600,
        "keep_url": "/x/services/sophon/try",
    }


async def test_nobody_is_asked_while_there_is_no_visitor(
    sqlite_engine: Engine, tmp_path: Path, labs: tuple[Labs, int]
) -> None:
    known, port = labs
    context = make_context(sqlite_engine, tmp_path, port)
    known.accounts = fill(context, claim=False)

    await tell_visits(context)

    assert known.heard == []


async def test_a_lab_or_proxy_that_does_not_answer_is_only_noted(
    sqlite_engine: Engine,
    tmp_path: Path,
    labs: tuple[Labs, int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    known, port = labs
    context = make_context(sqlite_engine, tmp_path, port)
    known.accounts, known.status = fill(context, claim=True), 500
    with caplog.at_level("INFO", logger="sophon.worker"):
        await tell_visits(context)
    assert "was not told when it ends" in caplog.text

    context.settings.proxy_api_port = 1
    await tell_visits(context)
    assert "cannot ask the proxy where temporary labs run" in caplog.text
