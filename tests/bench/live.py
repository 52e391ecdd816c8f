"""A whole hub for one measurement, with people, a project and labs; nothing of it stays."""

import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

import requests

from sophon_hub import names
from tests.bench.report import Report
from tests.engine import docker_client, remove_namespace
from tests.journeys.site import PEOPLE, REPOSITORY, Api, Site

PROJECT = "measured"
OWNER = "ada"
LOOK_SECONDS = 0.02


@contextmanager
def running_site(
    report: Report,
    environment: dict[str, str] | None = None,
    people: dict[str, str] | None = None,
    configured: str = "",
) -> Iterator[Site]:
    """A hub that was started, and ends with everything it made; ``people`` instead of the usual.

    ``configured`` are more lines of its configuration.
    """
    with prepared_site(environment, people) as site:
        if configured:
            site.config_file = site.directory / "jupyterhub_config.py"
            usual = (REPOSITORY / "jupyterhub_config.py").read_text()
            site.config_file.write_text(f"{usual}\n{configured}\n")
        report.say("starting a hub")
        site.start()
        yield site


@contextmanager
def prepared_site(
    environment: dict[str, str] | None = None, people: dict[str, str] | None = None
) -> Iterator[Site]:
    """A hub that can be started; it ends, if it runs, and nothing stays."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="sophon-bench-"))
        namespace = f"bench-{secrets.token_hex(4)}"
        site = Site(
            Path(directory),
            {**(environment or {}), "SOPHON_NAMESPACE": namespace},
            people=people or PEOPLE,
        )
        site.namespace = namespace
        if site.environment.get("SOPHON_SPAWNER") != "process":
            stack.callback(_remove_namespace, namespace)
        stack.callback(end, site)
        yield site


def end(site: Site) -> None:
    """End the hub and its services, by force when they do not end when asked."""
    try:
        site.stop()
    except TimeoutExpired:
        site.kill_hub()
    for service in ("portal", "worker"):
        with contextlib.suppress(AssertionError):
            site.kill_service(service)


def _remove_namespace(namespace: str) -> None:
    with contextlib.closing(docker_client()) as engine:
        remove_namespace(engine, namespace)


@dataclass
class Lab:
    """A lab of the measured project: its address in the REST API and through the proxy."""

    site: Site
    slug: str

    @property
    def path(self) -> str:
        return f"projects/{PROJECT}/labs/{self.slug}"

    @property
    def url(self) -> str:
        return f"{self.site.url}/user/{names.account_name(PROJECT)}/{self.slug}"


def make_labs(owner: Api, count: int) -> list[Lab]:
    """A research group, its project and stopped labs in it."""
    owner.expect(201, "POST", "groups", json={"name": "Measured", "access": "open"})
    project = {"group": "measured", "name": "Measured", "slug": PROJECT}
    owner.expect(201, "POST", "projects", json=project)
    labs = []
    for number in range(1, count + 1):
        fields = {"name": f"Lab {number}", "slug": f"lab-{number}"}
        owner.expect(201, "POST", f"projects/{PROJECT}/labs", json=fields)
        labs.append(Lab(owner.site, fields["slug"]))
    return labs


class Door:
    """Looks through the proxy whether a lab answers, and lets in who has signed in at the Hub."""

    def __init__(self, site: Site, username: str = OWNER) -> None:
        self.session = requests.Session()
        login = f"{site.url}/hub/login"
        self.session.get(login, timeout=30)
        form = {
            "username": username,
            "password": site.password(username),
            "_xsrf": self.session.cookies.get("_xsrf", path="/hub/"),
        }
        answer = self.session.post(login, form, allow_redirects=False, timeout=30)
        assert answer.status_code == 302, f"{username} cannot sign in: {answer.status_code}"

    def is_open(self, lab: Lab) -> bool:
        """Whether the lab answers."""
        answer = self.session.get(f"{lab.url}/api", allow_redirects=False, timeout=30)
        return answer.status_code == 200

    def wait(self, lab: Lab, begin: float, seconds: float = 60) -> float:
        """Seconds since ``begin`` when the lab first answered."""
        while not self.is_open(lab):
            assert time.monotonic() - begin < seconds, f"{lab.slug} did not start"
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - begin

    def enter(self, lab: Lab) -> None:
        """Get JupyterLab's page, by way of the Hub, which the lab asks who this is."""
        answer = self.session.get(f"{lab.url}/lab", timeout=30)
        assert answer.status_code == 200, f"{lab.slug}: {answer.status_code}"
        assert answer.url.startswith(lab.url), answer.url
