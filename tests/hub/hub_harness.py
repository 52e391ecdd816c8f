"""A real Hub with a real proxy and Docker engine, in processes of its own, driven over HTTP."""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, select

from sophon_hub import names
from sophon_hub.models import (
    AccessMode,
    Base,
    Lab,
    LabState,
    ResearchGroup,
    ResearchProject,
    Visibility,
)
from sophon_hub.store.engine import make_engine, writing
from tests.waiting import free_port, wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
LAB_IMAGE = os.environ.get("SOPHON_TEST_IMAGE", "sophon-hub/lab:latest")
PATIENCE = 60

CONFIG = """
from sophon_hub import spawner
from sophon_hub.settings import Sophon

c = get_config()
settings = Sophon.load()
spawner.use_settings(settings)
if settings.spawner == "docker":
    address = spawner.ensure_networks(settings).hub_address
    c.JupyterHub.spawner_class = spawner.SophonDockerSpawner
else:
    address = "127.0.0.1"
    c.JupyterHub.spawner_class = spawner.SophonProcessSpawner
c.JupyterHub.bind_url = f"http://127.0.0.1:{settings.port}"
c.JupyterHub.hub_bind_url = f"http://{address}:{settings.hub_port}"
c.JupyterHub.db_url = f"sqlite:///{settings.data_dir}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{settings.data_dir}/cookie_secret"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings.proxy_api_port}"
c.ConfigurableHTTPProxy.pid_file = f"{settings.data_dir}/proxy.pid"
c.ConfigurableHTTPProxy.auth_token = "{proxy_token}"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.allow_all = True
c.Authenticator.admin_users = {"root-admin"}
c.JupyterHub.allow_named_servers = True
c.JupyterHub.cleanup_servers = False
c.Spawner.poll_interval = 1
c.Spawner.start_timeout = 1  # ours counts instead
c.JupyterHub.services = [{"name": "tester", "api_token": "{token}"}]
c.JupyterHub.load_roles = [
    {
        "name": "tester",
        "services": ["tester"],
        "scopes": [
            "admin:users", "admin:groups", "admin:servers", "access:servers", "tokens",
            "read:roles", "list:users", "read:hub",
        ],
    }
]
"""


@dataclass
class Records:
    """Sophon's own database, as the portal would have filled it."""

    engine: Engine

    def add_lab(self, group: str, project: str, lab: str, **settings: Any) -> str:
        """A lab, with its group and project when they are new; gives the uid."""
        now = datetime.now(UTC)
        uid = names.new_uid()
        with writing(self.engine) as session:
            the_group = session.scalar(select(ResearchGroup).where(ResearchGroup.slug == group))
            if the_group is None:
                the_group = ResearchGroup(
                    slug=group,
                    name=group,
                    visibility=Visibility.PRIVATE,
                    access=AccessMode.MANUAL,
                    created_at=now,
                )
                session.add(the_group)
                session.flush()
            query = select(ResearchProject).where(ResearchProject.slug == project)
            the_project = session.scalar(query)
            if the_project is None:
                the_project = ResearchProject(
                    slug=project,
                    name=project,
                    group_id=the_group.id,
                    visibility=Visibility.PRIVATE,
                    created_at=now,
                    updated_at=now,
                )
                session.add(the_project)
                session.flush()
            settings = {"image": "lab", "internet": False, **settings}
            session.add(
                Lab(
                    uid=uid,
                    project_id=the_project.id,
                    slug=lab,
                    name=lab,
                    state=LabState.STOPPED,
                    created_at=now,
                    **settings,
                )
            )
        return uid

    def change_lab(self, uid: str, **values: Any) -> None:
        with writing(self.engine) as session:
            lab = session.scalars(select(Lab).where(Lab.uid == uid)).one()
            for name, value in values.items():
                setattr(lab, name, value)

    def trash_lab(self, uid: str) -> None:
        self.change_lab(uid, deleted_at=datetime.now(UTC))

    def purge_lab(self, uid: str) -> None:
        with writing(self.engine) as session:
            session.delete(session.scalars(select(Lab).where(Lab.uid == uid)).one())

    def move_project(self, project: str, group: str) -> None:
        with writing(self.engine) as session:
            query = select(ResearchGroup).where(ResearchGroup.slug == group)
            the_group = session.scalars(query).one()
            query = select(ResearchProject).where(ResearchProject.slug == project)
            session.scalars(query).one().group_id = the_group.id


