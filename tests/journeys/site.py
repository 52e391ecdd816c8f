"""A whole Sophon Hub in processes of its own, and people who use it in real browsers."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from playwright.sync_api import Browser, BrowserContext, Page

from tests.tls import DOMAIN, write_certificate
from tests.waiting import free_port, wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
PEOPLE = {
    "ada": "Ada Lovelace",
    "grace": "Grace Hopper",
    "alan": "Alan Turing",
    "barbara": "Barbara Liskov",
    "emmy": "Emmy Noether",
}
START_SECONDS = 90


@dataclass
class Site:
    """Hub, proxy, portal and worker with a data directory, ports and a namespace of their own.

    With ``subdomains`` it has a domain and TLS, and each project's labs an origin of their own;
    else everything is at one number and port. `tests.tls.domain_is_here` leads there.
    """

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    config_file: Path = REPOSITORY / "jupyterhub_config.py"
    subdomains: bool = False
    people: dict[str, str] = field(default_factory=lambda: PEOPLE)

    def __post_init__(self) -> None:
        self.namespace = f"journey-{secrets.token_hex(4)}"
        self.data_dir = self.directory / "data"
        self.log_file = self.directory / "hub.log"
        self.port = free_port()
        self.passwords = {name: secrets.token_urlsafe(12) for name in self.people}
        accounts = self.directory / "accounts.json"
        accounts.touch(mode=0o600)
        accounts.write_text(
            json.dumps(
                [
                    {
                        "username": name,
                        "password": self.passwords[name],
                        "display_name": display_name,
                    }
                    for name, display_name in self.people.items()
                ]
            )
        )
        self._environment = {
            **os.environ,
            "SOPHON_DATA_DIR": str(self.data_dir),
            "SOPHON_NAMESPACE": self.namespace,
            "SOPHON_PORT": str(self.port),
            "SOPHON_HUB_PORT": str(free_port()),
            "SOPHON_PROXY_API_PORT": str(free_port()),
            "SOPHON_PORTAL_PORT": str(free_port()),
            "SOPHON_ACCOUNTS_FILE": str(accounts),
            **self.environment,
        }
        self._options: list[str] = []
        self.certificate: Path | None = None
        if self.subdomains:
            self.certificate, key = write_certificate(self.directory)
            self._environment["SOPHON_SUBDOMAIN_HOST"] = self.url
            self._options = [f"--JupyterHub.ssl_cert={self.certificate}"]
            self._options += [f"--JupyterHub.ssl_key={key}"]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        if self.subdomains:
            return f"https://{DOMAIN}:{self.port}"
        return f"http://127.0.0.1:{self.port}"

    def lab_url(self, lab: str) -> str:
        """Address of a lab, given by its path in the API, without a slash at the end."""
        _, project, _, slug = lab.split("/")
        origin = self.url.replace("://", f"://project-{project}.") if self.subdomains else self.url
        return f"{origin}/user/project-{project}/{slug}"

    def session(self) -> requests.Session:
        """Somebody with cookies of their own, who trusts this site's certificate."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.certificate) if self.certificate else True
        return session

    @property
    def portal(self) -> str:
        return f"{self.url}/services/sophon/"

    @property
    def database_url(self) -> str:
        return self._environment.get(
            "SOPHON_DATABASE_URL", f"sqlite:///{self.data_dir}/sophon.sqlite"
        )

    @property
    def environment_of_commands(self) -> dict[str, str]:
        """With which `sophon-hub` means this hub."""
        return dict(self._environment)

    def start(self) -> None:
        """Start the hub as an administrator does, and wait until the portal is healthy."""
        subprocess.run(
            [str(Path(sys.executable).with_name("sophon-hub")), "migrate"],
            cwd=REPOSITORY,
            env=self._environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterhub", "--config", str(self.config_file)),
                    *self._options,
                ],
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self.is_healthy, f"the hub to answer; its log is {self.log_file}", START_SECONDS)

    def is_healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log_file.read_text()[-4000:]
        with contextlib.suppress(requests.RequestException), self.session() as session:
            parts = (f"{self.url}/hub/health", f"{self.portal}api/v1/health")
            return all(session.get(part, timeout=5).status_code == 200 for part in parts)
        return False

    def kill_hub(self) -> None:
        """As a crash would: kill -9, nothing is cleaned up."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> None:
        """Stop as Ctrl-C does: labs stay."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    def service_pid(self, name: str) -> int:
        """Process number of the hub-managed service ``portal`` or ``worker``."""
        script = str(REPOSITORY / "services" / f"{name}.py")
        mark = f"SOPHON_DATA_DIR={self.data_dir}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if script in command and mark in (entry / "environ").read_bytes().split(b"\0"):
                    return int(entry.name)
        raise AssertionError(f"the {name} is not running")

    def kill_service(self, name: str) -> None:
        """kill -9 the portal or the worker; the Hub starts it again."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.service_pid(name), signal.SIGKILL)

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def admin_password(self) -> str:
        return (self.data_dir / "admin-password").read_text().strip()

    def password(self, username: str) -> str:
        return self.admin_password() if username == "admin" else self.passwords[username]

    def api(self, username: str | None = None) -> "Api":
        """The REST API as this person, who signs in and makes a token at the Hub; or a guest."""
        session = self.session()
        if username is not None:
            session.headers["Authorization"] = f"Bearer {self._token(username)}"
        return Api(self, session)

    def sign_in(self, browser: requests.Session, username: str) -> None:
        """Sign in on the Hub's login page."""
        browser.get(f"{self.url}/hub/login", timeout=30)
        form = {
            "username": username,
            "password": self.password(username),
            "_xsrf": _xsrf(browser),
        }
        answer = browser.post(f"{self.url}/hub/login?next=/hub/token", form, timeout=30)
        assert answer.ok, f"{username} cannot sign in: {answer.status_code}"

    def visit(self, username: str, lab: str) -> "LabVisit":
        """A session of this person for a lab, given by its path in the API."""
        browser = self.session()
        self.sign_in(browser, username)
        return LabVisit(self.lab_url(lab), browser)

    def _token(self, username: str) -> str:
        with self.session() as browser:
            self.sign_in(browser, username)
            made = browser.post(
                f"{self.url}/hub/api/users/{username}/tokens",
                json={"note": "journey"},
                headers={"X-XSRFToken": _xsrf(browser), "Referer": f"{self.url}/hub/token"},
                timeout=30,
            )
            assert made.status_code == 201, made.text
            return str(made.json()["token"])

    @contextlib.contextmanager
    def browser_of(
        self, browser: Browser, username: str | None = None, **options: Any
    ) -> Iterator[Page]:
        """A browser window of somebody who has signed in on the login page; or of a guest."""
        context: BrowserContext = browser.new_context(
            base_url=self.url,
            viewport={"width": 1280, "height": 900},
            **{"ignore_https_errors": self.subdomains, **options},
        )
        context.set_default_timeout(20_000)
        page = context.new_page()
        try:
            if username is not None:
                page.goto("/hub/login")
                page.locator("input[name=username]").fill(username)
                page.locator("input[name=password]").fill(self.password(username))
                page.keyboard.press("Enter")
                page.wait_for_url(lambda url: "/hub/login" not in url)
            yield page
        finally:
            context.close()


