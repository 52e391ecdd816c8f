"""The end of the trash at a real hub: nothing is left, and who reuses an address finds nothing."""

import contextlib
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.api.client import APIClient
from sqlalchemy import select, update

from sophon_hub.clock import utcnow
from sophon_hub.models import Lab, ResearchGroup, ResearchProject
from sophon_hub.store.engine import make_engine, writing
from tests.journeys.conftest import Workplace
from tests.journeys.site import Api, LabVisit, Site
from tests.lab_visitor import Visitor
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]


@pytest.fixture
def admin(site: Site) -> Api:
    return site.api("admin")


def use(site: Site, admin: Api, workplace: Workplace, lab: str) -> tuple[LabVisit, str]:
    """Ada and Grace use a lab of the workplace, given by its path; one more may come into it.

    Gives Ada's visit, and the name of the lab's volume.
    """
    _, project, _, slug = lab.split("/")
    workplace.owner.start(lab)
    workplace.add("grace")
    owner, member = site.visit("ada", lab), site.visit("grace", lab)
    wait_for(lambda: member.enter() == 200, "Grace to be let in")
    assert owner.enter() == 200
    owner.write("secret.txt", "the old group's")
    # what people at a hub can do besides: share the server
    shared = admin.session.post(
        f"{site.url}/hub/api/shares/project-{project}/{slug}",
        json={"user": "barbara"},
        timeout=30,
    )
    assert shared.status_code == 200, shared.text
    with writing(make_engine(site.database_url)) as session:
        lab_row = session.scalars(
            select(Lab).join(Lab.project).where(ResearchProject.slug == project, Lab.slug == slug)
        ).one()
        return owner, f"{site.namespace}-home-{lab_row.uid}"


@pytest.fixture
def used(site: Site, admin: Api, workplace: Workplace) -> str:
    """A workplace whose lab was used by Ada and Grace; gives the name of the lab's volume."""
    _, volume = use(site, admin, workplace, workplace.lab)
    return volume


def rows_naming(site: Site, name: str) -> dict[str, list[tuple[object, ...]]]:
    """What the Hub's own database still says about something, in whatever table."""
    found: dict[str, list[tuple[object, ...]]] = {}
    address = f"file:{site.data_dir}/jupyterhub.sqlite?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as hub:
        tables = hub.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
        for (table,) in tables:
            rows = hub.execute(f'SELECT * FROM "{table}"').fetchall()
            naming = [row for row in rows if any(name in str(value) for value in row)]
            if naming:
                found[table] = naming
    return found


def engine_has(engine: APIClient, volume: str, project: str) -> bool:
    """Whether a volume, or a container of the project, is left."""
    volumes = engine.volumes(filters={"name": volume})["Volumes"]
    label = f"org.sophon.project={project}"
    return bool(volumes or engine.containers(all=True, filters={"label": label}))


def is_gone(admin: Api, engine: APIClient, volume: str, slug: str) -> bool:
    """Whether portal, engine and Hub know nothing of a workplace any more."""
    return (
        admin.request("GET", f"groups/{slug}").status_code == 404
        and not engine_has(engine, volume, slug)
        and not rows_naming(admin.site, slug)
    )


@dataclass
class Part:
    """A project or a lab with a name that nothing else has; ``owner`` has it in ``group``."""

    owner: Api
    group: str
    project: str
    lab: str

    @property
    def lab_path(self) -> str:
        return f"projects/{self.project}/labs/{self.lab}"

    def make_project(self) -> Any:
        project = {"group": self.group, "name": self.project, "visibility": "private"}
        return self.owner.expect(201, "POST", "projects", json=project)

    def make_lab(self) -> Any:
        """Make the lab; gives all that is told of it but the moment."""
        form = {"name": self.lab, "internet": False}
        made = self.owner.expect(201, "POST", f"projects/{self.project}/labs", json=form)
        return made | {"created_at": None}

    def use(self, site: Site, admin: Api, workplace: Workplace, engine: APIClient) -> "Traces":
        """Leave as much as people can leave in a lab, and at the Hub."""
        visit, volume = use(site, admin, workplace, self.lab_path)
        visitor = Visitor(visit.url, visit.session)
        kernel = {"name": "python3"}
        session = {"path": "old.ipynb", "type": "notebook", "name": "old", "kernel": kernel}
        visitor.expect("POST", "/api/sessions", json=session)
        self.owner.expect(200, "POST", f"{self.lab_path}/lock", json={"reason": "the old one's"})
        (container,) = engine.containers(filters={"volume": volume})
        environment = engine.inspect_container(container["Id"])["Config"]["Env"]
        token = dict(one.split("=", 1) for one in environment)["JUPYTERHUB_API_TOKEN"]
        assert knows_token(site, token)
        visits = {"ada": visit, "barbara": site.visit("barbara", self.lab_path)}
        assert visits["barbara"].enter() == 200
        self.owner.stop(self.lab_path)
        return Traces(volume, token, visits)


