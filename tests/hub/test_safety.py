"""What a hub refuses to start with when others can reach it; on loopback the same starts."""

import contextlib
import json
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from running import REPOSITORY, RunningHub
from traitlets.config import Config

from sophon_hub import config, preflight, safety
from sophon_hub.settings import BadSetting, Sophon
from tests.engine import docker_client, remove_namespace

PUBLIC_URL = "https://hub.example.edu/"
SAMPLE = "change-me-change-me-change-me-change-me"
GOOD = "2f8c1d97b0a6e354" + "9d3b07e2c8f1a465"


@dataclass
class Site:
    """Settings and configuration of a hub, before it starts."""

    settings: Sophon
    c: Config
    setenv: Callable[[str, str], None]
    open_directory: Path

    def refuse_unsafe(self) -> None:
        preflight.refuse_unsafe(self.settings, self.c)

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.settings.data_path / name
        path.touch(mode)
        path.write_text(text)
        path.chmod(mode)
        return path


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Where everybody may look; pytest's own directories are private."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def site(settings: Sophon, monkeypatch: pytest.MonkeyPatch, open_directory: Path) -> Site:
    """A hub on loopback."""
    for name in ("JUPYTERHUB_CRYPT_KEY", "JPY_COOKIE_SECRET", "CONFIGPROXY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return Site(settings, Config(), monkeypatch.setenv, open_directory)


def listen_on_all_addresses(site: Site) -> None:
    site.settings.host = "0.0.0.0"
    site.settings.tls_in_front = True


def be_behind_a_web_server(site: Site) -> None:
    site.settings.public_url = PUBLIC_URL


def have_subdomains(site: Site) -> None:
    site.settings.subdomain_host = PUBLIC_URL.rstrip("/")


def be_behind_a_web_server_by_trait(site: Site) -> None:
    site.c.JupyterHub.public_url = PUBLIC_URL


each_exposure = pytest.mark.parametrize(
    "expose",
    [
        listen_on_all_addresses,
        be_behind_a_web_server,
        have_subdomains,
        be_behind_a_web_server_by_trait,
    ],
)


@each_exposure
def test_a_hub_with_secrets_of_its_own_starts_beyond_loopback(
    site: Site, expose: Callable[[Site], None]
) -> None:
    expose(site)
    config.wire(site.c, site.settings, starting=False)
    site.setenv("JUPYTERHUB_CRYPT_KEY", f"{secrets.token_hex(32)};{secrets.token_hex(32)}")
    site.settings.database_url = f"postgresql+psycopg://sophon:{GOOD}@db.example.edu/sophon"
    site.c.JupyterHub.services.append({"name": "prometheus", "api_token": secrets.token_hex(32)})
    site.c.JupyterHub.cookie_secret = secrets.token_bytes(32)
    site.refuse_unsafe()


# what is unsafe ---------------------------------------------------------------------------


def labs_as_processes(site: Site) -> None:
    site.settings.spawner = "process"


def secret_file(name: str, text: str) -> Callable[[Site], None]:
    def write(site: Site) -> None:
        site.write(name, f"{text}\n")

    return write


def cookie_secret_elsewhere(site: Site) -> None:
    site.c.JupyterHub.cookie_secret_file = str(site.write("mine", "abc"))


def variable(name: str, value: str) -> Callable[[Site], None]:
    return lambda site: site.setenv(name, value)


def trait(section: str, name: str, value: object) -> Callable[[Site], None]:
    def put(site: Site) -> None:
        site.c[section][name] = value

    return put


def setting(name: str, value: object) -> Callable[[Site], None]:
    return lambda site: setattr(site.settings, name, value)


def readable(name: str, put: Callable[[Site, Path], None]) -> Callable[[Site], None]:
    """A file where others come by, and which they can read."""

    def write(site: Site) -> None:
        path = site.open_directory / name
        path.touch()
        path.chmod(0o644)
        put(site, path)

    return write


def database(site: Site, path: Path) -> None:
    site.settings.hub_database_url = f"sqlite:///{path}"


def tls_key(site: Site, path: Path) -> None:
    site.c.JupyterHub.ssl_key = str(path)


def environment_file(site: Site, path: Path) -> None:
    site.settings.environment_file = str(path)


def short_admin_password(site: Site) -> None:
    people = [{"username": "Admin", "password": "x-9q-Zk2w-7"}]
    site.settings.accounts_file = str(site.write("accounts.json", json.dumps(people)))


POSTGRES = "postgresql+psycopg://sophon:{}@db.example.edu/sophon"
UNSAFE: dict[str, tuple[Callable[[Site], None], str]] = {
    "processes": (labs_as_processes, "SOPHON_SPAWNER=docker"),
    "short cookie secret": (secret_file("cookie-secret", "abcdef"), "fewer than 32 characters"),
    "sample portal token": (secret_file("portal-token", SAMPLE), "portal-token is a sample"),
    "sample worker token": (secret_file("worker-token", "0" * 64), "worker-token is a sample"),
    "sample proxy token": (secret_file("proxy-token", "0123456789" * 6), "is a sample"),
    "short session secret": (secret_file("portal-cookie-secret", GOOD[:31]), "fewer than 32"),
    "cookie secret elsewhere": (cookie_secret_elsewhere, "fewer than 32"),
    "cookie secret": (trait("JupyterHub", "cookie_secret", b"x" * 32), "cookie_secret is a sample"),
    "cookie secret of the environment": (variable("JPY_COOKIE_SECRET", "12ab"), "JPY_COOKIE_SE"),
    "token of the proxy": (
        trait("ConfigurableHTTPProxy", "auth_token", "s3cret"),
        "ConfigurableHTTPProxy.auth_token has fewer than 32",
    ),
    "token of the proxy in the environment": (
        variable("CONFIGPROXY_AUTH_TOKEN", SAMPLE),
        "CONFIGPROXY_AUTH_TOKEN is a sample",
    ),
    "encryption key": (variable("JUPYTERHUB_CRYPT_KEY", f"{GOOD};{'0' * 64}"), "CRYPT_KEY is a"),
    "token of a service": (
        trait("JupyterHub", "services", [{"name": "a"}, {"name": "cull", "api_token": "abc"}]),
        "The token of the service cull has fewer than 32",
    ),
    "service tokens": (
        trait("JupyterHub", "service_tokens", {"abc": "cull"}),
        "c.JupyterHub.service_tokens has fewer than 32",
    ),
    "tokens": (trait("JupyterHub", "api_tokens", {SAMPLE: "ada"}), "api_tokens is a sample"),
    "database password": (
        setting("database_url", POSTGRES.format("sophon")),
        "in database_url has",
    ),
    "database password of the Hub": (
        setting("hub_database_url", POSTGRES.format(SAMPLE)),
        "in hub_database_url is a sample",
    ),
    "database elsewhere": (readable("hub.sqlite", database), "chmod 600 .*hub.sqlite"),
    "key of the certificate": (readable("key.pem", tls_key), "chmod 600 .*key.pem"),
    "environment file": (readable("hub.env", environment_file), "chmod 600 .*hub.env"),
    "open sign-up": (setting("open_signup", True), "SOPHON_OPEN_SIGNUP=false"),
    "short password": (short_admin_password, "administrator admin has fewer than 12"),
    "short first password": (secret_file("admin-password", "x-9q-Zk2w-7"), "administrator admin"),
}


@each_exposure
@pytest.mark.parametrize("name", UNSAFE)
def test_what_is_unsafe_is_refused_beyond_loopback_only(
    site: Site, name: str, expose: Callable[[Site], None]
) -> None:
    make_unsafe, sentence = UNSAFE[name]
    make_unsafe(site)
    site.refuse_unsafe()
    expose(site)
    with pytest.raises(BadSetting) as refused:
        site.refuse_unsafe()
    assert re.search(sentence, refused.value.detail), refused.value.detail
    assert re.search(r"Set |Run: |Replace |Choose ", refused.value.detail)
    assert GOOD not in refused.value.detail
    assert SAMPLE not in refused.value.detail


@each_exposure
def test_open_sign_up_is_for_people_who_are_named(
    site: Site, expose: Callable[[Site], None]
) -> None:
    expose(site)
    site.settings.open_signup = True
    with pytest.raises(BadSetting, match="allowed_users"):
        site.refuse_unsafe()
    site.c.Authenticator.allowed_users = {"ada"}
    site.refuse_unsafe()
    site.c.LocalAuthenticator.allow_all = True
    with pytest.raises(BadSetting, match="allowed_users"):
        site.refuse_unsafe()


def test_a_file_is_as_private_as_its_most_private_directory(open_directory: Path) -> None:
    file = open_directory / "outer" / "inner" / "file"
    file.parent.mkdir(parents=True)
    file.touch()
    for outer, mode, mask, reached in (
        (0o755, 0o644, 0o077, True),
        (0o750, 0o640, 0o077, True),
        (0o755, 0o640, 0o027, False),
        (0o755, 0o644, 0o027, True),
        (0o755, 0o600, 0o077, False),
        (0o700, 0o666, 0o077, False),
    ):
        file.parent.parent.chmod(outer)
        file.chmod(mode)
        assert safety.others_reach(file, mask) == reached
    link = open_directory / "link"
    link.symlink_to(file)
    assert not safety.others_reach(link)
    assert not safety.others_reach(open_directory / "missing")


# addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
@pytest.mark.parametrize("url", ["", "http://127.0.0.1:8000", "http://a.localhost", "http://[::1]"])
def test_loopback_needs_neither_tls_nor_containers(site: Site, host: str, url: str) -> None:
    site.settings.host, site.settings.spawner = host, "process"
    site.c.JupyterHub.public_url = url
    site.refuse_unsafe()


each_open_host = pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.1", "hub.example.org", "localhost.example.org", ""]
)


