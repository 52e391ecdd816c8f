"""`make run`, Ctrl-C, `make run` again, `make clean-demo`: what the README promises."""

import os
import re
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.api.client import APIClient
from running import REPOSITORY, Browser, free_ports

from sophon_hub.settings import PREFIX
from tests.engine import remove_namespace
from tests.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.hub]

READY = re.compile(r"Sophon Hub is ready: (http://\S+)/\n")
LAB = "/services/sophon/api/v1/projects/bernoulli-numbers/labs/first-program"


class Trial:
    """A trial hub in the checkout, on a port, data directory and namespace of its own."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "trial"
        self.log = directory / "make.log"
        self.namespace = f"sophontest-{secrets.token_hex(4)}"
        clean = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
        self.environment = clean | {
            "PORT": str(free_ports()),
            "SOPHON_DATA_DIR": str(self.data),
            "SOPHON_NAMESPACE": self.namespace,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def make(self, target: str) -> subprocess.CompletedProcess[str]:
        """Run a target to its end."""
        return subprocess.run(
            ["make", target],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def run(self) -> str:
        """`make run` in a terminal of its own; what it says until the hub is ready."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["make", "run"],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(self._is_ready, "make run to be ready", 600)
        return self.log.read_text()

    def _is_ready(self) -> bool:
        said = self.log.read_text()
        assert self.process is not None
        assert self.process.poll() is None, said
        return bool(READY.search(said))

    def interrupt(self) -> None:
        """Ctrl-C: the terminal tells all processes that run in it."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(60)
            self.process = None


@pytest.fixture
def trial(tmp_path: Path, docker: APIClient) -> Iterator[Trial]:
    trial = Trial(tmp_path)
    yield trial
    trial.interrupt()
    remove_namespace(docker, trial.namespace)


def sign_in(said: str, username: str) -> Browser:
    """With the address and the password that were printed."""
    address = READY.search(said)
    password = re.search(rf"^  {username} +(\S+)$", said, re.MULTILINE)
    assert address is not None
    assert password is not None
    browser = Browser(address[1])
    assert browser.sign_in(username, password[1]).status_code == 302
    return browser


def api_token(browser: Browser, username: str) -> dict[str, str]:
    """Headers with a token that the person makes for programs."""
    token = re.search(r'xsrf_token: "([^"]*)"', browser.page("/hub/token").text)
    assert token is not None
    answer = browser.post(
        f"{browser.origin}/hub/api/users/{username}/tokens",
        json={},
        headers={"X-XSRFToken": token[1], "Referer": f"{browser.origin}/hub/token"},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"token {answer.json()['token']}"}


def left_in_engine(docker: APIClient, namespace: str) -> list[str]:
    mine = {"label": [f"org.sophon.namespace={namespace}"]}
    return [
        *(container["Id"] for container in docker.containers(all=True, filters=mine)),
        *(volume["Name"] for volume in docker.volumes(filters=mine)["Volumes"] or []),
        *(network["Name"] for network in docker.networks(filters=mine)),
    ]


def test_a_trial_runs_survives_ctrl_c_and_leaves_nothing_behind(
    trial: Trial, docker: APIClient
) -> None:
    said = trial.run()
    ada = sign_in(said, "ada")
    assert "Bernoulli numbers" in ada.page("/services/sophon/projects").text
    assert (trial.data / "admin-password").exists()

    headers = api_token(ada, "ada")
    assert ada.post(ada.origin + LAB + "/start", headers=headers, timeout=30).status_code == 202

    def state() -> str:
        return str(ada.page(LAB, headers=headers).json()["state"])

    wait_for(lambda: state() == "running", "the lab to run", 120)
    # those of visitors come and go
    labels = [f"org.sophon.namespace={trial.namespace}", "org.sophon.kind=lab"]
    running = {"label": labels, "status": "running"}
    (before,) = docker.containers(filters=running)

    refused = trial.make("clean-demo")
    assert refused.returncode != 0
    assert "already running" in refused.stderr

    trial.interrupt()
    (after,) = docker.containers(filters=running)
    assert after["Id"] == before["Id"]

    said = trial.run()
    assert "installing" not in said
    assert "building" not in said.lower()
    assert "nothing is added" in said
    ada = sign_in(said, "ada")
    assert state() == "running"
    (after,) = docker.containers(filters=running)
    assert after["Id"] == before["Id"]

    trial.interrupt()
    bystander = f"sophontest-{secrets.token_hex(4)}"
    docker.create_volume(bystander, labels={"org.sophon.namespace": bystander})
    try:
        cleaned = trial.make("clean-demo")
        assert cleaned.returncode == 0, cleaned.stderr
        assert left_in_engine(docker, trial.namespace) == []
        assert not trial.data.exists()
        assert left_in_engine(docker, bystander) == [bystander]
    finally:
        docker.remove_volume(bystander)


def test_a_taken_port_ends_make_run_with_a_sentence(trial: Trial, tmp_path: Path) -> None:
    port = int(trial.environment["PORT"])
    with socket.create_server(("127.0.0.1", port)):
        refused = trial.make("run")
    assert refused.returncode != 0
    assert f"port {port}: Address already in use" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_clean_demo_leaves_directories_that_are_no_hubs(trial: Trial) -> None:
    trial.data.mkdir()
    (trial.data / "thesis.txt").write_text("years of work")
    refused = trial.make("clean-demo")
    assert refused.returncode != 0
    assert "does not look like a hub's data directory" in refused.stderr
    assert (trial.data / "thesis.txt").exists()
