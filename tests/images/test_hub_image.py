"""The Hub's image: run as docs/admins.md says, used as people use it, replaced while labs run."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import docker_client, remove_namespace
from tests.images.building import run_build
from tests.images.lab_container import docker
from tests.journeys.site import REPOSITORY, Api, Site
from tests.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.hub]

DESCRIBED = re.compile(r"(?ms)^    (docker run --detach .*? sophon-hub/hub)$")
"""The command that docs/admins.md gives."""


class ContainerSite(Site):
    """A hub in a container: started with the documented command, and other names and ports."""

    def __init__(self, directory: Path, lab_image: str) -> None:
        images = {"lab": {"image": lab_image, "title": "JupyterLab"}}
        super().__init__(directory, {"SOPHON_IMAGES": json.dumps(images)})
        self.container = f"{self.namespace}-hub"
        self.volume = f"{self.namespace}-data"

    def command(self) -> str:
        """The documented command, with what tells this hub from others on the engine."""
        own = ("NAMESPACE", "PORT", "HUB_PORT", "PROXY_API_PORT", "PORTAL_PORT", "IMAGES")
        settings = {f"SOPHON_{name}": self._environment[f"SOPHON_{name}"] for name in own}
        more = [f"--env={name}={value}" for name, value in settings.items()]
        more += [f"--label=org.sophon.namespace={self.namespace}", "--health-interval=1s"]
        changes = {
            "--detach": shlex.join(["--detach", *more]),
            "--name sophon-hub": f"--name {self.container}",
            "--volume sophon-hub:": f"--volume {self.volume}:",
            "--restart unless-stopped": "--restart no",
        }
        found = DESCRIBED.search((REPOSITORY / "docs" / "admins.md").read_text())
        assert found, "docs/admins.md has lost its docker run command"
        command = found[1]
        for documented, changed in changes.items():
            assert documented in command
            command = command.replace(documented, changed)
        return command

    def start(self) -> None:
        docker("volume", "create", f"--label=org.sophon.namespace={self.namespace}", self.volume)
        done = subprocess.run(
            ["sh", "-c", self.command()], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        wait_for(self.is_healthy, "Docker to call the hub healthy", 120)

    def is_healthy(self) -> bool:
        state = json.loads(docker("inspect", "--format={{json .State}}", self.container))
        assert state["Running"], self.log()
        return bool(state["Health"]["Status"] == "healthy")

    def run_inside(self, *command: str) -> str:
        return docker("exec", self.container, *command)

    def admin_password(self) -> str:
        return self.run_inside("cat", "/srv/sophon/admin-password").strip()

    def log(self) -> str:
        return docker("logs", "--tail=60", self.container)

    def stop(self) -> None:
        with contextlib.suppress(AssertionError):
            docker("rm", "--force", self.container)


@pytest.fixture(scope="module")
def hub_image() -> str:
    """The Hub's image as the checkout says it now."""
    built = run_build("hub")
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr
    return str(json.loads(run_build("--list", "hub").stdout)[0]["tag"])


@pytest.fixture(scope="module")
def site(
    hub_image: str, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ContainerSite]:
    site = ContainerSite(tmp_path_factory.mktemp("site"), image)
    try:
        site.start()
        yield site
    finally:
        site.stop()
        with contextlib.closing(docker_client()) as engine:
            remove_namespace(engine, site.namespace)


@pytest.fixture(scope="module")
def admin(site: ContainerSite) -> Api:
    return site.api("admin")


@pytest.fixture(scope="module")
def lab(admin: Api) -> str:
    """A lab that has not run yet, by its path in the API."""
    slug = f"w{secrets.token_hex(4)}"
    admin.expect(201, "POST", "groups", json={"name": slug, "access": "open"})
    project = {"group": slug, "name": slug, "visibility": "private"}
    admin.expect(201, "POST", "projects", json=project)
    admin.expect(201, "POST", f"projects/{slug}/labs", json={"name": "main", "internet": False})
    return f"projects/{slug}/labs/main"


def labs_of(site: ContainerSite) -> str:
    """Ids of the containers that run labs of this hub."""
    mine = f"label=org.sophon.namespace={site.namespace}"
    return docker("ps", "--quiet", "--filter", mine, "--filter", "label=org.sophon.kind=lab")


def test_a_lab_runs_beside_the_hub_outlives_a_replaced_hub_and_stops(
    site: ContainerSite, admin: Api, lab: str
) -> None:
    admin.start(lab)
    visit = site.visit("admin", lab)
    assert visit.enter() == 200
    visit.write("thesis.txt", "chapter one")
    before = labs_of(site)
    assert len(before.split()) == 1

    docker("stop", site.container)
    docker("rm", site.container)
    site.start()

    assert labs_of(site) == before
    assert visit.read("thesis.txt") == "chapter one"
    assert site.visit("admin", lab).enter() == 200
    admin.stop(lab)
    assert labs_of(site) == ""


def test_labs_beside_a_hub_in_a_container_still_do_not_reach_each_other(
    site: ContainerSite,
) -> None:
    options = docker("network", "inspect", "--format={{json .Options}}", f"{site.namespace}-labs")
    assert json.loads(options)["com.docker.network.bridge.enable_icc"] == "false"


def test_the_hub_is_not_root_and_keeps_no_tools_to_build_with(site: ContainerSite) -> None:
    assert site.run_inside("id", "--user") == "1000"
    look = "for tool in pip npm gcc make curl git; do command -v $tool; done; :"
    assert site.run_inside("sh", "-c", look) == ""
    assert site.run_inside("find", "/opt", "-name", "pip") == ""


def test_a_hub_that_is_not_there_is_not_healthy(hub_image: str) -> None:
    with pytest.raises(AssertionError, match="Connection refused"):
        docker("run", "--rm", hub_image, "/opt/sophon/container/healthy")


def test_the_image_starts_for_others_when_its_address_is_https(hub_image: str) -> None:
    def check(*variables: str) -> str:
        settings = [f"--env=SOPHON_{variable}" for variable in variables]
        return docker("run", "--rm", "--network=none", *settings, hub_image, "sophon-hub", "check")

    assert check("PUBLIC_URL=https://hub.example.edu/") == ""
    with pytest.raises(AssertionError, match="without TLS"):
        check("HOST=0.0.0.0")
    with pytest.raises(AssertionError, match="Set it to https://"):
        check("PUBLIC_URL=http://hub.example.edu/")