@each_open_host
def test_listening_beyond_loopback_needs_tls_or_a_word_about_it(site: Site, host: str) -> None:
    site.settings.host = host
    for own in ("", "http://127.0.0.1:8000/", "https://localhost/"):
        site.settings.public_url = own
        with pytest.raises(BadSetting, match=r"without TLS.*SOPHON_TLS_IN_FRONT=true"):
            site.refuse_unsafe()
    site.settings.tls_in_front = True
    site.refuse_unsafe()
    site.settings.tls_in_front = False
    site.c.JupyterHub.public_url = PUBLIC_URL
    site.refuse_unsafe()
    del site.c.JupyterHub["public_url"]
    site.c.JupyterHub.ssl_cert = "/etc/hub/fullchain.pem"
    with pytest.raises(BadSetting, match="ssl_key"):
        site.refuse_unsafe()
    site.c.JupyterHub.ssl_key = "/etc/hub/privkey.pem"
    site.refuse_unsafe()


@each_open_host
def test_labs_without_isolation_are_refused_beyond_loopback(site: Site, host: str) -> None:
    site.settings.host, site.settings.tls_in_front = host, True
    site.settings.spawner = "process"
    with pytest.raises(BadSetting, match="not isolated"):
        site.refuse_unsafe()
    site.settings.spawner = "docker"
    site.refuse_unsafe()


