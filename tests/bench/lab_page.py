"""What JupyterLab's page costs a browser: bytes over the network and seconds until it is usable.

Three visits by one browser: to a lab for the first time, to the same lab again, and to another
lab for the first time, as by a second visitor at the same computer. JupyterLab's files may be
kept for a year and have one address for all labs; ``not_shared`` are the same visits where each
lab serves them below its own address.
"""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.bench.live import OWNER, Lab, make_labs, running_site
from tests.bench.report import Report
from tests.browser import running_chromium

ROUNDS = 3
NOT_SHARED = 'c.Spawner.args = ["--LabApp.override_static_url="]'
READY = ".jp-Launcher"
READY_MILLISECONDS = 120_000


@dataclass
class Traffic:
    """What a page has loaded so far."""

    requests: int = 0
    over_network: int = 0

    def finished(self, event: dict[str, Any]) -> None:
        """A response has come to its end; what comes from the browser's cache has no bytes."""
        self.requests += 1
        self.over_network += int(event["encodedDataLength"])


def measure(report: Report) -> None:
    """With shared files, then without."""
    _measure(report, "", "")
    _measure(report, "not_shared.", NOT_SHARED)


def _measure(report: Report, prefix: str, configured: str) -> None:
    """Each round has a browser of its own, without anything kept."""
    with running_site(report, configured=configured) as site, running_chromium() as browser:
        owner = site.api(OWNER)
        first, second = make_labs(owner, 2)
        for lab in (first, second):
            owner.start(lab.path)
        visits: dict[str, list[tuple[float, Traffic]]] = {}
        for _ in range(ROUNDS):
            with site.browser_of(browser, OWNER) as page:
                for name, lab in (("first", first), ("again", first), ("other_lab", second)):
                    visits.setdefault(name, []).append(_visit(page, lab))
    for name, made in visits.items():
        over_network = [one.over_network / 1e6 for _, one in made]
        report.add(f"{prefix}{name}.usable", "s", [seconds for seconds, _ in made])
        report.add(f"{prefix}{name}.over_network", "MB", over_network)
        report.add(f"{prefix}{name}.requests", "requests", [one.requests for _, one in made])


def _visit(page: Page, lab: Lab) -> tuple[float, Traffic]:
    """Seconds until the launcher is there, and what was loaded for it."""
    traffic = Traffic()
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", traffic.finished)
    page.goto("about:blank")
    begin = _now(page)
    page.goto(f"{lab.url}/lab?reset")
    page.locator(READY).first.wait_for(timeout=READY_MILLISECONDS)
    seconds = _now(page) - begin
    session.detach()
    return seconds, traffic


def _now(page: Page) -> float:
    return float(page.evaluate("Date.now()")) / 1000
