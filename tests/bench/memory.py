"""Memory of hub, proxy, portal and worker, after the start and after use, and of an idle lab.

Proportional set sizes: what a process has for itself, and its share of what several have. A lab
is all processes of its container. Needs the right to read other processes' maps (root).
"""

import contextlib
import time
from pathlib import Path

from docker.api.client import APIClient

from tests.bench.live import OWNER, make_labs, running_site
from tests.bench.report import Report
from tests.engine import docker_client
from tests.journeys.site import Site

REQUESTS = 300
LABS = 3
SETTLE_SECONDS = 5


def measure(report: Report) -> None:
    """Look at an unused hub, use it, look again."""
    with contextlib.closing(docker_client()) as engine, running_site(report) as site:
        time.sleep(SETTLE_SECONDS)
        _add_services(report, site, "after_start")
        owner, guest = site.api(OWNER), site.api()
        labs = make_labs(owner, LABS)
        for lab in labs:
            owner.start(lab.path)
        time.sleep(SETTLE_SECONDS)
        _add_labs(report, engine, site)
        for lab in labs:
            owner.stop(lab.path)
        for path in ("projects", "groups", labs[0].path):
            for _ in range(REQUESTS // 3):
                owner.expect(200, "GET", path)
        for page in ("", "projects", "groups"):
            for _ in range(REQUESTS // 3):
                guest.session.get(site.portal + page, timeout=60)
        _add_services(report, site, "after_use")
    report.note(f"use: {LABS} labs started and stopped, {2 * REQUESTS} requests of portal and API")


def pss_mb(pid: int) -> float:
    """Proportional set size of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} tells no Pss")


def charged_mb(engine: APIClient, container: str) -> float:
    """What the limit of a container is charged with, without files that could be forgotten."""
    told = engine.stats(container, stream=False)["memory_stats"]
    cache = told["stats"].get("inactive_file", told["stats"].get("total_inactive_file", 0))
    return float((told["usage"] - cache) / 2**20)


def _add_services(report: Report, site: Site, when: str) -> None:
    assert site.process is not None
    pids = {
        "hub": site.process.pid,
        "proxy": int((site.data_dir / "proxy.pid").read_text()),
        "portal": site.service_pid("portal"),
        "worker": site.service_pid("worker"),
    }
    sizes = {name: pss_mb(pid) for name, pid in pids.items()}
    for name, size in sizes.items():
        report.add(f"{name}.{when}", "MiB", [size])
    report.add(f"sum.{when}", "MiB", [sum(sizes.values())])


def _add_labs(report: Report, engine: APIClient, site: Site) -> None:
    sizes, charged = [], []
    for container in engine.containers(filters={"label": f"org.sophon.namespace={site.namespace}"}):
        table = engine.top(container["Id"], ps_args="-eo pid")
        sizes.append(sum(pss_mb(int(row[0])) for row in table["Processes"]))
        charged.append(charged_mb(engine, container["Id"]))
    report.add("idle_lab", "MiB", sizes)
    report.add("idle_lab.charged_to_its_limit", "MiB", charged)