@dataclass
class Traces:
    """What is left of a lab that people have used."""

    volume: str
    token: str
    visits: dict[str, LabVisit]


def knows_token(site: Site, token: str) -> bool:
    """Whether the Hub still takes a token."""
    headers = {"Authorization": f"token {token}"}
    answer = requests.get(f"{site.url}/hub/api/user", headers=headers, timeout=30)
    assert answer.status_code in (200, 403), answer.text
    return answer.status_code == 200


def purge(owner: Api, path: str) -> None:
    """Move something to the trash, and have it removed for good."""
    owner.expect(204, "DELETE", path)
    owner.expect(202, "POST", f"{path}/purge", json={"confirm": path.rpartition("/")[2]})
    wait_for(lambda: owner.request("GET", path).status_code == 404, f"{path} to be gone", 90)


def shows_nothing_old(site: Site, part: Part, old: Traces) -> None:
    """Start the lab anew, and look around in it."""
    assert not knows_token(site, old.token)
    part.owner.start(part.lab_path)
    for visit in old.visits.values():
        assert visit.status() != 200
    assert old.visits["barbara"].enter() in (403, 404)
    visit = site.visit(part.owner.expect(200, "GET", "me")["username"], part.lab_path)
    wait_for(lambda: visit.enter() == 200, "the owner to be let in")
    visitor = Visitor(visit.url, visit.session)
    assert visitor.expect("GET", "/api/contents")["content"] == []
    for running in ("kernels", "sessions", "terminals"):
        assert visitor.expect("GET", f"/api/{running}") == []
    part.owner.stop(part.lab_path)


def test_what_an_owner_deletes_now_is_gone_and_a_reused_address_shows_nothing_of_it(
    site: Site, ada: Api, admin: Api, workplace: Workplace, used: str, engine_client: APIClient
):
    slug = workplace.group
    assert rows_naming(site, slug)
    old_visits = [site.visit(name, workplace.lab) for name in ("ada", "grace", "barbara")]
    ada.expect(204, "DELETE", f"groups/{slug}")
    ada.expect(422, "POST", f"groups/{slug}/purge", json={"confirm": "something else"})
    ada.expect(202, "POST", f"groups/{slug}/purge", json={"confirm": slug})
    wait_for(lambda: is_gone(admin, engine_client, used, slug), "everything to be gone", 90)

    alan = site.api("alan")
    alan.expect(201, "POST", "groups", json={"name": slug, "slug": slug})
    project = {"group": slug, "name": slug, "slug": slug, "visibility": "private"}
    alan.expect(201, "POST", "projects", json=project)
    alan.expect(201, "POST", f"projects/{slug}/labs", json={"name": "main", "internet": False})
    alan.start(workplace.lab)
    people = alan.expect(200, "GET", f"groups/{slug}/members")["items"]
    assert [person["username"] for person in people] == ["alan"]
    events = alan.expect(200, "GET", f"groups/{slug}/events")["items"]
    assert {event["actor"] for event in events} == {"alan"}
    visit = site.visit("alan", workplace.lab)
    wait_for(lambda: visit.enter() == 200, "Alan to be let in")
    listing = visit.session.get(f"{visit.url}/api/contents", timeout=30).json()["content"]
    assert [item["name"] for item in listing] == []
    for old in old_visits:
        assert old.enter() in (403, 404)
    for name in ("ada", "grace"):
        site.api(name).expect(404, "GET", f"projects/{slug}")
    alan.stop(workplace.lab)
    alan.expect(204, "DELETE", f"groups/{slug}")


def test_a_lab_deleted_for_good_leaves_nothing_to_a_new_one_at_its_address(
    site: Site, ada: Api, admin: Api, workplace: Workplace, engine_client: APIClient
):
    part = Part(ada, workplace.group, workplace.project, f"lab-{workplace.group}")
    first = part.make_lab()
    old = part.use(site, admin, workplace, engine_client)
    assert rows_naming(site, part.lab)
    purge(ada, part.lab_path)
    assert not engine_has(engine_client, old.volume, part.project)
    assert not rows_naming(site, part.lab)

    assert part.make_lab() == first
    events = ada.expect(200, "GET", f"projects/{part.project}/events")["items"]
    of_lab = [one["action"] for one in events if one["subject"] == f"{part.project}/{part.lab}"]
    assert of_lab[: of_lab.index("lab:purged")] == ["lab:create"]
    shows_nothing_old(site, part, old)


