"""`configure(c)`: what it sets, and what it refuses with one sentence."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.scopes import expand_scopes
from running import REPOSITORY, RunningHub, free_ports
from traitlets.config import Config

from sophon_hub import config, paths, preflight, startup
from sophon_hub.settings import BadSetting, Sophon
from tests.waiting import wait_for

SECRETS = ("cookie-secret", "proxy-token", "portal-token", "worker-token")


@pytest.fixture
def process_settings(settings: Sophon) -> Sophon:
    settings.spawner = "process"
    settings.port = free_ports()
    return settings


def wire(settings: Sophon) -> Config:
    c = Config()
    config.wire(c, settings, starting=False)
    return c


# what is set ------------------------------------------------------------------------------


def test_settings_come_from_arguments_then_traits_then_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOPHON_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SOPHON_SPAWNER", "process")
    for name in ("PORT", "HUB_PORT", "PORTAL_PORT"):
        monkeypatch.setenv(f"SOPHON_{name}", "9000")
    c = Config()
    c.Sophon.port = 9001
    c.Sophon.portal_port = 9001
    made = config.configure(c, portal_port=9002)
    assert (made.hub_port, made.port, made.portal_port) == (9000, 9001, 9002)
    # and the Hub's process gets the same settings from its configuration
    inside = Sophon(config=c)
    assert inside.environment() == made.environment()


def test_secrets_are_made_once_and_are_private(process_settings: Sophon) -> None:
    first = wire(process_settings)
    made = {name: process_settings.data_path / name for name in SECRETS}
    assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o600}
    texts = {path.read_text() for path in made.values()}
    assert len(texts) == len(SECRETS)
    assert all(len(text.strip()) == 64 for text in texts)
    second = wire(process_settings)
    assert first.JupyterHub.services == second.JupyterHub.services
    assert {path.read_text() for path in made.values()} == texts


def test_the_data_directory_is_private(process_settings: Sophon, tmp_path: Path) -> None:
    process_settings.data_dir = str(tmp_path / "a" / "new" / "one")
    wire(process_settings)
    assert process_settings.data_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o711])
def test_a_data_directory_that_others_can_enter_is_refused(
    process_settings: Sophon, mode: int
) -> None:
    wire(process_settings)
    process_settings.data_path.chmod(mode)
    with pytest.raises(BadSetting, match=f"chmod 700 {process_settings.data_path}"):
        wire(process_settings)
    process_settings.data_path.chmod(0o700)
    wire(process_settings)


def test_a_name_makes_an_administrator_only_where_the_hub_itself_gives_names(
    process_settings: Sophon,
) -> None:
    assert wire(process_settings).Authenticator.admin_users == {"admin"}
    # with any other authenticator somebody else decides who is called admin
    theirs = Sophon(data_dir=process_settings.data_dir, authenticator="dummy")
    assert "admin_users" not in wire(theirs).Authenticator
    theirs = Sophon(data_dir=process_settings.data_dir, authenticator="dummy", admin_user="ada")
    assert wire(theirs).Authenticator.admin_users == {"ada"}


def test_services_get_all_settings_and_never_administer(process_settings: Sophon) -> None:
    services = {service["name"]: service for service in wire(process_settings).JupyterHub.services}
    assert set(services) == {"sophon", "sophon-worker"}
    for service in services.values():
        assert service["environment"] == process_settings.environment()
        assert "admin" not in service
        assert Path(service["command"][1]).is_file()
    assert services["sophon"]["oauth_no_confirm"] is True
    assert services["sophon"]["oauth_client_allowed_scopes"] == []
    assert "url" not in services["sophon-worker"]


def scopes_of(c: Config, service: str) -> set[str]:
    roles = [role for role in c.JupyterHub.load_roles if service in role["services"]]
    return set(expand_scopes({scope for role in roles for scope in role["scopes"]}))


def test_the_portal_can_look_people_up_and_nothing_else(process_settings: Sophon) -> None:
    scopes = scopes_of(wire(process_settings), "sophon")
    assert scopes == {"list:users", "read:users:name"}


def test_the_worker_reaches_servers_of_collaboration_accounts_only(
    process_settings: Sophon,
) -> None:
    scopes = scopes_of(wire(process_settings), "sophon-worker")
    assert "servers!group=sophon-accounts" in scopes
    assert "delete:servers!group=sophon-accounts" in scopes
    unfiltered = {scope for scope in scopes if "!" not in scope}
    assert unfiltered.isdisjoint(
        {"servers", "start:servers", "delete:servers", "admin:servers", "access:servers", "tokens"}
    )


def test_labs_outlive_the_hub_and_people_land_on_the_portal(process_settings: Sophon) -> None:
    process_settings.base_url = "/hubs/physics"
    hub = wire(process_settings).JupyterHub
    assert hub.cleanup_servers is False
    assert hub.default_url == "/hubs/physics/services/sophon/"
    assert hub.last_activity_interval == 0
    assert hub.extra_user_scopes == {"access:services!service=sophon"}


@pytest.mark.parametrize(("kind", "limit"), [("service", 0), ("user", 1)])
def test_people_cannot_make_servers_without_number(kind: str, limit: int) -> None:
    caller = SimpleNamespace(current_user=SimpleNamespace(kind=kind))
    assert config.named_server_limit(caller) == limit


def test_every_page_of_a_trial_without_containers_says_so(process_settings: Sophon) -> None:
    assert "not isolated" in wire(process_settings).JupyterHub.template_vars["announcement"]
    process_settings.spawner = "docker"
    assert "announcement" not in wire(process_settings).JupyterHub.template_vars


def test_a_site_whose_sign_on_manages_groups_keeps_its_own(process_settings: Sophon) -> None:
    c = Config()
    c.Authenticator.manage_groups = True
    config.wire(c, process_settings, starting=False)
    assert "load_groups" not in c.JupyterHub
    assert "sophon-accounts" in wire(process_settings).JupyterHub.load_groups


@pytest.mark.parametrize(("host", "inside"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_ipv6_addresses_are_bracketed_in_addresses(
    process_settings: Sophon, host: str, inside: str
) -> None:
    process_settings.host = host
    bind_url = wire(process_settings).JupyterHub.bind_url
    assert bind_url == f"http://{inside}:{process_settings.port}/"


# what is refused --------------------------------------------------------------------------


def test_one_database_for_portal_and_hub_is_refused(process_settings: Sophon) -> None:
    process_settings.hub_database_url = "postgresql+psycopg://sophon@127.0.0.1/jupyterhub"
    assert wire(process_settings).JupyterHub.db_url == process_settings.hub_database_url

    process_settings.database_url = process_settings.hub_database_url
    with pytest.raises(BadSetting, match="the same database"):
        preflight.refuse_unsafe(process_settings, Config())


def test_visitors_without_an_account_get_containers_or_nothing(process_settings: Sophon) -> None:
    process_settings.temporary_labs = True
    with pytest.raises(BadSetting, match="SOPHON_TEMPORARY_LABS=false"):
        preflight.refuse_unsafe(process_settings, Config())
    process_settings.spawner = "docker"
    preflight.refuse_unsafe(process_settings, Config())


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_secret_that_others_can_reach_is_refused(
    process_settings: Sophon, name: str, mode: int
) -> None:
    wire(process_settings)
    path = process_settings.data_path / name
    path.chmod(mode)
    with pytest.raises(BadSetting, match=re.escape(f"chmod 600 {path}")):
        wire(process_settings)
    path.chmod(0o600)
    wire(process_settings)


def test_an_empty_secret_is_refused(process_settings: Sophon) -> None:
    wire(process_settings)
    (process_settings.data_path / "worker-token").write_text("\n")
    with pytest.raises(BadSetting, match="worker-token is empty"):
        wire(process_settings)


def test_a_missing_folder_of_lessons_is_refused(process_settings: Sophon, tmp_path: Path) -> None:
    process_settings.lessons_dir = str(tmp_path / "lessons")
    with pytest.raises(BadSetting, match=r"no such folder.*SOPHON_LESSONS_DIR"):
        wire(process_settings)
    (tmp_path / "lessons").mkdir()
    wire(process_settings)


def test_a_missing_accounts_file_is_refused(process_settings: Sophon, tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    process_settings.accounts_file = str(path)
    with pytest.raises(BadSetting, match="no such file"):
        wire(process_settings)
    path.write_text("[]")
    path.chmod(0o644)
    with pytest.raises(BadSetting, match="others can read"):
        wire(process_settings)
    path.chmod(0o600)
    wire(process_settings)


def test_a_missing_proxy_is_a_sentence(
    process_settings: Sophon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wire(process_settings)
    monkeypatch.setattr(paths, "CHECKOUT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadSetting, match="proxy is missing"):
        startup.proxy_command()
    program = tmp_path / "configurable-http-proxy"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert startup.proxy_command() == str(program)


def test_a_bad_setting_ends_the_program_with_its_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOPHON_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SOPHON_PORT", "many")
    with pytest.raises(SystemExit, match=r"^sophon-hub: SOPHON_PORT='many' cannot be read"):
        config.configure(Config())


# before a start ---------------------------------------------------------------------------


@pytest.fixture
def locked(process_settings: Sophon) -> Any:
    """The data directory, held by another process."""
    startup.hold_lock(process_settings)
    yield process_settings
    startup._held_locks.pop().close()


def test_one_hub_a_data_directory(locked: Sophon, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=rf"already running .* {os.getpid()}"):
        startup.hold_lock(locked)
    locked.data_dir = str(tmp_path / "other")
    startup.hold_lock(locked)
    startup._held_locks.pop().close()


@pytest.mark.parametrize("setting", ["port", "hub_port", "proxy_api_port", "portal_port"])
def test_a_taken_port_is_a_sentence_that_names_the_setting(
    process_settings: Sophon, setting: str
) -> None:
    wanted = startup.endpoints(process_settings, "127.0.0.1")
    for endpoint in wanted:
        startup.refuse_taken(endpoint)
    port = getattr(process_settings, setting)
    variable = f"SOPHON_{setting.upper()}="
    with socket.create_server(("127.0.0.1", port)):
        taken = next(endpoint for endpoint in wanted if endpoint.setting == setting)
        with pytest.raises(BadSetting, match=f"port {port}: Address already in use.*{variable}"):
            startup.refuse_taken(taken)


def test_an_address_that_is_not_ours_is_a_sentence() -> None:
    with pytest.raises(BadSetting, match=r"Cannot listen on 192\.0\.2\.1 port 8000"):
        startup.refuse_taken(startup.Endpoint("192.0.2.1", 8000, "port"))
    with pytest.raises(BadSetting, match="Cannot listen on no-such-host"):
        startup.refuse_taken(startup.Endpoint("no-such-host.invalid", 8000, "port"))


def bystander() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


@pytest.mark.parametrize("text", ["{pid}", "nonsense", "", "999999999"])
def test_a_process_that_only_has_the_number_of_an_old_proxy_is_left_alone(
    process_settings: Sophon, text: str
) -> None:
    file = process_settings.prepare_data_dir() / startup.PROXY_PID_FILE
    with bystander() as stranger:
        file.write_text(text.format(pid=stranger.pid))
        startup.end_orphans(process_settings)
        assert stranger.poll() is None
        assert stranger.stdin is not None
        stranger.stdin.close()
    assert not file.exists()  # or the Hub itself would send it signals


# the real thing ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    hub = RunningHub(tmp_path_factory.mktemp("hub"))
    hub.start()
    yield hub
    hub.end()


def assert_one_sentence(result: tuple[int, str], pattern: str) -> None:
    code, said = result
    assert code == 1
    assert re.fullmatch(f"sophon-hub: {pattern}\n", said), said


@pytest.mark.hub
def test_a_second_hub_on_the_same_data_is_refused(hub: RunningHub) -> None:
    assert_one_sentence(hub.run_to_the_end(), "A hub is already running .*")
    assert hub.is_up()


@pytest.mark.hub
def test_a_taken_port_ends_the_start(hub: RunningHub, tmp_path: Path) -> None:
    other = RunningHub(tmp_path, port=str(hub.port))
    assert other.command("migrate").returncode == 0
    assert_one_sentence(other.run_to_the_end(), f"Cannot listen on .* port {hub.port}: .*")
    assert hub.is_up()


@pytest.mark.hub
def test_a_database_without_tables_ends_the_start(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path)
    assert_one_sentence(hub.run_to_the_end(), ".* is empty; run: sophon-hub migrate")


@pytest.mark.hub
def test_processes_beyond_loopback_end_the_start(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path, host="0.0.0.0")
    assert_one_sentence(hub.run_to_the_end(), ".* not isolated.*")


def pid_of(hub: RunningHub, *, word: str) -> int | None:
    """A process of this hub with this word in its command line."""
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if word in startup._command(pid) and any(
            mark in startup._command(pid) + (entry / "environ").read_bytes().decode("latin-1")
            for mark in (f"SOPHON_DATA_DIR={hub.data}\0", f"\0{hub.port}\0")
        ):
            return pid
    return None


@pytest.mark.hub
def test_after_kill_the_next_start_replaces_what_was_left(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path)
    hub.start()
    try:
        password = hub.admin_password()
        browser = hub.browser()
        browser.sign_in("admin", password)
        left = {word: pid_of(hub, word=word) for word in ("http-proxy", "portal.py", "worker.py")}
        assert all(left.values()), left
        hub.end(signal.SIGKILL)
        for pid in left.values():
            assert pid is not None
            os.kill(pid, 0)  # still there
        hub.start()
        assert browser.name() == "admin"  # secrets and sessions are the same
        assert hub.admin_password() == password
        now = {word: pid_of(hub, word=word) for word in left}
        assert all(now.values())
        assert not set(now.values()) & set(left.values())
    finally:
        hub.end()
    wait_for(lambda: not any(pid_of(hub, word=word) for word in left), "proxy and services to end")


# installed without the checkout -----------------------------------------------------------


def test_a_wheel_has_every_page_service_and_migration(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a build leaves files in its directory, and takes old ones
    source.mkdir()
    for name in (
        "sophon_hub",
        "services",
        "templates",
        "images/lab/sophon_lab",
        "images/lab/share",
    ):
        shutil.copytree(REPOSITORY / name, source / name)
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, f"--wheel-dir={tmp_path}", source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    packed = {
        name.partition("/data/share/sophon_hub/")[2] for name in inside if "/data/share/" in name
    }
    wanted = {
        str(path.relative_to(REPOSITORY))
        for folder, pattern in (
            ("templates", "**/*.html"),
            ("services", "*.py"),
            ("images/lab/sophon_lab", "*.py"),
            ("images/lab/share/labextensions", "**/*.js*"),
        )
        for path in (REPOSITORY / folder).glob(pattern)
    }
    assert packed == wanted
    modules = {
        str(path.relative_to(REPOSITORY))
        for pattern in ("**/*.py", "**/*.mako", "static/**/*.*", "**/*.json")
        for path in (REPOSITORY / "sophon_hub").glob(pattern)
    }
    assert modules <= set(inside)


def test_pages_and_services_are_found_where_pip_puts_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert paths.hub_templates() == REPOSITORY / "templates" / "hub"
    monkeypatch.setattr(paths, "CHECKOUT", tmp_path)
    share = Path(sys.prefix) / "share" / "sophon_hub"
    assert paths.hub_templates() == share / "templates" / "hub"
    assert paths.portal_templates() == share / "templates" / "portal"
    assert paths.service_script("worker") == share / "services" / "worker.py"
    assert paths.lab_package() == share / "images" / "lab"
