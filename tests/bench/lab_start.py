"""Cold start of a lab: from the POST that asks for it to its first answer through the proxy.

``entered`` is when somebody who has signed in at the Hub has JupyterLab's page, after the lab
asked the Hub who that is. Cold means that there is no container; the image is on this machine.
"""

import contextlib
import time
from datetime import UTC, datetime

from docker.api.client import APIClient

from tests.bench.live import OWNER, Door, Lab, make_labs, running_site
from tests.bench.report import Json, Report, Target
from tests.engine import docker_client
from tests.journeys.site import Api

RUNS = 6
TARGET = Target("median", 2.5)


def measure(report: Report) -> None:
    """Start labs that were never started, and once more with the home they have by then."""
    figures: dict[str, list[float]] = {"first_start": [], "next_start": [], "stop": []}
    created, started, entered, processor = [], [], [], []
    with contextlib.closing(docker_client()) as engine, running_site(report) as site:
        owner, door = site.api(OWNER), Door(site)
        for lab in make_labs(owner, RUNS):
            for name in ("first_start", "next_start"):
                clock, begin = datetime.now(UTC), time.monotonic()
                owner.expect(202, "POST", f"{lab.path}/start")
                figures[name].append(door.wait(lab, begin))
                door.enter(lab)
                entered.append(time.monotonic() - begin)
                container = _container(engine, site.namespace)
                created.append((_moment(container["Created"]) - clock).total_seconds())
                begun = _moment(container["State"]["StartedAt"])
                started.append((begun - clock).total_seconds())
                processor.append(_processor_seconds(engine, container["Id"]))
                owner.wait_for_state(lab.path, "running")
                figures["stop"].append(_stop(owner, lab))
            report.say(f"{lab.slug}: {figures['first_start'][-1]:.2f} s")
    report.add("first_start", "s", figures["first_start"], TARGET)
    report.add("next_start", "s", figures["next_start"], TARGET)
    report.add("entered", "s", entered)
    report.add("until_container_is_made", "s", created)
    report.add("until_container_runs", "s", started)
    report.add("processor_time_of_the_lab", "s", processor)
    report.add("stop", "s", figures["stop"])


def _stop(owner: Api, lab: Lab) -> float:
    begin = time.monotonic()
    owner.stop(lab.path)
    return time.monotonic() - begin


def _container(engine: APIClient, namespace: str) -> Json:
    """The one container of this hub."""
    label = f"org.sophon.namespace={namespace}"
    (container,) = engine.containers(filters={"label": label})
    told: Json = engine.inspect_container(container["Id"])
    return told


def _processor_seconds(engine: APIClient, container: str) -> float:
    """What the lab has used so far: the part of a start that other work does not lengthen much."""
    told = engine.stats(container, stream=False, one_shot=True)
    return float(told["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def _moment(text: str) -> datetime:
    """A time of the engine, which gives more digits than Python reads."""
    return datetime.fromisoformat(text[: len("2027-01-01T00:00:00.000000")]).replace(tzinfo=UTC)
