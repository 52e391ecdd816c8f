"""A course begins: sixty people start their own labs at once, and go on using the portal."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from docker.api.client import APIClient

from tests.bench.live import LOOK_SECONDS, running_site
from tests.bench.memory import charged_mb
from tests.bench.report import Report, Target
from tests.engine import docker_client
from tests.journeys.site import Api, Site

PEOPLE = 60
AT_ONCE = 20
PATIENCE_SECONDS = 1200
IDLE_SECONDS = 20
PAUSE_SECONDS = 0.2
LAB = "me/lab"
SETTINGS = {"SOPHON_START_TIMEOUT": str(PATIENCE_SECONDS)}
PORTAL_MEANWHILE = Target("p95", 500)


def measure(report: Report) -> None:
    """Everybody starts, then all labs are idle; the portal is asked for pages all the time."""
    people = {f"student-{number}": f"Student {number}" for number in range(1, PEOPLE + 1)}
    with (
        contextlib.closing(docker_client()) as engine,
        running_site(report, SETTINGS, people) as site,
    ):
        report.say("everybody signs in")
        with ThreadPoolExecutor(2) as pool:
            students = list(pool.map(site.api, people))
        before = available_mb()
        with asking(report, site, students[0], "while_starting", PORTAL_MEANWHILE):
            seconds = start_all(students)
        report.add("start", "s", seconds)
        report.add("all", "s", [max(seconds)])
        with asking(report, site, students[0], "while_running", PORTAL_MEANWHILE):
            time.sleep(IDLE_SECONDS)
        report.add("memory_of_the_machine.each", "MiB", [(before - available_mb()) / PEOPLE])
        report.add("memory.charged_to_a_lab", "MiB", charged(engine, site))
        report.say("everybody stops")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda student: student.stop(LAB), students))
    report.note(f"{PEOPLE} people; the labs may take {PATIENCE_SECONDS} s to answer, not 120")


def start_all(students: list[Api]) -> list[float]:
    """Seconds until the portal says that each lab runs, in the order in which they did."""
    begin = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda one: one.expect(202, "POST", f"{LAB}/start"), students))
    waiting, seconds = list(students), []
    while waiting:
        student = waiting.pop(0)
        state = student.lab_state(LAB)
        assert state != "failed", student.expect(200, "GET", LAB)["message"]
        if state == "running":
            seconds.append(time.monotonic() - begin)
        else:
            waiting.append(student)
        assert time.monotonic() - begin < PATIENCE_SECONDS, f"{len(waiting)} labs did not start"
        time.sleep(LOOK_SECONDS)
    return seconds


@contextlib.contextmanager
def asking(report: Report, site: Site, student: Api, when: str, target: Target) -> Iterator[None]:
    """Ask for pages in the background, one after the other; write down how long each took."""
    guest, over = site.api(), threading.Event()
    pages: list[float] = []
    answers: list[float] = []

    def ask() -> None:
        while not over.wait(PAUSE_SECONDS):
            begin = time.monotonic()
            assert guest.session.get(f"{site.portal}projects", timeout=60).ok
            middle = time.monotonic()
            student.expect(200, "GET", LAB)
            pages.append((middle - begin) * 1000)
            answers.append((time.monotonic() - middle) * 1000)

    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(ask)
        try:
            yield
        finally:
            over.set()
        task.result()
    report.add(f"portal.page.{when}", "ms", pages, target)
    report.add(f"portal.own_lab.{when}", "ms", answers)


def available_mb() -> float:
    """Memory that programs of this machine could still get."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel tells no MemAvailable")


def charged(engine: APIClient, site: Site) -> list[float]:
    """What the limit of each lab is charged with, in MiB."""
    label = f"org.sophon.namespace={site.namespace}"
    labs = [container["Id"] for container in engine.containers(filters={"label": label})]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda lab: charged_mb(engine, lab), labs))
