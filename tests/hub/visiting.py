"""A hub that offers temporary labs, and its visitors, over HTTP and in the engine."""

import io
import json
import re
import secrets
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from docker.api.client import APIClient
from docker.errors import NotFound
from hub_harness import LAB_IMAGE, PATIENCE, run_in
from running import Browser, RunningHub

from sophon_hub import names
from tests.engine import docker_client, remove_namespace
from tests.waiting import wait_for

TRY = "/services/sophon/try"
SKELETON = "/etc/security"
"""A folder with files in every image, in the part of those that images bring for homes."""


class VisitedHub(RunningHub):
    """A whole hub with real containers."""

    namespace = ""

    def numbers(self) -> dict[str, Any]:
        """What the API tells of the temporary labs."""
        answer = requests.get(f"{self.url}/services/sophon/api/v1/temporary", timeout=PATIENCE)
        numbers: dict[str, Any] = answer.json()
        return numbers

    def wait_for_pool(self, ready: int) -> None:
        wait_for(lambda: self.numbers()["ready"] == ready, f"{ready} labs to be ready")

    def at_hub(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask the Hub's API as the worker does."""
        token = (self.data / "worker-token").read_text().strip()
        return requests.request(
            method,
            f"{self.url}/hub/api{path}",
            headers={"Authorization": f"token {token}"},
            timeout=PATIENCE,
            **options,
        )

    def temporary_users(self) -> set[str]:
        found = self.at_hub("GET", "/users").json()
        return {user["name"] for user in found if names.is_temporary(user["name"])}

    def visit(self) -> "Visit":
        """A new visitor, who is in the lab."""
        return Visit.begin(self, self.browser())

    def restart(self, how: signal.Signals) -> None:
        self.end(how)
        self.start()


@dataclass
class Visit:
    """A browser that has a temporary lab."""

    hub: VisitedHub
    browser: Browser
    name: str

    @classmethod
    def begin(cls, hub: VisitedHub, browser: Browser) -> "Visit":
        answer = browser.submit(TRY, action="start")
        if answer.headers["Location"] == TRY:  # none was ready: the page looks again and again
            answer = wait_for(lambda: cls._turn(browser), "the turn to come")
        found = re.fullmatch(r"/user/(tmp-\w+)/lab", answer.headers["Location"])
        assert found, answer.headers
        return cls(hub, browser, found[1])

    @staticmethod
    def _turn(browser: Browser) -> requests.Response | None:
        answer = browser.page(TRY, allow_redirects=False)
        return answer if answer.status_code == 303 else None

    @property
    def path(self) -> str:
        return f"/user/{self.name}/"

    def enter(self) -> requests.Response:
        """Open JupyterLab, through all redirects."""
        return self.browser.page(f"{self.path}lab")

    def token(self) -> str:
        """What the programs in the lab have to talk to the Hub with."""
        code, said = run_in(self.container(), "sh", "-c", "cat /proc/*/environ | tr '\\0' '\\n'")
        assert said, code
        found = re.search(r"^JUPYTERHUB_API_TOKEN=(\S+)$", said, re.MULTILINE)
        assert found
        return found[1]

    def container(self) -> str:
        """The name of the lab's container: the one that was told this name."""
        found = self.find_container(self.name)
        assert found
        return found

    def find_container(self, name: str) -> str | None:
        with closing(docker_client()) as client:
            label = f"org.sophon.namespace={self.hub.namespace}"
            for container in client.containers(all=True, filters={"label": label}):
                try:
                    found = client.inspect_container(container["Id"])
                except NotFound:  # another one has just ended
                    continue
                if f"JUPYTERHUB_USER={name}" in found["Config"]["Env"]:
                    return str(found["Name"].lstrip("/"))
        return None

    def leave(self) -> None:
        answer = self.browser.submit(TRY, action="end")
        assert answer.status_code == 303, answer.text


def make_image(docker: APIClient, name: str, *labels: str) -> str:
    """Build the image of temporary labs under this name, with further labels; gives its id."""
    named = " ".join([f"org.sophon.skeleton={SKELETON}", *labels])
    recipe = f"FROM {LAB_IMAGE}\nLABEL {named}\n"
    for _ in docker.build(fileobj=io.BytesIO(recipe.encode()), tag=name, rm=True, decode=True):
        pass
    return str(docker.inspect_image(name)["Id"])


@contextmanager
def visited_hub(directory: Path, docker: APIClient, **settings: str) -> Iterator[VisitedHub]:
    """A running hub with this many labs, and nothing of it afterwards."""
    namespace = f"sophontest-{secrets.token_hex(4)}"
    image = f"{namespace}:latest"
    make_image(docker, image)
    hub = VisitedHub(
        directory,
        spawner="docker",
        namespace=namespace,
        images=json.dumps({"lab": {"image": image}}),
        temporary_labs="true",
        temporary_image="lab",
        **{"temporary_claims": "1000", **settings},
    )
    hub.namespace = namespace
    try:
        hub.start()
        yield hub
    finally:
        hub.end()
        remove_namespace(docker, namespace)
        docker.remove_image(image, force=True)
