"""How the worker tells labs, and what becomes of it when somebody does not answer."""

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sophon_lab.messages import is_genuine
from sqlalchemy import Engine

from sophon_hub.lab_messages import HEADER, LabMessages
from sophon_hub.settings import Sophon
from sophon_hub.worker.context import Context
from sophon_hub.worker.doors import tell_labs
from tests.waiting import free_port

ACCOUNTS = {"project-lens", "project-waves"}


class Labs:
    """Labs and a proxy that knows them; any of them may be away."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.routes: dict[str, Any] = {}

    async def serve(self, request: web.Request) -> web.Response:
        if request.path == "/api/routes":
            assert request.headers["Authorization"].startswith("token ")
            return web.json_response(self.routes)
        self.heard.append((request.path, request.headers[HEADER]))
        return web.Response(status=204)

    def add(self, account: str | None, server: str, target: str) -> None:
        self.routes[f"/{len(self.routes)}"] = {
            "user": account,
            "server_name": server,
            "target": target,
        }


@pytest.fixture
async def labs() -> AsyncIterator[tuple[Labs, TestServer]]:
    labs, app = Labs(), web.Application()
    app.router.add_route("*", "/{path:.*}", labs.serve)
    server = TestServer(app)
    await server.start_server()
    yield labs, server
    await server.close()


@pytest.fixture
def make_context(sqlite_engine: Engine, tmp_path: Path) -> Callable[[int], Context]:
    def make(port: int) -> Context:
        settings = Sophon(data_dir=str(tmp_path), proxy_api_port=port, base_url="/lab/")
        return Context(sqlite_engine, None, settings)  # type: ignore[arg-type]

    return make


Make = Callable[[int], Context]


async def test_the_labs_of_the_accounts_are_told_and_no_others(
    labs: tuple[Labs, TestServer], make_context: Make
) -> None:
    known, server = labs
    target = str(server.make_url("")).rstrip("/")
    known.add("project-lens", "bench", target)
    known.add("project-other", "bench", target)
    known.add("ada", "", target)
    known.add(None, "", target)
    assert server.port
    context = make_context(server.port)

    await tell_labs(context, ACCOUNTS)

    ((path, header),) = known.heard
    assert path == "/lab/user/project-lens/bench/sophon/revalidate"
    key = LabMessages.of(context.settings).public_key
    assert is_genuine(key, header, path, b"")


async def test_a_lab_that_does_not_answer_keeps_no_other_from_hearing(
    labs: tuple[Labs, TestServer], make_context: Make, caplog: pytest.LogCaptureFixture
) -> None:
    known, server = labs
    known.add("project-lens", "gone", f"http://127.0.0.1:{free_port()}")
    known.add("project-waves", "tank", str(server.make_url("")).rstrip("/"))
    assert server.port

    with caplog.at_level(logging.WARNING):
        await tell_labs(make_context(server.port), ACCOUNTS)

    assert [path for path, _ in known.heard] == ["/lab/user/project-waves/tank/sophon/revalidate"]
    assert "project-lens/gone" in caplog.text


async def test_a_proxy_that_does_not_answer_is_only_noted(
    make_context: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await tell_labs(make_context(free_port()), ACCOUNTS)

    assert "cannot ask the proxy where labs run" in caplog.text
