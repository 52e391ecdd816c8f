"""What a running hub says of itself: proxy, Hub, portal, worker, and the work that waits."""

import functools
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from sophon_hub import clock, startup
from sophon_hub.doctor.findings import Finding, error, ok, trying, warning
from sophon_hub.hub_rights import PORTAL_SCOPES, WORKER_SCOPES
from sophon_hub.metrics import snapshot
from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.store import schema
from sophon_hub.store.engine import reading

SECONDS = 5
WORKER_SECONDS = 60
JOB_SECONDS = 120
RESTART = "Look into the Hub's log; restarting the hub keeps labs running."
NO_PROXIES = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""All of it is on this machine, whatever the environment says of proxies."""


class _NoAnswerError(Exception):
    """Nobody listens there, or not one of ours."""


def _ask(url: str, token: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"token {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own address
    try:
        with NO_PROXIES.open(request, timeout=SECONDS) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, None
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise _NoAnswerError(str(problem)) from None


def look(settings: Sophon, hub_host: str | None) -> Iterator[Finding]:
    """Ask everything that runs; ``hub_host`` is where the Hub's API listens, if that is known."""
    process = startup.holder_of_lock(settings)
    if process is None:
        yield warning("hub", "It does not run, so nothing was asked of it.", "Start it.")
        yield from _before_start(settings)
        return
    yield ok("hub", f"It runs as process {process}.")
    yield from _proxy(settings)
    yield from _hub(settings, hub_host)
    yield from _portal(settings)
    yield from _worker(settings)


def _before_start(settings: Sophon) -> Iterator[Finding]:
    """The program of the proxy, and ports; with containers the Hub's own address is made later."""
    yield from trying("program of the proxy", startup.proxy_command, "It is installed.")
    for endpoint in startup.endpoints(settings, "127.0.0.1"):
        probe = functools.partial(startup.refuse_taken, endpoint)
        yield from trying(f"port {endpoint.port}", probe, "It is free.")


def _token(settings: Sophon, name: str) -> str:
    path: Path = settings.data_path / name
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _proxy(settings: Sophon) -> Iterator[Finding]:
    address = f"http://127.0.0.1:{settings.proxy_api_port}/api/routes"
    try:
        status, routes = _ask(address, _token(settings, "proxy-token"))
    except _NoAnswerError as problem:
        yield error("proxy", f"It does not answer at {address}: {problem}.", RESTART)
        return
    if status != http.client.OK:
        todo = "Another proxy has its port, or its token was changed. Restart the hub."
        yield error("proxy", f"It does not take the token in proxy-token ({status}).", todo)
        return
    services = {route.get("service") for route in routes.values()}
    if not any(route.get("hub") for route in routes.values()) or "sophon" not in services:
        yield error("proxy", "It does not know the way to Hub and portal.", RESTART)
        return
    yield ok("proxy", f"It knows {len(routes)} ways.")


def _hub(settings: Sophon, host: str | None) -> Iterator[Finding]:
    if host is None:
        yield warning("Hub", "It could not be asked: the engine does not say where it listens.")
        return
    base = settings.base_url.strip("/")
    address = f"http://{host}:{settings.hub_port}/{base + '/' if base else ''}hub/api"
    for who, needed in (("portal", PORTAL_SCOPES), ("worker", WORKER_SCOPES)):
        check = f"Hub for the {who}"
        try:
            status, told = _ask(f"{address}/user", _token(settings, f"{who}-token"))
        except _NoAnswerError as problem:
            yield error(check, f"It does not answer at {address}: {problem}.", RESTART)
            continue
        if status != http.client.OK:
            todo = "The file was changed while the hub ran, or is another hub's. Restart the hub."
            yield error(check, f"It does not take the token in {who}-token ({status}).", todo)
            continue
        missing = sorted(set(needed) - set(told["scopes"]))
        if missing:
            todo = "Take out what changes load_roles below configure(c) in jupyterhub_config.py."
            yield error(check, f"The token lacks the scopes {', '.join(missing)}.", todo)
        else:
            yield ok(check, "It takes the token, which has all scopes.")


def _portal(settings: Sophon) -> Iterator[Finding]:
    base = settings.base_url.rstrip("/")
    address = f"http://127.0.0.1:{settings.portal_port}{base}/services/sophon/api/v1/health"
    try:
        status, _ = _ask(address)
    except _NoAnswerError as problem:
        yield error("portal", f"It does not answer at {address}: {problem}.", RESTART)
        return
    if status == http.client.OK:
        yield ok("portal", "It answers, and reaches its database and the Hub.")
    else:
        yield error("portal", "It does not reach its database, or the Hub.", RESTART)


def _worker(settings: Sophon) -> Iterator[Finding]:
    try:
        engine = schema.open_database(settings.database_url)
        schema.check(engine)
    except BadSetting:
        return  # said already
    yield from _of_worker(engine)
    engine.dispose()


def _of_worker(engine: Engine) -> Iterator[Finding]:
    now = clock.utcnow()
    with reading(engine) as session:
        found = snapshot.take(session, now)
    silent = now.timestamp() - found.worker_seen
    if silent > WORKER_SECONDS:
        since = (
            f"It has been silent for {silent:.0f} seconds."
            if found.worker_seen
            else "It never ran."
        )
        yield error("worker", since, RESTART)
    else:
        yield ok("worker", "It lives.")
    said = (
        f"{found.jobs} wait, {found.failing_jobs} after a failure; the oldest for {{:.0f}} seconds."
    )
    said = said.format(found.oldest_job_seconds)
    if found.oldest_job_seconds > JOB_SECONDS:
        yield warning("jobs", said, "The Hub's log says what fails; it is tried again.")
    else:
        yield ok("jobs", said if found.jobs else "None wait.")
