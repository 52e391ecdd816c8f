"""One real hub for all attacks: with containers, people of every kind, and a lab taken over."""

import contextlib
import io
import json
import secrets
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from docker.api.client import APIClient

from sophon_hub import names
from tests.engine import docker_client, remove_namespace
from tests.journeys.site import Api, LabVisit, Site
from tests.waiting import wait_for

LAB_IMAGE = "sophon-hub/lab:latest"
GROUP, PROJECT, OTHER_PROJECT = "optics", "lenses", "waves"
ACCESS_SECONDS = 1
SPARE_BYTES = 2 * 1024**3
HOSTILE_SERVER = Path(__file__).with_name("hostile_server.py")
SERVER_IN_IMAGE = "/opt/lab/bin/jupyterhub-singleuser"


@pytest.fixture(scope="session")
def engine() -> Iterator[APIClient]:
    """The Docker engine, to act inside containers."""
    with contextlib.closing(docker_client()) as client:
        yield client


@pytest.fixture(scope="session")
def hostile_image(engine: APIClient) -> Iterator[str]:
    """The lab image, but what answers visitors is the attacker's."""
    container = engine.create_container(LAB_IMAGE)["Id"]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(Path(SERVER_IN_IMAGE).name)
        content = HOSTILE_SERVER.read_bytes()
        entry.size, entry.mode = len(content), 0o755
        archive.addfile(entry, io.BytesIO(content))
    engine.put_archive(container, str(Path(SERVER_IN_IMAGE).parent), buffer.getvalue())
    image = f"sophontest-hostile-{secrets.token_hex(4)}"
    engine.commit(container, image, "1")
    engine.remove_container(container)
    yield f"{image}:1"
    engine.remove_image(f"{image}:1", force=True)


@pytest.fixture(scope="session")
def site(
    tmp_path_factory: pytest.TempPathFactory, hostile_image: str, engine: APIClient
) -> Iterator[Site]:
    """A hub as people start it, where a removed person is forgotten after a second.

    Two gigabytes more on the disk, and it has too little room.
    """
    room = shutil.disk_usage(engine.info()["DockerRootDir"]).free - SPARE_BYTES
    images = {"lab": {"image": LAB_IMAGE}, "hostile": {"image": hostile_image}}
    site = Site(
        tmp_path_factory.mktemp("attacked"),
        {
            "SOPHON_IMAGES": json.dumps(images),
            "SOPHON_ACCESS_CACHE_SECONDS": str(ACCESS_SECONDS),
            "SOPHON_RECONCILE_SECONDS": "5",
            "SOPHON_DISK_FLOOR": str(room),
        },
    )
    try:
        site.start()
        yield site
    finally:
        site.stop()
        remove_namespace(engine, site.namespace)


@dataclass(frozen=True)
class RunningLab:
    """A lab that runs, seen from outside and from inside its container."""

    site: Site
    project: str
    slug: str
    container: str

    @property
    def path(self) -> str:
        """Path of the lab in the portal's API."""
        return f"projects/{self.project}/labs/{self.slug}"

    @property
    def url(self) -> str:
        """Address of the lab for browsers, without a slash at its end."""
        return f"{self.site.url}/user/{names.account_name(self.project)}/{self.slug}"


@dataclass(frozen=True)
class Scene:
    """Ada owns the group, Grace is a member, Alan a viewer, and Barbara a stranger.

    The project ``lenses`` has a lab without internet, one with, and one that was taken over;
    ``waves`` has a lab of its own. Both are private.
    """

    site: Site
    ada: Api
    grace: Api
    alan: Api
    barbara: Api
    closed: RunningLab
    open: RunningLab
    hostile: RunningLab
    other: RunningLab

    def browser(self, username: str) -> requests.Session:
        """Somebody who has signed in and has used the portal, as a program."""
        session = requests.Session()
        self.site.sign_in(session, username)
        assert session.get(f"{self.site.portal}groups", timeout=30).ok
        return session

    def visit(self, username: str, lab: RunningLab) -> LabVisit:
        """The same person at the door of a lab."""
        return LabVisit(lab.url, self.browser(username))


@pytest.fixture(scope="session")
def scene(site: Site, engine: APIClient) -> Scene:
    """People, projects and running labs."""
    ada, grace, alan, barbara = (site.api(name) for name in ("ada", "grace", "alan", "barbara"))
    ada.expect(201, "POST", "groups", json={"name": GROUP, "visibility": "private"})
    for name, role in (("grace", "member"), ("alan", "viewer")):
        ada.expect(201, "PUT", f"groups/{GROUP}/members/{name}", json={"role": role})
    for project in (PROJECT, OTHER_PROJECT):
        form = {"group": GROUP, "name": project, "visibility": "private"}
        ada.expect(201, "POST", "projects", json=form)
    wanted = [
        (PROJECT, "closed", {"image": "lab", "internet": False}),
        (PROJECT, "open", {"image": "lab", "internet": True}),
        (PROJECT, "hostile", {"image": "hostile", "memory_limit": 256 * 1024**2}),
        (OTHER_PROJECT, "other", {"image": "lab", "internet": False}),
    ]
    for project, slug, settings in wanted:
        ada.expect(201, "POST", f"projects/{project}/labs", json={"name": slug, **settings})
        assert ada.request("POST", f"projects/{project}/labs/{slug}/start").status_code == 202
    labs = []
    for project, slug, _ in wanted:
        ada.wait_for_state(f"projects/{project}/labs/{slug}", "running")
        labels = [f"org.sophon.namespace={site.namespace}", f"org.sophon.lab={slug}"]
        (container,) = engine.containers(filters={"label": labels})
        labs.append(RunningLab(site, project, slug, container["Names"][0].lstrip("/")))
    scene = Scene(site, ada, grace, alan, barbara, *labs)
    # the Hub learns of members from the worker, a moment after the portal does
    visit = scene.visit("grace", scene.closed)
    wait_for(lambda: visit.enter() == 200, "Grace to be let in")
    return scene
