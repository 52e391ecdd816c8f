"""deploy/compose.yaml as docs/admins.md says: one command makes a site behind TLS."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.sync.client import connect

from tests.engine import docker_client, remove_namespace
from tests.hub.apache_server import PASSWORD, PEOPLE
from tests.hub.running import free_ports
from tests.images.building import run_build
from tests.images.lab_container import docker
from tests.journeys.site import REPOSITORY, Api, Site
from tests.tls import client_context
from tests.waiting import free_port, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.hub]

DEPLOY = REPOSITORY / "deploy"


def make_certificate(directory: Path) -> Path:
    """A certificate for localhost that is its own authority, and its key."""
    directory.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "privkey.pem").touch(mode=0o600)
    (directory / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (directory / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return directory / "fullchain.pem"


class ComposeSite(Site):
    """The three services of compose.yaml, with .env.sample filled in."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.certificate = make_certificate(directory / "tls")
        self.port = free_ports()
        self.https_port, self.http_port = free_port(), free_port()
        chosen = {
            "COMPOSE_PROJECT_NAME": self.namespace,
            "SOPHON_NAMESPACE": self.namespace,
            "SOPHON_SERVER_NAME": "localhost",
            "SOPHON_TLS_DIR": str(self.certificate.parent),
            "DOCKER_GID": str(Path("/var/run/docker.sock").stat().st_gid),
            "SOPHON_HTTP_PORT": str(self.http_port),
            "SOPHON_HTTPS_PORT": str(self.https_port),
            "SOPHON_PORT": str(self.port),
        }
        sample = (DEPLOY / ".env.sample").read_text()
        assert [name for name in chosen if f"{name}=" not in sample] == []
        self.files = [DEPLOY / "compose.yaml"]
        self.env_file = directory / "env"
        self.env_file.write_text("".join(f"{name}={text}\n" for name, text in chosen.items()))

    @property
    def url(self) -> str:
        return f"https://localhost:{self.https_port}"

    def compose(self, *words: str) -> str:
        """Run compose, of either version."""
        recent = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        program = ["docker-compose"] if recent.returncode else ["docker", "compose"]
        clean = {name: text for name, text in os.environ.items() if not name.startswith("SOPHON_")}
        files = ["--env-file", str(self.env_file), *(f"--file={file}" for file in self.files)]
        done = subprocess.run(
            [*program, *files, *words], capture_output=True, text=True, check=False, env=clean
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        self.compose("up", "--detach")
        wait_for(self.is_healthy, "the site to answer", 120)

    def is_healthy(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.portal}api/v1/health", timeout=5).status_code == 200
        return False

    def admin_password(self) -> str:
        return self.compose("exec", "-T", "hub", "cat", "/srv/sophon/admin-password").strip()

    def log(self) -> str:
        return self.compose("logs", "--no-color", "--tail=60")

    def stop(self) -> None:
        self.compose("down", "--volumes", "--timeout=5")


@pytest.fixture(scope="module")
def site(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeSite]:
    """A site from one command; ``image`` sees to it that labs have something to run."""
    built = run_build("hub", "database", "web")
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr
    site = ComposeSite(tmp_path_factory.mktemp("site"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(site.certificate))
        patch.setenv("CURL_CA_BUNDLE", str(site.certificate))
        try:
            site.start()
            yield site
        finally:
            site.stop()
            with contextlib.closing(docker_client()) as engine:
                remove_namespace(engine, site.namespace)


@pytest.fixture(scope="module")
def admin(site: ComposeSite) -> Api:
    return site.api("admin")


@pytest.fixture(scope="module")
def lab(admin: Api) -> str:
    """A running lab, by its path in the API."""
    slug = "w1"
    admin.expect(201, "POST", "groups", json={"name": slug, "access": "open"})
    project = {"group": slug, "name": slug, "visibility": "private"}
    admin.expect(201, "POST", "projects", json=project)
    admin.expect(201, "POST", f"projects/{slug}/labs", json={"name": "main", "internet": False})
    path = f"projects/{slug}/labs/main"
    admin.start(path)
    return path


def test_a_lab_works_through_tls_also_its_sockets_and_odd_file_names(
    site: ComposeSite, lab: str
) -> None:
    visit = site.visit("admin", lab)
    assert visit.enter() == 200
    name = quote("thesis 100% + more?.txt")
    visit.write(name, "chapter one")
    assert visit.read(name) == "chapter one"

    request = requests.Request("GET", f"{visit.url}/api/events/subscribe")
    cookies = visit.session.prepare_request(request).headers["Cookie"]
    trusted = client_context(site.certificate)
    with connect(
        f"{visit.url.replace('https', 'wss', 1)}/api/events/subscribe",
        ssl=trusted,
        additional_headers={"Cookie": cookies},
        origin=site.url,  # type: ignore[arg-type]
        proxy=None,
    ) as socket:
        socket.ping().wait(10)


def test_labs_outlive_a_hub_made_anew_and_nothing_is_forgotten(
    site: ComposeSite, admin: Api, lab: str
) -> None:
    site.compose("stop", "--timeout=10", "hub")
    away = requests.get(site.portal, timeout=9)
    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert "The hub is being restarted" in away.text
    site.compose("up", "--detach", "--force-recreate", "--no-deps", "hub")
    # less than the minute for which Apache, left alone, remembers that a server was away
    wait_for(site.is_healthy, "the site to answer again", 40)
    assert admin.lab_state(lab) == "running"
    assert site.visit("admin", lab).enter() == 200
    admin.stop(lab)


@pytest.mark.parametrize("database", ["sophon", "jupyterhub"])
def test_both_databases_are_in_postgresql(site: ComposeSite, database: str, admin: Api) -> None:
    table = {"sophon": "research_groups", "jupyterhub": "spawners"}[database]
    query = f"SELECT to_regclass('{table}') IS NOT NULL"
    asked = ["psql", "--dbname", database, "--tuples-only", "--no-align", "--command", query]
    assert site.compose("exec", "-T", "database", *asked).strip() == "t"


def test_the_database_is_in_no_network(site: ComposeSite) -> None:
    container = site.compose("ps", "-q", "database").strip()
    assert docker("inspect", "--format={{.HostConfig.NetworkMode}}", container) == "none"


def test_cookies_are_secure_and_browsers_are_told_to_stay_with_tls(site: ComposeSite) -> None:
    with requests.Session() as browser:
        browser.headers.update({"X-Scheme": "http", "X-Forwarded-Proto": "http"})
        site.sign_in(browser, "admin")
        answer = browser.get(site.portal, timeout=30)
        assert "max-age=" in answer.headers["Strict-Transport-Security"]
        assert {cookie.name for cookie in browser.cookies} >= {"_xsrf", "jupyterhub-session-id"}
        assert [cookie.name for cookie in browser.cookies if not cookie.secure] == []


def test_plain_http_leads_to_tls(site: ComposeSite) -> None:
    plain = f"http://localhost:{site.http_port}/hub/login"
    answer = requests.get(plain, allow_redirects=False, timeout=9)
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{site.url}/hub/login"


HUB_BEHIND_CAMPUS = """
services:
  hub:
    environment:
      SOPHON_AUTHENTICATOR: sophon-proxy
      SOPHON_PROXY_SECRET_FILE: /srv/sophon/proxy-secret
    volumes:
      - {config}:/etc/sophon/jupyterhub_config.py:ro
"""
MAKE_SECRET = "umask 077; python3 -c 'import secrets; print(secrets.token_hex(32))'"


def add_campus(site: ComposeSite) -> None:
    """What an administrator does, with a file of passwords as the campus."""
    sign_on = site.directory / "sign-on"
    sign_on.mkdir()
    kept = "/srv/sophon/proxy-secret"
    site.compose("exec", "-T", "hub", "sh", "-c", f"{MAKE_SECRET} >{kept}")
    secret = site.compose("exec", "-T", "hub", "cat", kept).strip()
    here = {"secret": "secret.conf", "sign-on": "sign-on.conf"}
    words = [f"--{name}=/etc/sophon/sign-on/{file}" for name, file in here.items()]
    words += ["--certificate=/etc/sophon/tls/fullchain.pem", "--key=/etc/sophon/tls/privkey.pem"]
    words += [f"--port={site.https_port}", f"--http-port={site.http_port}", "--host=localhost"]
    program = ["env", "SOPHON_AUTHENTICATOR=sophon-proxy", "sophon-hub", "apache-config"]
    written = site.compose("exec", "-T", "hub", *program, *words, "--log-file=/proc/self/fd/1")
    (sign_on / "site.conf").write_text(written)
    (sign_on / "secret.conf").write_text(f'RequestHeader set X-Sso-Secret "{secret}"\n')
    (sign_on / "modules.conf").write_text(
        "".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
            for name in ("auth_basic", "authn_file")
        )
    )
    (sign_on / "people").write_text(PEOPLE)
    (sign_on / "sign-on.conf").write_text(
        "AuthType Basic\nAuthName campus\nAuthUserFile /etc/sophon/sign-on/people\n"
    )
    config = site.directory / "jupyterhub_config.py"
    lines = f"""
c.JupyterHub.public_url = "{site.url}/"
c.TrustedProxyAuthenticator.allow_all = True

configure(c)
"""
    ours = (REPOSITORY / "jupyterhub_config.py").read_text()
    config.write_text(ours.replace("\nconfigure(c)\n", lines))
    override = site.directory / "compose.override.yaml"
    override.write_text(HUB_BEHIND_CAMPUS.format(config=config))
    site.files.append(override)
    with site.env_file.open("a") as file:
        file.write(f"SOPHON_SIGN_ON_DIR={sign_on}\n")


def test_a_campus_can_sign_people_in(site: ComposeSite) -> None:
    add_campus(site)
    site.start()
    with requests.Session() as browser:
        browser.verify = str(site.certificate)
        browser.trust_env = False
        assert browser.get(f"{site.url}/hub/login", timeout=30).status_code == 401
        forged = {"X-Sso-User": "alice", "X-Sso-Secret": "s" * 64}
        asked = browser.get(f"{site.url}/hub/sso/login", headers=forged, timeout=30)
        assert asked.status_code == 401
        browser.auth = ("alice", PASSWORD)
        landed = browser.get(f"{site.url}/hub/login", timeout=30)
        assert (landed.status_code, landed.url) == (200, site.portal)
        me = browser.get(f"{site.portal}api/v1/me", timeout=30).json()
        assert me["username"] == "alice"
        assert [cookie.name for cookie in browser.cookies if not cookie.secure] == []