@pytest.mark.parametrize("name", ["public_url", "subdomain_host"])
@pytest.mark.parametrize("by_trait", [False, True])
def test_an_address_without_tls_is_refused(site: Site, name: str, by_trait: bool) -> None:
    site.settings.tls_in_front = True
    target = site.c.JupyterHub if by_trait else site.settings
    setattr(target, name, "http://hub.example.edu:8000/")
    with pytest.raises(BadSetting, match=r"to https://hub\.example\.edu:8000/$"):
        site.refuse_unsafe()
    setattr(target, name, "https://hub.example.edu:8000/")
    site.refuse_unsafe()


def test_an_address_of_a_database_that_cannot_be_read_is_a_sentence(site: Site) -> None:
    be_behind_a_web_server(site)
    site.settings.database_url = "nonsense"
    with pytest.raises(BadSetting, match="SQLAlchemy URL"):
        site.refuse_unsafe()


# the real thing ---------------------------------------------------------------------------


@pytest.fixture
def make_hub(tmp_path: Path) -> Iterator[Callable[..., RunningHub]]:
    """Makes hubs whose labs are containers, as far as they get."""
    made: list[RunningHub] = []
    namespace = f"sophontest-{secrets.token_hex(4)}"

    def make(config: str = "", after: str = "", **settings: str) -> RunningHub:
        settings = {"spawner": "docker", "namespace": namespace} | settings
        directory = tmp_path / f"hub{len(made)}"
        directory.mkdir()
        hub = RunningHub(directory, config=config, **settings)
        hub.config_file.write_text(hub.config_file.read_text() + after)
        made.append(hub)
        return hub

    yield make
    for hub in made:
        hub.end()
    if any(hub.log_file.exists() for hub in made):
        with contextlib.closing(docker_client()) as engine:
            remove_namespace(engine, namespace)


