"""Visitors who press the button at the same moment: seconds until JupyterLab's first answer."""

import contextlib
import re
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests
from docker.api.client import APIClient

from tests.bench.live import running_site
from tests.bench.memory import charged_mb
from tests.bench.report import Report, Target
from tests.engine import docker_client
from tests.journeys.site import Site
from tests.waiting import wait_for

HERD, CROWD = 10, 30
POOL = 12
ROUNDS = 3
IN_LAB = Target("p95", 0.5)
PATIENCE_SECONDS = 180
LOOK_SECONDS = 0.25
IDLE_SECONDS = 60
SETTINGS = {
    "SOPHON_TEMPORARY_LABS": "true",
    "SOPHON_TEMPORARY_POOL": str(POOL),
    "SOPHON_TEMPORARY_CAPACITY": "40",
    "SOPHON_TEMPORARY_CLAIMS": "10000",
}


@dataclass(frozen=True)
class Arrival:
    """How long it took, and whether a lab was ready."""

    seconds: float
    hit: bool


def measure(report: Report) -> None:
    """Ten at once on a full pool, more than once; then more than the pool holds."""
    with running_site(report, SETTINGS) as site:
        began = time.monotonic()
        _wait_for_pool(site)
        report.add("fill", "labs/s", [POOL / (time.monotonic() - began)])
        _add_idle(report, site)
        arrivals: list[Arrival] = []
        refills: list[float] = []
        for _ in range(ROUNDS):
            arrivals += _all_at_once(site, HERD, report)
            begin = time.monotonic()
            _wait_for_pool(site)
            refills.append(HERD / (time.monotonic() - begin))
        _write_down(report, "ten", arrivals, IN_LAB)
        report.add("refill", "labs/s", refills)
        _write_down(report, "thirty", _all_at_once(site, CROWD, report), None)
    report.note(f"the pool holds {POOL}; all visitors share this machine's cores with the labs")


def _add_idle(report: Report, site: Site) -> None:
    """What labs cost that nobody has taken yet, and so what pausing them could save."""
    with contextlib.closing(docker_client()) as engine:
        label = f"org.sophon.namespace={site.namespace}"
        labs = [container["Id"] for container in engine.containers(filters={"label": label})]
        before = [_processor_seconds(engine, lab) for lab in labs]
        begin = time.monotonic()
        time.sleep(IDLE_SECONDS)
        used = [
            _processor_seconds(engine, lab) - past for lab, past in zip(labs, before, strict=True)
        ]
        seconds = time.monotonic() - begin
        report.add("ready_lab.processor", "% of a core", [one / seconds * 100 for one in used])
        report.add("ready_lab.memory", "MiB", [charged_mb(engine, lab) for lab in labs])


def _processor_seconds(engine: APIClient, container: str) -> float:
    told = engine.stats(container, stream=False)["cpu_stats"]["cpu_usage"]
    return float(told["total_usage"]) / 1e9


def _write_down(report: Report, name: str, arrivals: list[Arrival], target: Target | None) -> None:
    report.add(f"{name}_in_lab", "s", [one.seconds for one in arrivals], target)
    hits = statistics.mean(one.hit for one in arrivals) * 100
    report.add(f"{name}_pool_hits", "%", [hits])


def _wait_for_pool(site: Site) -> None:
    numbers = f"{site.portal}api/v1/temporary"

    def is_full() -> bool:
        found = requests.get(numbers, timeout=30).json()
        return bool(found["ready"] >= POOL and not found["starting"] and not found["ending"])

    wait_for(is_full, "the pool to be full", PATIENCE_SECONDS)


def _all_at_once(site: Site, count: int, report: Report) -> list[Arrival]:
    """Everybody has the page open; the button is pressed by all at the same moment."""
    together = threading.Barrier(count)
    sessions = [requests.Session() for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        tasks = [pool.submit(_visit, site, session, together) for session in sessions]
        arrivals = [task.result() for task in tasks]
        report.say("in JupyterLab after " + _list(arrivals))
        list(pool.map(lambda session: _press(site, session, "end"), sessions))
    return arrivals


def _list(arrivals: list[Arrival]) -> str:
    return ", ".join(f"{one.seconds:.2f}" for one in sorted(arrivals, key=lambda a: a.seconds))


def _token(site: Site, session: requests.Session) -> str:
    page = session.get(f"{site.portal}try", timeout=60)
    found = re.search(r'name="_xsrf" value="([^"]*)"', page.text)
    assert found, page.text
    return found[1]


def _press(site: Site, session: requests.Session, action: str) -> None:
    form = {"_xsrf": _token(site, session), "action": action}
    answer = session.post(f"{site.portal}try", form, allow_redirects=False, timeout=60)
    assert answer.status_code == 303, answer.text


def _visit(site: Site, session: requests.Session, together: threading.Barrier) -> Arrival:
    form = {"_xsrf": _token(site, session), "action": "start"}
    together.wait(60)
    begin = time.monotonic()
    answer = session.post(f"{site.portal}try", form, allow_redirects=False, timeout=60)
    hit = "/user/" in answer.headers["Location"]
    while "/user/" not in answer.headers.get("Location", ""):
        assert time.monotonic() - begin < PATIENCE_SECONDS, "the turn never came"
        time.sleep(LOOK_SECONDS)
        answer = session.get(f"{site.portal}try", allow_redirects=False, timeout=60)
    page = session.get(site.url + answer.headers["Location"], timeout=60)
    assert page.status_code == 200, f"{page.status_code} {page.url}"
    assert "JupyterLab" in page.text
    return Arrival(time.monotonic() - begin, hit)
