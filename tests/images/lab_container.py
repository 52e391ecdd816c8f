"""One lab of the image, run as the spawner runs it, without a Hub around it."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from tests.images.stub_hub import PREFIX, StubHub

LABEL = "sophon-test=1"
HARDENING = (
    "--init",
    "--read-only",
    "--tmpfs=/tmp:size=256m,mode=1777",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--pids-limit=256",
    "--memory=1g",
)


def docker(*arguments: str) -> str:
    """Run one docker command and return its output; a failure carries what docker said."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"docker {' '.join(arguments[:3])} ...: {done.stderr.strip()}")
    return done.stdout.strip()


def bridge_gateway() -> str:
    """Return the address under which containers of the default network reach this machine."""
    template = "{{json (index .IPAM.Config 0)}}"
    network = json.loads(docker("network", "inspect", "bridge", "--format", template))
    # An engine that made the network itself does not always record the gateway: it is the first.
    return str(network.get("Gateway") or ipaddress.ip_network(network["Subnet"])[1])


@dataclass(frozen=True)
class Answer:
    """What the lab said."""

    status: int
    body: str

    def json(self) -> Any:
        """Return the body as data."""
        return json.loads(self.body)


class Lab:
    """A hardened container with its own home volume; both are gone afterwards."""

    def __init__(self, image: str, hub: StubHub, *arguments: str) -> None:
        self.image, self.hub, self.arguments = image, hub, arguments
        self.name = f"sophon-test-{secrets.token_hex(4)}"
        self.address = ""

    def __enter__(self) -> Self:
        docker("volume", "create", "--label", LABEL, self.name)
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.remove()
        docker("volume", "rm", "--force", self.name)

    def start(self) -> None:
        """Start the container on its volume."""
        environment = [f"--env={key}={value}" for key, value in self.hub.environment().items()]
        home = f"--volume={self.name}:/home/jovyan"
        options = ["--name", self.name, "--label", LABEL, home, *HARDENING, *environment]
        command = ["jupyterhub-singleuser", *self.arguments] if self.arguments else []
        docker("run", "--detach", *options, self.image, *command)
        template = "{{.NetworkSettings.IPAddress}}"
        self.address = docker("inspect", self.name, "--format", template)

    def remove(self) -> None:
        """Remove the container and keep the volume."""
        docker("rm", "--force", self.name)

    def sh(self, script: str) -> str:
        """Run a script inside and return what it printed."""
        return docker("exec", self.name, "sh", "-c", script)

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: Mapping[str, object] | None = None,
        person: bool = True,
    ) -> Answer:
        """Ask the lab for ``path`` below its prefix, as the stub Hub's person unless told."""
        headers = {"Authorization": f"token {self.hub.token}"} if person else {}
        connection = http.client.HTTPConnection(self.address, 8888, timeout=20)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, PREFIX + path, data, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode())
        finally:
            connection.close()

    @contextmanager
    def document(self, path: str) -> Iterator[None]:
        """Have a notebook open for collaboration, as a browser has it."""
        session = self.ask(
            f"api/collaboration/session/{path}",
            method="PUT",
            body={"format": "json", "type": "notebook"},
        ).json()
        room = f"json:notebook:{session['fileId']}?sessionId={session['sessionId']}"
        headers = {
            "Authorization": f"token {self.hub.token}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
        }
        connection = http.client.HTTPConnection(self.address, 8888, timeout=20)
        try:
            connection.request("GET", f"{PREFIX}api/collaboration/room/{room}", headers=headers)
            with connection.getresponse() as response:
                assert response.status == 101
                yield
        finally:
            connection.close()

    def wait_until_it_answers(self, seconds: float = 60) -> float:
        """Return the moment of the first HTTP answer; fail with the lab's log after ``seconds``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.ask("api", person=False)
            except OSError:
                time.sleep(0.01)  # between two tries of a poll with a deadline
            else:
                return time.monotonic()
        raise AssertionError(f"no answer in {seconds} s; the lab said:\n{self.log()[-3000:]}")

    def log(self) -> str:
        """Return everything the lab has printed."""
        command = ["docker", "logs", self.name]
        return subprocess.run(
            command, text=True, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ).stdout