@dataclass
class HubProcess:
    """One Hub and its proxy, below a directory of their own."""

    directory: Path
    namespace: str
    environment: dict[str, str] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.data_dir = self.directory / "data"
        self.data_dir.mkdir(parents=True, mode=0o700)
        self.database_url = f"sqlite:///{self.data_dir}/sophon.sqlite"
        self.records = Records(make_engine(self.database_url))
        Base.metadata.create_all(self.records.engine)
        self.log_file = self.directory / "hub.log"
        self.config = self.directory / "jupyterhub_config.py"
        text = CONFIG.replace("{token}", self.token)
        self.config.write_text(text.replace("{proxy_token}", secrets.token_hex(16)))
        self.ports = {"SOPHON_HUB_PORT": free_port(), "SOPHON_PROXY_API_PORT": free_port()}
        self.api = requests.Session()
        self.api.headers["Authorization"] = f"token {self.token}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, **environment: str) -> None:
        """Start and wait until the API answers through the proxy."""
        assert shutil.which("configurable-http-proxy"), "configurable-http-proxy is not on PATH"
        settings = {
            "SOPHON_DATA_DIR": str(self.data_dir),
            "SOPHON_NAMESPACE": self.namespace,
            "SOPHON_PORT": str(self.port),
            "SOPHON_IMAGES": json.dumps({"lab": {"image": LAB_IMAGE}}),
            **{name: str(port) for name, port in self.ports.items()},
            **self.environment,
            **environment,
        }
        python_path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(self.config), "--debug"],
                cwd=self.directory,
                env={**os.environ, "PYTHONPATH": python_path.rstrip(os.pathsep), **settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._is_up, f"the Hub; its log is {self.log_file}")

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log_file.read_text()[-4000:]
        try:
            return self.api.get(f"{self.url}/hub/api/info", timeout=5).ok
        except requests.RequestException:
            return False

    def kill(self) -> None:
        """As a crash would: nothing is cleaned up, the proxy lives on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)
        self.api.close()
        pid_file = self.data_dir / "proxy.pid"
        if pid_file.exists():  # left by a Hub that was killed
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid_file.read_text()), signal.SIGTERM)

    def stop_all_labs(self) -> None:
        for user in self.expect("GET", "/users?state=active").json():
            for server in user["servers"].values():
                HubLab(self, user["name"], server["name"], "").stop()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", PATIENCE)
        return self.api.request(method, f"{self.url}/hub/api{path}", **kwargs)

    def expect(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        response = self.request(method, path, **kwargs)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return response

    # what the portal's worker does at the Hub

    def add_user(self, name: str) -> None:
        assert self.request("POST", f"/users/{name}").status_code in (201, 409)

    def add_to_group(self, group: str, *users: str) -> None:
        assert self.request("POST", f"/groups/{group}").status_code in (201, 409)
        for user in users:
            self.add_user(user)
        self.expect("POST", f"/groups/{group}/users", json={"users": list(users)})

    def remove_from_group(self, group: str, user: str) -> None:
        self.expect("DELETE", f"/groups/{group}/users", json={"users": [user]})

    def add_lab(self, group: str, project: str, lab: str, **settings: Any) -> "HubLab":
        uid = self.records.add_lab(group, project, lab, **settings)
        account = names.account_name(project)
        self.add_to_group(names.accounts_group(group), account)
        return HubLab(self, account, lab, uid)

    def token_of(self, user: str) -> str:
        """A token for the Hub's API (labs do not take it: group filters mean nothing there)."""
        self.add_user(user)
        return str(self.expect("POST", f"/users/{user}/tokens", json={}).json()["token"])

    def log_in(self, user: str) -> requests.Session:
        """A browser's session of this person; to be used in a ``with`` statement."""
        browser = requests.Session()
        page = browser.get(f"{self.url}/hub/login", timeout=PATIENCE)
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert xsrf, page.text
        answer = browser.post(
            f"{self.url}/hub/login",
            data={"username": user, "password": "x", "_xsrf": xsrf[1]},
            allow_redirects=False,
            timeout=PATIENCE,
        )
        assert answer.status_code == 302, answer.text
        return browser


@dataclass
class HubLab:
    """One server of the Hub, with its home and container."""

    hub: HubProcess
    owner: str
    name: str
    uid: str

    @property
    def path(self) -> str:
        return (
            f"/users/{self.owner}/servers/{self.name}"
            if self.name
            else (f"/users/{self.owner}/server")
        )

    @property
    def url(self) -> str:
        return f"{self.hub.url}/user/{self.owner}/{self.name}".rstrip("/")

    @property
    def container(self) -> str:
        return names.container_name(self.hub.namespace, self.uid)

    @property
    def volume(self) -> str:
        return names.volume_name(self.hub.namespace, self.uid)

    def request_start(self, **body: Any) -> requests.Response:
        return self.hub.request("POST", self.path, json=body or None)

    def start(self, **body: Any) -> None:
        response = self.request_start(**body)
        assert response.status_code in (201, 202), f"{response.status_code} {response.text}"
        self.wait_until_ready()

    def state(self) -> dict[str, Any] | None:
        """The Hub's model of the server; None when it is stopped."""
        servers = self.hub.expect("GET", f"/users/{self.owner}").json()["servers"]
        server = servers.get(self.name)
        return server if server and not server["stopped"] else None

    def wait_until_ready(self) -> None:
        wait_for(lambda: (self.state() or {}).get("ready"), f"{self.owner}/{self.name} to run")

    def wait_until_stopped(self) -> None:
        wait_for(lambda: self.state() is None, f"{self.owner}/{self.name} to stop")

    def stop(self) -> None:
        assert self.hub.request("DELETE", self.path).status_code in (202, 204)
        self.wait_until_stopped()

    def remove(self) -> None:
        answer = self.hub.request("DELETE", self.path, json={"remove": True})
        assert answer.status_code == 204, answer.text

    def events(self) -> Iterator[dict[str, Any]]:
        """Progress messages, until the start has ended one way or the other."""
        with self.hub.api.get(
            f"{self.hub.url}/hub/api{self.path}/progress", stream=True, timeout=PATIENCE
        ) as stream:
            assert stream.ok, stream.text
            for line in stream.iter_lines():
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))

    def status_in(self, browser: requests.Session) -> int:
        """What a person gets from the lab itself, after all the Hub's redirects."""
        page = browser.get(f"{self.url}/lab", timeout=PATIENCE)
        if page.status_code == 200 and not page.url.startswith(self.url):
            return 0  # a page of the Hub's: consent, or login
        return page.status_code

    def answers(self) -> bool:
        """Whether the lab answers somebody who may access every server."""
        return self.hub.api.get(f"{self.url}/api/status", timeout=PATIENCE).ok


def run_in(container: str, *command: str) -> tuple[int, str]:
    """Run a command in a container: exit code and output."""
    done = subprocess.run(
        ["docker", "exec", container, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout
