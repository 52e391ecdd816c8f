"""A whole Sophon Hub as people start it: our jupyterhub_config.py, proxy, portal and worker."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from sophon_hub.settings import PREFIX
from tests.waiting import wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
NEEDED = (0, 1, 10, 81)
"""A hub takes its port and these after it."""


def free_ports() -> int:
    """A port that is free, and so are those that a hub derives from it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
        if port + max(NEEDED) > 65_535:
            continue
        try:
            for offset in NEEDED:
                socket.create_server(("127.0.0.1", port + offset)).close()
        except OSError:
            continue
        return port


def heed_interrupts() -> None:
    """For processes that tests start and interrupt, before they are anything else.

    Where tests run in the background, interrupts are ignored, also by what a hub starts: a
    service that is still young would miss being told to end.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class RunningHub:
    """Starts and ends `jupyterhub` with a data directory and ports of its own."""

    def __init__(
        self, directory: Path, *, config: str = "", origin: str = "", **settings: str
    ) -> None:
        """``config`` are lines that the site has written above the call of `configure`.

        ``origin`` is where people find it, without the port, when not on loopback by number.
        """
        self.port = int(settings.pop("port", 0)) or free_ports()
        self.data = directory / "data"
        self.log_file = directory / "hub.log"
        self.config_file = directory / "jupyterhub_config.py"
        ours = REPOSITORY / "jupyterhub_config.py"
        call = "\nconfigure(c)\n"
        self.config_file.write_text(ours.read_text().replace(call, f"{config}\n{call}"))
        self.url = f"{origin or 'http://127.0.0.1'}:{self.port}"
        self.certificate: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None
        clean = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
        self.environment = clean | {
            "SOPHON_DATA_DIR": str(self.data),
            "SOPHON_PORT": str(self.port),
            "SOPHON_SPAWNER": "process",
            **{PREFIX + name.upper(): text for name, text in settings.items()},
        }

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `sophon-hub ...` with this hub's settings."""
        return subprocess.run(
            [Path(sys.executable).with_name("sophon-hub"), *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _jupyterhub(self) -> dict[str, Any]:
        """How `jupyterhub` is started, for subprocess."""
        return {
            "args": [sys.executable, "-m", "jupyterhub", "-f", self.config_file],
            "env": self.environment,
            "cwd": self.log_file.parent,
        }

    def run_to_the_end(self) -> tuple[int, str]:
        """Start a hub that is expected to refuse; its exit code and all it said."""
        ended = subprocess.run(
            **self._jupyterhub(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.returncode, ended.stdout

    def start(self) -> None:
        """Migrate, start, and wait until the portal answers through the proxy."""
        assert self.command("migrate").returncode == 0
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                **self._jupyterhub(),
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=heed_interrupts,  # noqa: PLW1509 - no threads here
            )
        # what a killed hub left behind would answer, too
        wait_for(self._says_it_runs, "the hub to run")
        wait_for(self.is_up, "the portal to answer")

    def _says_it_runs(self) -> bool:
        said = self.log_file.read_text()
        assert self.process is not None
        assert self.process.poll() is None, said
        return "JupyterHub is now running" in said

    def is_up(self) -> bool:
        """Whether the portal answers through the proxy."""
        try:
            health = f"{self.url}/services/sophon/api/v1/health"
            return self.browser().get(health, timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def end(self, how: signal.Signals = signal.SIGINT) -> None:
        """Send the Hub a signal and wait until it is gone."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def browser(self) -> "Browser":
        """Somebody with cookies of their own."""
        browser = Browser(self.url)
        browser.verify = str(self.certificate) if self.certificate else True
        return browser

    def admin_password(self) -> str:
        return (self.data / "admin-password").read_text().strip()


class Browser(requests.Session):
    """Enough of a browser for forms: keeps cookies, sends the form's hidden token."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin
        self.trust_env = False  # else an environment's certificates come before ours

    def page(self, path: str, **options: Any) -> requests.Response:
        return self.get(self.origin + path, timeout=30, **options)

    def submit(self, path: str, **fields: str) -> requests.Response:
        """Open the page, then send its form, as a browser does."""
        found = re.search(r'name="_xsrf" value="([^"]*)"', self.page(path).text)
        token = {"_xsrf": found[1]} if found else {}
        return self.post(
            self.origin + path,
            data=token | fields,
            headers={"Sec-Fetch-Mode": "navigate"},
            allow_redirects=False,
            timeout=30,
        )

    def sign_in(self, username: str, password: str) -> requests.Response:
        return self.submit("/hub/login", username=username, password=password)

    def name(self) -> str | None:
        """Who the Hub says is signed in."""
        found = re.search(r'\buser: "([^"]*)"', self.page("/hub/home").text)
        return found[1] if found else None