@dataclass
class LabVisit:
    """Somebody's session inside one lab, as a program: signed in at the Hub, then at the lab."""

    url: str
    session: requests.Session

    def enter(self) -> int:
        """Go in through the front door, sign-in at the Hub included; gives the last status."""
        return self.session.get(f"{self.url}/lab", timeout=60).status_code

    def status(self) -> int:
        """What a new request to the lab answers."""
        answer = self.session.get(f"{self.url}/api/contents", allow_redirects=False, timeout=30)
        return answer.status_code

    def write(self, name: str, text: str) -> None:
        """Put a file into the lab."""
        answer = self.session.put(
            f"{self.url}/api/contents/{name}",
            json={"type": "file", "format": "text", "content": text},
            headers={"X-XSRFToken": self._xsrf()},
            timeout=30,
        )
        assert answer.status_code in (200, 201), answer.text

    def make_folder(self, path: str) -> None:
        """Make a folder in the lab."""
        answer = self.session.put(
            f"{self.url}/api/contents/{path}",
            json={"type": "directory"},
            headers={"X-XSRFToken": self._xsrf()},
            timeout=30,
        )
        assert answer.status_code in (200, 201), answer.text

    def read(self, name: str) -> str:
        """The content of a file in the lab."""
        answer = self.session.get(f"{self.url}/api/contents/{name}", timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["content"])

    def _xsrf(self) -> str:
        path = urlsplit(self.url).path + "/"
        return next(
            cookie.value or ""
            for cookie in self.session.cookies
            if cookie.name == "_xsrf" and cookie.path == path
        )


def _xsrf(browser: requests.Session) -> str:
    return next(
        cookie.value or ""
        for cookie in browser.cookies
        if cookie.name == "_xsrf" and cookie.path == "/hub/"
    )


@dataclass
class Api:
    """The REST API as one person."""

    site: Site
    session: requests.Session

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", 60)
        return self.session.request(method, f"{self.site.portal}api/v1/{path}", **options)

    def expect(self, status: int, method: str, path: str, **options: Any) -> Any:
        """Send a request that must answer with this status; gives the JSON."""
        answer = self.request(method, path, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def lab_state(self, lab: str) -> str:
        return str(self.expect(200, "GET", lab)["state"])

    def start(self, lab: str) -> None:
        """Start a lab and wait until it runs."""
        answer = self.request("POST", f"{lab}/start")
        assert answer.status_code in (200, 202), answer.text
        self.wait_for_state(lab, "running")

    def open(self, lab: str) -> str:
        """The whole address at which the portal says that a lab is entered."""
        return urljoin(self.site.url, self.expect(200, "POST", f"{lab}/open")["url"])

    def stop(self, lab: str) -> None:
        """Stop a lab and wait until it has stopped."""
        answer = self.request("POST", f"{lab}/stop")
        assert answer.status_code in (200, 202), answer.text
        self.wait_for_state(lab, "stopped")

    def wait_for_state(self, lab: str, state: str, seconds: float = 60) -> None:
        def look() -> bool:
            now = self.expect(200, "GET", lab)
            assert state == "failed" or now["state"] != "failed", now["message"]
            return bool(now["state"] == state)

        wait_for(look, f"{lab} to be {state}", seconds)
