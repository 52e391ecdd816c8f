"""One hub and one browser for all journeys, each with groups and projects of its own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.engine import docker_client, remove_namespace
from tests.journeys.site import Site

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hub with Docker, that ends and leaves nothing behind."""
    site = Site(tmp_path_factory.mktemp("site"))
    try:
        site.start()
        yield site
    finally:
        site.stop()
        with contextlib.closing(docker_client()) as engine:
            remove_namespace(engine, site.namespace)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS, headless=True
        )
        yield chromium
        chromium.close()


@pytest.fixture(autouse=True)
def keep_what_went_wrong(
    request: pytest.FixtureRequest, site: Site, tmp_path: Path
) -> Iterator[None]:
    """Show the end of the hub's log when a journey fails."""
    before = len(site.log())
    yield
    report = getattr(request.node, "rep_call", None)
    if report is not None and report.failed:
        print(f"the hub's log is {site.log_file}; its end:\n{site.log()[before:][-6000:]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let fixtures know how the test went."""
    report = yield
    setattr(item, f"rep_{report.when}", report)
    return report
