"""What an Apache in front costs: sign-in, pages, WebSockets, and the memory of open labs.

In front of a hub whose lab is a process, since what is measured is Apache; its own form and cookie
stand in for the module of a campus. ``direct`` is the hub's own proxy, without Apache and TLS.
"""

import asyncio
import contextlib
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import connect

from sophon_hub import names
from tests.bench.live import OWNER, PROJECT, end, make_labs
from tests.bench.memory import pss_mb
from tests.bench.report import Report
from tests.hub.apache_server import CAMPUS, PASSWORD, SHAPES, RunningApache
from tests.hub.upstreams import echo_of_sockets
from tests.journeys.campus import CampusSite
from tests.waiting import free_port, wait_for

SIGN_INS = 30
REQUESTS = 300
MESSAGES = 1000
TABS = 100
SOCKETS_OF_A_TAB = 4
SETTLE_SECONDS = 3
PAGE = "/services/sophon/projects"
ECHO = "/user/echo/socket"


def measure(report: Report) -> None:
    """One hub and one lab, and each shape of Apache in front of them."""
    proxy_api = free_port()
    environment = {"SOPHON_SPAWNER": "process", "SOPHON_PROXY_API_PORT": str(proxy_api)}
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="sophon-bench-"))
        site = CampusSite(Path(directory), "localhost", environment)
        stack.callback(end, site)
        report.say("starting a hub")
        site.start()
        _add_echo(site, proxy_api, stack.enter_context(echo_of_sockets()))
        stack.enter_context(_running_lab(site))
        for shape in SHAPES:
            with _reached_through(site, shape) as apache:
                _measure_shape(report, site, apache, shape)
    report.note(
        "sign_in: from the first request without cookies, by the form of the campus, to the"
        " portal's page for the person; nobody types. page: on one connection that stays open"
    )
    report.note(
        f"open_labs: {TABS} people's tabs of JupyterLab, {SOCKETS_OF_A_TAB} idle WebSockets each,"
        " of one real lab; memory is the proportional set size of all processes of Apache, both"
        " instances together where there are two"
    )


def _measure_shape(report: Report, site: CampusSite, apache: RunningApache, shape: str) -> None:
    public = HTTPSConnection("localhost", apache.port, context=apache.tls)
    direct = HTTPConnection("127.0.0.1", site.port)
    report.add(f"{shape}.sign_in", "ms", [_sign_in(site) for _ in range(SIGN_INS)])
    report.add(f"{shape}.page.direct", "ms", _ask(direct))
    report.add(f"{shape}.page", "ms", _ask(public))
    socket = f"127.0.0.1:{site.port}{ECHO}", f"localhost:{apache.port}{ECHO}"
    report.add(f"{shape}.socket.direct", "ms", _exchange(f"ws://{socket[0]}", None))
    report.add(f"{shape}.socket", "ms", _exchange(f"wss://{socket[1]}", apache.tls))
    _add_sizes(report, apache, f"{shape}.before")
    address, cookies = _events_of_the_lab(site)
    begin = time.monotonic()
    with _open_sockets(address, cookies, apache.tls, TABS * SOCKETS_OF_A_TAB):
        report.add(f"{shape}.open_labs.all_connected", "s", [time.monotonic() - begin])
        time.sleep(SETTLE_SECONDS)
        _add_sizes(report, apache, f"{shape}.open_labs")
        report.add(f"{shape}.open_labs.page", "ms", _ask(public))


def _add_echo(site: CampusSite, proxy_api: int, port: int) -> None:
    token = (site.data_dir / "proxy-token").read_text().strip()
    requests.post(
        f"http://127.0.0.1:{proxy_api}/api/routes/user/echo",
        json={"target": f"http://127.0.0.1:{port}"},
        headers={"Authorization": f"token {token}"},
        timeout=10,
    ).raise_for_status()


