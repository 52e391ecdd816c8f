"""One hub and one browser for all journeys, each with groups and projects of its own."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from docker.api.client import APIClient
from playwright.sync_api import Browser

from tests.browser import running_chromium
from tests.engine import docker_client, remove_namespace
from tests.journeys.site import Api, Site
from tests.tls import domain_is_here

ONE_ORIGIN, SUBDOMAINS = "one origin", "subdomains"
in_both_modes = pytest.mark.parametrize("site", [ONE_ORIGIN, SUBDOMAINS], indirect=True)
"""Marks a journey that is made with one origin, and with one for each project's labs."""
with_subdomains = pytest.mark.parametrize("site", [SUBDOMAINS], indirect=True)


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Site]]:
    """Hubs with Docker, one of each mode that is asked for, that end and leave nothing behind."""
    made: dict[str, Site] = {}

    def site_of(mode: str) -> Site:
        if mode not in made:
            directory = tmp_path_factory.mktemp("site")
            environment = {"SOPHON_RECONCILE_SECONDS": "5"}
            made[mode] = Site(directory, environment, subdomains=mode == SUBDOMAINS)
            made[mode].start()
        return made[mode]

    with domain_is_here():
        try:
            yield site_of
        finally:
            for site in made.values():
                site.stop()
                with contextlib.closing(docker_client()) as engine:
                    remove_namespace(engine, site.namespace)


@pytest.fixture
def site(request: pytest.FixtureRequest, sites: Callable[[str], Site]) -> Site:
    """A hub with Docker; with one origin unless the journey is marked."""
    return sites(getattr(request, "param", ONE_ORIGIN))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; ended with the module, since asynchronous tests need the event loop."""
    with running_chromium() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def engine_client() -> Iterator[APIClient]:
    """The Docker engine, to look at what is really there."""
    with contextlib.closing(docker_client()) as client:
        yield client


@dataclass(frozen=True)
class Workplace:
    """A research group with a private project and a stopped lab, made for one journey."""

    owner: Api
    group: str
    project: str

    @property
    def lab(self) -> str:
        """Path of the lab in the API."""
        return f"projects/{self.project}/labs/main"

    def add(self, username: str, role: str = "member", expires_at: str | None = None) -> None:
        """Let somebody into the group."""
        self.owner.request(
            "PUT",
            f"groups/{self.group}/members/{username}",
            json={"role": role, "expires_at": expires_at},
        ).raise_for_status()

    def remove(self, username: str) -> None:
        """Take somebody out of the group."""
        self.owner.expect(204, "DELETE", f"groups/{self.group}/members/{username}")


@pytest.fixture(scope="session")
def token_holders() -> dict[str, Api]:
    """Ada at each hub: making a token takes a sign-in."""
    return {}


@pytest.fixture
def ada(site: Site, token_holders: dict[str, Api]) -> Api:
    """Ada, who owns what the journeys are about."""
    if site.url not in token_holders:
        token_holders[site.url] = site.api("ada")
    return token_holders[site.url]


@pytest.fixture
def workplace(ada: Api) -> Iterator[Workplace]:
    """A workplace of Ada's; in the trash, and its lab stopped, afterwards."""
    slug = f"w{secrets.token_hex(4)}"
    ada.expect(201, "POST", "groups", json={"name": slug, "access": "open"})
    project = {"group": slug, "name": slug, "visibility": "private"}
    ada.expect(201, "POST", "projects", json=project)
    ada.expect(201, "POST", f"projects/{slug}/labs", json={"name": "main", "internet": False})
    yield Workplace(ada, slug, slug)
    ada.request("DELETE", f"groups/{slug}")


@pytest.fixture(autouse=True)
def keep_what_went_wrong(
    request: pytest.FixtureRequest, site: Site, tmp_path: Path
) -> Iterator[None]:
    """Show the end of the hub's log when a journey fails."""
    before = len(site.log())
    yield
    report = getattr(request.node, "rep_call", None)
    if report is not None and report.failed:
        # pytest shows what is printed beside the failure
        print(f"the hub's log is {site.log_file}; its end:\n{site.log()[before:][-6000:]}")  # noqa: T201


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let fixtures know how the test went."""
    report = yield
    setattr(item, f"rep_{report.when}", report)
    return report