def test_a_project_deleted_for_good_leaves_nothing_to_a_new_one_at_its_address_in_another_group(
    site: Site, ada: Api, admin: Api, workplace: Workplace, engine_client: APIClient
):
    part = Part(ada, workplace.group, f"own-{workplace.group}", "main")
    account = f"project-{part.project}"
    part.make_project()
    first = part.make_lab()
    old = part.use(site, admin, workplace, engine_client)
    assert rows_naming(site, account)
    purge(ada, f"projects/{part.project}")
    assert not engine_has(engine_client, old.volume, part.project)
    assert not rows_naming(site, account)

    alan = site.api("alan")
    new = Part(alan, f"next-{workplace.group}", part.project, "main")
    alan.expect(201, "POST", "groups", json={"name": new.group})
    made = new.make_project()
    assert (made["description"], made["lab_count"]) == ("", 0)
    assert new.make_lab() == first
    events = alan.expect(200, "GET", f"projects/{new.project}/events")["items"]
    assert [event["action"] for event in events] == ["lab:create", "project:create"]
    events = alan.expect(200, "GET", f"groups/{new.group}/events")["items"]
    assert {event["actor"] for event in events} == {"alan"}
    shows_nothing_old(site, new, old)
    assert old.visits["ada"].enter() in (403, 404)
    ada.expect(404, "GET", f"projects/{new.project}")
    alan.expect(204, "DELETE", f"groups/{new.group}")


def test_what_was_in_the_trash_for_the_retention_time_goes_by_itself_though_the_worker_is_killed(
    site: Site, ada: Api, admin: Api, workplace: Workplace, used: str, engine_client: APIClient
):
    slug = workplace.group
    ada.expect(204, "DELETE", f"groups/{slug}")
    long_ago = utcnow() - timedelta(days=31)
    with writing(make_engine(site.database_url)) as session:
        of_group = ResearchGroup.slug == slug
        project = select(ResearchProject.id).where(ResearchProject.slug == slug).scalar_subquery()
        session.execute(update(ResearchGroup).where(of_group).values(deleted_at=long_ago))
        session.execute(
            update(ResearchProject).where(ResearchProject.slug == slug).values(deleted_at=long_ago)
        )
        session.execute(update(Lab).where(Lab.project_id == project).values(deleted_at=long_ago))
    kills = [1, 1, 1]

    def look() -> bool:
        gone = is_gone(admin, engine_client, used, slug)
        # whatever it does just now; for a moment after each kill there is no worker
        with contextlib.suppress(AssertionError):
            if kills and not gone:
                site.kill_service("worker")
                kills.pop()
        return gone

    wait_for(look, "everything to be gone", 180)


def test_a_deletion_is_cancelled_when_who_asked_for_it_is_removed(
    site: Site, ada: Api, workplace: Workplace
):
    workplace.add("grace", "owner")
    grace = site.api("grace")
    grace.expect(204, "DELETE", f"projects/{workplace.project}")
    workplace.remove("grace")

    def is_back() -> bool:
        found = ada.expect(200, "GET", f"projects/{workplace.project}")
        return bool(found["deleted_at"] is None)

    wait_for(is_back, "the project to come back")
    events = ada.expect(200, "GET", f"groups/{workplace.group}/events")["items"]
    assert [event["detail"] for event in events if event["action"].endswith("cancelled")] == [
        {"username": "grace"}
    ]


def test_an_administrator_empties_the_trash_and_compares_from_a_shell(
    site: Site, ada: Api, admin: Api, workplace: Workplace, used: str, engine_client: APIClient
):
    def command(*words: str) -> tuple[int, str]:
        program = str(Path(sys.executable).with_name("sophon-hub"))
        done = subprocess.run(
            [program, *words],
            env=site.environment_of_commands,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    slug = workplace.group
    ada.expect(204, "DELETE", f"groups/{slug}")
    assert command("purge", f"groups/{slug}")[0] == 1
    status, said = command("purge", f"groups/{slug}", "--confirm", slug, "--wait", "120")
    assert (status, said) == (0, f"groups/{slug}: removed\n")
    assert is_gone(admin, engine_client, used, slug)
    assert command("reconcile", "--json") == (0, '{"done": true}\n')
    assert command("explain", "ada", "group:see", f"groups/{slug}")[0] == 1
    status, said = command("audit", "verify")
    assert (status, "none was changed" in said) == (0, True), said