@contextmanager
def _reached_through(site: CampusSite, shape: str) -> Iterator[RunningApache]:
    """Apache runs in front, and requests believes its certificate."""
    with site.apache(shape) as apache, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(apache.certificate))
        yield apache


def _sign_in(site: CampusSite) -> float:
    """Milliseconds until somebody without any cookie has the page first asked for."""
    begin = time.perf_counter()
    with requests.Session() as browser:
        asked = browser.get(f"{site.url}/hub/login?next={quote(PAGE, safe='')}", timeout=30)
        form = {
            "httpd_username": OWNER,
            "httpd_password": PASSWORD,
            "httpd_location": asked.url.partition("?")[2],
        }
        landed = browser.post(f"{site.url}{CAMPUS}/enter", form, timeout=30)
    assert (landed.status_code, landed.url) == (200, site.url + PAGE), landed.url
    assert OWNER in landed.text
    return (time.perf_counter() - begin) * 1000


def _ask(connection: HTTPConnection) -> list[float]:
    """Milliseconds of requests for a page, one after the other."""
    times = []
    for _ in range(REQUESTS):
        begin = time.perf_counter()
        connection.request("GET", PAGE)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - begin) * 1000)
        assert answer.status == 200, answer.status
    connection.close()
    return times


def _exchange(address: str, tls: ssl.SSLContext | None) -> list[float]:
    """Milliseconds from a message to its echo."""
    times = []
    with connect(address, ssl=tls, proxy=None) as socket:
        socket.recv(30)
        for _ in range(MESSAGES):
            begin = time.perf_counter()
            socket.send("x" * 200)
            socket.recv(30)
            times.append((time.perf_counter() - begin) * 1000)
    return times


@contextmanager
def _running_lab(site: CampusSite) -> Iterator[None]:
    """A lab that is a process would outlive its hub, so it is stopped in the end."""
    with _reached_through(site, "single-event"):
        owner = site.api(OWNER)
        (lab,) = make_labs(owner, 1)
        owner.start(lab.path)
    try:
        yield
    finally:
        with _reached_through(site, "single-event"):
            owner.stop(lab.path)


def _events_of_the_lab(site: CampusSite) -> tuple[str, str]:
    """A WebSocket of the lab, and the cookies of somebody inside."""
    path = f"/user/{names.account_name(PROJECT)}/lab-1"
    with requests.Session() as browser:
        site.sign_in(browser, OWNER)
        assert browser.get(f"{site.url}{path}/lab", timeout=60).status_code == 200
        address = f"{site.url}{path}/api/events/subscribe"
        cookies = browser.prepare_request(requests.Request("GET", address)).headers["Cookie"]
    return address.replace("https", "wss", 1), cookies


@contextmanager
def _open_sockets(address: str, cookies: str, tls: ssl.SSLContext, count: int) -> Iterator[None]:
    """So many WebSockets are open meanwhile, in one thread."""
    loop = asyncio.new_event_loop()
    opened: list[object] = []
    done = asyncio.Event()

    async def hold() -> None:
        async with connect_async(
            address,
            ssl=tls,
            additional_headers={"Cookie": cookies},
            open_timeout=120,
            proxy=None,
        ) as socket:
            opened.append(socket)
            await done.wait()

    async def hold_all() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(hold())

    thread = threading.Thread(target=loop.run_until_complete, args=(hold_all(),))
    thread.start()
    try:
        wait_for(lambda: len(opened) == count or not thread.is_alive(), "all sockets", 180)
        assert len(opened) == count, f"{len(opened)} of {count} WebSockets opened"
        yield
        assert thread.is_alive(), "a WebSocket was closed"
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def _add_sizes(report: Report, apache: RunningApache, when: str) -> None:
    sizes = []
    for instance in apache.instances:
        for pid in instance.pids():
            # Apache ends spare processes whenever it likes
            with contextlib.suppress(OSError):
                sizes.append(pss_mb(pid))
    report.add(f"{when}.memory", "MiB", [sum(sizes)])
    report.add(f"{when}.processes", "processes", [len(sizes)])