BEHIND = f"c.Sophon.public_url = {PUBLIC_URL!r}\n"
TOKEN_AT_THE_END = 'c.JupyterHub.services.append({"name": "cull", "api_token": "abcdefgh"})\n'


def test_check_says_what_the_environment_says(make_hub: Callable[..., RunningHub]) -> None:
    refused = make_hub(host="0.0.0.0").command("check")
    assert refused.returncode == 1
    assert "without TLS" in refused.stderr
    good = make_hub(host="0.0.0.0", tls_in_front="true").command("check")
    assert (good.returncode, good.stderr) == (0, "")


def test_check_reads_a_configuration_file_to_its_end(make_hub: Callable[..., RunningHub]) -> None:
    def check(hub: RunningHub) -> tuple[int, str]:
        done = hub.command("check", "--config", str(hub.config_file))
        return done.returncode, done.stderr

    assert check(make_hub(BEHIND)) == (0, "")
    for last, sentence in (
        (TOKEN_AT_THE_END, "service cull has fewer than 32"),
        ('c.JupyterHub.bind_url = "http://0.0.0.0:8000"\n', "on 0.0.0.0 without TLS"),
    ):
        code, said = check(make_hub(BEHIND if last == TOKEN_AT_THE_END else "", last))
        assert code == 1
        assert sentence in said
    hub = make_hub()
    missing = hub.command("check", "--config", "/none.py")
    assert (missing.returncode, "no such file" in missing.stderr) == (1, True)


@pytest.mark.hub
def test_a_refusal_ends_the_start_with_one_sentence(make_hub: Callable[..., RunningHub]) -> None:
    code, said = make_hub(host="0.0.0.0").run_to_the_end()
    assert code == 1
    assert re.fullmatch(r"sophon-hub: The hub would listen on 0\.0\.0\.0 without TLS.*\n", said)


@pytest.mark.hub
@pytest.mark.docker
def test_what_stands_below_the_call_of_configure_is_looked_at_too(
    make_hub: Callable[..., RunningHub],
) -> None:
    for last, sentence in (
        (TOKEN_AT_THE_END, "service cull has fewer than 32"),
        ("c.Authenticator.allow_all = True\n", "SOPHON_OPEN_SIGNUP=false"),
    ):
        site = BEHIND + "c.Authenticator.allowed_users = {'ada'}\n"
        hub = make_hub(site, last, open_signup="true")
        assert hub.command("migrate").returncode == 0
        code, said = hub.run_to_the_end()
        assert code == 1
        assert sentence in said.splitlines()[-1], said
        assert "JupyterHub is now running" not in said


@pytest.mark.hub
@pytest.mark.docker
def test_a_hub_with_a_certificate_of_its_own_starts_and_is_healthy(
    make_hub: Callable[..., RunningHub], tmp_path: Path
) -> None:
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    words = (
        "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 1"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        f" -keyout {key} -out {certificate}"
    )
    subprocess.run(words.split(), check=True, capture_output=True)
    lines = f"c.JupyterHub.ssl_cert = '{certificate}'\nc.JupyterHub.ssl_key = '{key}'\n"
    hub = make_hub(lines, host="0.0.0.0")
    hub.url = f"https://localhost:{hub.port}"
    hub.certificate = certificate
    hub.start()
    health = [sys.executable, REPOSITORY / "deploy" / "container" / "healthy"]
    assert subprocess.run(health, env=hub.environment, check=False).returncode == 0
    hub.end()
    dead = subprocess.run(health, env=hub.environment, check=False, capture_output=True, text=True)
    assert dead.returncode == 1
    assert "Connection refused" in dead.stderr
    assert dead.stderr.count("\n") == 1


@pytest.mark.hub
@pytest.mark.docker
def test_a_hub_behind_a_web_server_starts(make_hub: Callable[..., RunningHub]) -> None:
    hub = make_hub(BEHIND)
    hub.start()
    assert hub.is_up()
