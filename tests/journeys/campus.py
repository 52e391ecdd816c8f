"""A hub that people reach through Apache only, which signs them in with a form of the campus."""

import os
import secrets
from pathlib import Path

import requests

from tests.hub.apache_server import CAMPUS, CAMPUS_COOKIE, PASSWORD, RunningApache
from tests.hub.running import free_ports
from tests.journeys.site import REPOSITORY, Site

CONFIG = """
c.JupyterHub.public_url = "{url}/"
c.TrustedProxyAuthenticator.allow_all = True
c.TrustedProxyAuthenticator.service_cookie = "{cookie}"
c.TrustedProxyAuthenticator.weblogin_logout_url = "{url}{campus}/logout"

configure(c)
"""


class CampusSite(Site):
    """Hub, proxy, portal and worker; the web server in front is `apache`."""

    def __init__(self, directory: Path, host: str, environment: dict[str, str]) -> None:
        """``host`` is the name by which people know the hub."""
        self.host, self.https_port = host, free_ports()
        secret = directory / "proxy-secret"
        secret.touch(mode=0o600)
        self.secret = secrets.token_hex(32)
        secret.write_text(self.secret)
        settings = {
            "SOPHON_AUTHENTICATOR": "sophon-proxy",
            "SOPHON_PROXY_SECRET_FILE": str(secret),
        }
        super().__init__(directory, settings | environment, directory / "jupyterhub_config.py")
        lines = CONFIG.format(url=self.url, cookie=CAMPUS_COOKIE, campus=CAMPUS)
        ours = (REPOSITORY / "jupyterhub_config.py").read_text()
        self.config_file.write_text(ours.replace("\nconfigure(c)\n", lines))

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.https_port}"

    @property
    def behind(self) -> str:
        """Address of the hub's own proxy, behind Apache."""
        return f"http://127.0.0.1:{self.port}"

    def is_healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()[-4000:]
        try:
            health = f"{self.behind}/services/sophon/api/v1/health"
            return requests.get(health, timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def apache(self, shape: str) -> RunningApache:
        """The web server, in one of the shapes; not started yet."""
        environment = {**os.environ, **self.environment, "SOPHON_PORT": str(self.port)}
        return RunningApache(environment, self.secret, self.https_port, shape, host=self.host)

    def sign_in(self, browser: requests.Session, username: str) -> None:
        """Sign in as the campus does it, from the hub's page to the form and back."""
        asked = browser.get(f"{self.url}/hub/login?next=/hub/token", timeout=30)
        assert CAMPUS in asked.url, asked.url
        form = {
            "httpd_username": username,
            "httpd_password": PASSWORD,
            "httpd_location": asked.url.partition("?")[2],
        }
        answer = browser.post(f"{self.url}{CAMPUS}/enter", form, timeout=30)
        assert answer.url == f"{self.url}/hub/token", answer.url
