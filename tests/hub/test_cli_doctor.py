"""`sophon-hub doctor`: beside a hub that runs, before one is started, and what can be wrong."""

import json
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from running import REPOSITORY, RunningHub, free_ports
from sqlalchemy import Engine, create_engine, text

from sophon_hub import cli
from sophon_hub.clock import utcnow
from sophon_hub.doctor import machine, running
from sophon_hub.doctor.findings import Finding, State
from sophon_hub.metrics.heartbeat import beat
from sophon_hub.models import AuditEvent, Job
from sophon_hub.settings import Sophon
from sophon_hub.spawner.engine_state import EngineState
from sophon_hub.store.engine import make_engine, writing
from sophon_hub.volumes.helper import VolumeTrouble
from tests.waiting import wait_for

OK, FAILED, WRONG = 0, 1, 3
Ask = Callable[..., tuple[int, dict[str, Finding]]]


def found(lines: Any) -> dict[str, Finding]:
    return {one.check: one for one in lines}


@pytest.fixture
def ask(settings: Sophon, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs the command: its exit status, and what it found by name; the lines say the same."""

    def run(*words: str) -> tuple[int, dict[str, Finding]]:
        capsys.readouterr()
        status = cli.main(["doctor", "--json", *words])
        told = json.loads(capsys.readouterr().out)
        checks = [Finding(**{**one, "state": State(one["state"])}) for one in told["checks"]]
        assert told["ok"] is (status == OK)
        assert status == (WRONG if any(one.state is State.ERROR for one in checks) else OK)
        assert all(one.message.strip() for one in checks)
        assert all(one.todo or "." in one.message for one in checks if one.state is not State.OK)
        return status, {one.check: one for one in checks}

    return run


# before a start


@pytest.fixture
def here(settings: Sophon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of a hub that does not run and needs no engine; its data directory."""
    data = tmp_path / "data"
    monkeypatch.setenv("SOPHON_DATA_DIR", str(data))
    monkeypatch.setenv("SOPHON_SPAWNER", "process")
    monkeypatch.setenv("SOPHON_PORT", str(free_ports()))
    return data


def test_before_the_first_start_nothing_is_wrong_and_nothing_is_made(here: Path, ask: Ask) -> None:
    status, checks = ask()
    assert status == OK
    assert not here.exists()
    to_know = {name for name, one in checks.items() if one.state is State.WARNING}
    assert to_know == {"data directory", "database of Sophon", "database of the Hub", "hub"}
    assert checks["database of Sophon"].todo == "Run: sophon-hub migrate"
    assert checks["program of the proxy"].state is State.OK
    assert sum(name.startswith("port ") for name in checks) == 4


def test_the_lines_for_people_say_what_to_do_and_count(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor"]) == OK
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok      settings: A hub starts with them."
    assert "warning database of Sophon: It is not there yet. Run: sophon-hub migrate" in lines
    assert last == f"{len(lines)} looked at: 0 wrong, 4 to know."
    here.mkdir(mode=0o755)
    here.chmod(0o755)
    assert cli.main(["doctor"]) == WRONG
    said = capsys.readouterr().out
    assert f"error   data directory: Others on this machine can get into {here}." in said
    assert f"chmod 700 {here}" in said


def test_a_setting_that_cannot_work_is_an_error_with_what_to_set(
    here: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOPHON_LESSONS_DIR", "/nowhere")
    _, checks = ask()
    assert checks["settings"].state is State.ERROR
    assert "SOPHON_LESSONS_DIR" in checks["settings"].message
    monkeypatch.setenv("SOPHON_LESSONS_DIR", str(tmp_path))
    assert ask()[1]["settings"].state is State.OK
    assert ask("--config", str(REPOSITORY / "jupyterhub_config.py"))[0] == OK


def test_a_wrong_word_in_the_environment_is_one_sentence(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOPHON_PORT", "many")
    assert cli.main(["doctor"]) == FAILED
    assert "SOPHON_PORT='many'" in capsys.readouterr().err


def test_a_taken_port_and_a_missing_proxy_are_named(
    here: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Sophon.load()
    with socket.create_server(("127.0.0.1", settings.portal_port)):
        assert ask()[1][f"port {settings.portal_port}"].state is State.ERROR
    assert ask()[1][f"port {settings.portal_port}"].state is State.OK
    monkeypatch.setattr("sophon_hub.paths.CHECKOUT", here)
    monkeypatch.setenv("PATH", str(here))
    assert "npm" in ask()[1]["program of the proxy"].message


def test_secrets_that_others_read_or_that_are_empty_are_errors(
    here: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.mkdir(mode=0o700)
    assert ask()[1]["secrets"].state is State.WARNING
    secret, named = here / "portal-token", here / "proxy-secret"
    secret.write_text("x" * 64)
    secret.chmod(0o600)
    monkeypatch.setenv("SOPHON_PROXY_SECRET_FILE", str(named))
    checks = ask()[1]
    assert "secrets" not in checks
    assert checks["secret portal-token"].state is State.OK
    assert "No such file" in checks["secret proxy-secret"].message
    secret.chmod(0o644)
    assert "chmod 600" in ask()[1]["secret portal-token"].message
    secret.write_text("\n")
    secret.chmod(0o600)
    assert "Remove it" in ask()[1]["secret portal-token"].todo
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "cannot write" in ask()[1]["data directory"].message


def test_databases_that_are_old_broken_or_empty_are_told_apart(
    here: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["migrate"]) == OK
    hub = here / "jupyterhub.sqlite"
    engine = create_engine(f"sqlite:///{hub}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE other (id INTEGER)"))
    status, checks = ask()
    assert (status, checks["database of Sophon"].state) == (OK, State.OK)
    assert checks["database of the Hub"].message == "It is empty."
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(text("CREATE TABLE users (id INTEGER)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('651f5419b74d')"))
    assert "older JupyterHub" in ask()[1]["database of the Hub"].message
    engine.dispose()
    for file in (hub, here / "sophon.sqlite"):
        file.write_bytes(b"no database" * 1000)
    status, checks = ask()
    assert status == WRONG
    assert checks["database of Sophon"].state is State.ERROR
    assert "cannot be opened" in checks["database of the Hub"].message
    monkeypatch.setenv("SOPHON_DATABASE_URL", "nonsense")
    monkeypatch.setenv("SOPHON_HUB_DATABASE_URL", "nonsense too")
    status, checks = ask()
    assert checks["database of Sophon"].state is State.ERROR
    assert checks["database of the Hub"].state is State.ERROR


# parts of the machine


def state(**changes: Any) -> EngineState:
    """An engine that has everything."""
    whole: dict[str, Any] = {"version": "29", "at": utcnow(), "there": ("lab",), "missing": ()}
    return EngineState(**whole | {"hub_address": None} | changes)


def test_an_engine_is_asked_for_images_and_the_time(settings: Sophon) -> None:
    good = found(machine.engine(settings, lambda _: state()))
    assert {one.state for one in good.values()} == {State.OK}
    lacking = found(machine.engine(settings, lambda _: state(there=(), missing=("ours:1",))))
    assert "docker pull ours:1" in lacking["image ours:1"].todo
    late = utcnow() - timedelta(minutes=1)
    wrong = found(machine.engine(settings, lambda _: state(at=late)))
    assert wrong["clock of the engine"].state is State.ERROR
    assert "60 seconds" in wrong["clock of the engine"].message


def test_without_an_engine_it_is_said_how_to_get_one(
    here: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOPHON_SPAWNER", "docker")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    status, checks = ask()
    assert status == WRONG
    assert "systemctl start docker" in checks["Docker engine"].todo
    assert checks["disk of the homes"].state is State.WARNING
    assert not [name for name in checks if name.startswith("image")]


@pytest.mark.docker
def test_the_engine_of_this_machine_is_asked_and_given_nothing(
    here: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOPHON_SPAWNER", "docker")
    monkeypatch.setenv("SOPHON_NAMESPACE", "sophontest-doctor")
    images = {"lab": {"image": "sophon-hub/lab:latest"}, "none": {"image": "sophontest/none:1"}}
    monkeypatch.setenv("SOPHON_IMAGES", json.dumps(images))
    monkeypatch.setenv("SOPHON_TEMPORARY_LABS", "true")
    monkeypatch.setenv("SOPHON_TEMPORARY_IMAGE", "sophontest/visitors:1")
    _, checks = ask()
    assert checks["Docker engine"].state is State.OK
    assert {name for name in checks if name.startswith("image ")} == {
        "image sophontest/none:1",
        "image sophontest/visitors:1",
    }
    assert checks["clock of the engine"].state is State.OK
    monkeypatch.setenv("SOPHON_IMAGES", json.dumps({"lab": images["lab"]}))
    monkeypatch.setenv("SOPHON_TEMPORARY_LABS", "false")
    status, checks = ask()
    assert (status, checks["images"].state) == (OK, State.OK)


@pytest.mark.parametrize(
    ("gigabytes", "expected"), [(4, State.ERROR), (9, State.WARNING), (11, State.OK)]
)
def test_little_room_is_told_before_labs_are_stopped(
    settings: Sophon, gigabytes: int, expected: State
) -> None:
    checks = found(machine.disk(settings, lambda _: gigabytes * 1024**3))
    assert checks["disk of the homes"].state is expected
    assert checks["disk of the homes"].message == f"{gigabytes}.0 GiB are free."


def test_a_disk_that_cannot_be_looked_at_is_no_error(settings: Sophon) -> None:
    def fail(_: Sophon) -> int:
        raise VolumeTrouble("no helper")

    assert found(machine.disk(settings, fail))["disk of the homes"].state is State.WARNING


def test_a_clock_that_was_set_back_is_noticed_by_the_last_event(
    settings: Sophon, engine: Engine
) -> None:
    settings.database_url = engine.url.render_as_string(hide_password=False)
    assert {one.state for one in machine.clocks(settings)} == {State.OK}
    with writing(engine) as session:
        at = utcnow() + timedelta(hours=1)
        session.add(AuditEvent(at=at, action="audit:prune", subject="hub", detail={}, via="cli"))
    checks = found(machine.clocks(settings))
    assert "was set back" in checks["clock"].message
    assert ("clock of the database" in checks) is (engine.dialect.name == "postgresql")


def test_without_a_good_database_its_clock_is_not_asked(settings: Sophon) -> None:
    assert list(machine.clocks(settings)) == []
    settings.data_path.mkdir(exist_ok=True)
    Path(settings.data_dir, "sophon.sqlite").write_bytes(b"no database" * 1000)
    assert list(machine.clocks(settings)) == []
    assert list(running._worker(settings)) == []


def test_a_silent_worker_and_work_that_waits_are_told(engine: Engine) -> None:
    assert found(running._of_worker(engine))["worker"].message == "It never ran."
    with writing(engine) as session:
        beat(session, now=utcnow(), repaired_at=None, done=0, failed=0)
    checks = found(running._of_worker(engine))
    assert (checks["worker"].message, checks["jobs"].message) == ("It lives.", "None wait.")
    with writing(engine) as session:
        before = utcnow() - timedelta(minutes=5)
        beat(session, now=before, repaired_at=None, done=0, failed=0)
        session.add(
            Job(kind="reconcile", key="reconcile", payload={}, created_at=before, due_at=before)
        )
    checks = found(running._of_worker(engine))
    assert "silent for 300 seconds" in checks["worker"].message
    assert checks["jobs"].state is State.WARNING
    assert "1 wait, 0 after a failure" in checks["jobs"].message


# beside a hub that runs


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path_factory.mktemp("doctor"))
    hub.start()
    engine = make_engine(f"sqlite:///{hub.data}/sophon.sqlite")
    wait_for(
        lambda: found(running._of_worker(engine))["worker"].state is State.OK, "the worker to live"
    )
    engine.dispose()
    yield hub
    hub.end()


@pytest.fixture
def beside(hub: RunningHub, settings: Sophon, monkeypatch: pytest.MonkeyPatch) -> RunningHub:
    """The command works with the settings of the hub."""
    for name, value in hub.environment.items():
        if name.startswith("SOPHON_"):
            monkeypatch.setenv(name, value)
    return hub


ASKED = {"hub", "proxy", "Hub for the portal", "Hub for the worker", "portal", "worker", "jobs"}


@pytest.mark.hub
def test_a_hub_that_runs_is_whole(beside: RunningHub, ask: Ask) -> None:
    status, checks = ask()
    assert status == OK
    assert {one.state for one in checks.values()} == {State.OK}
    assert set(checks) >= ASKED
    # asking has not taken the lock: the hub is still the only one
    assert cli.main(["check"]) == FAILED


@pytest.mark.hub
@pytest.mark.parametrize(
    ("name", "check", "said"),
    [
        ("proxy-token", "proxy", "does not take the token in proxy-token (403)"),
        ("worker-token", "Hub for the worker", "does not take the token in worker-token (403)"),
    ],
)
def test_a_token_that_was_changed_is_named(
    beside: RunningHub, ask: Ask, name: str, check: str, said: str
) -> None:
    file = beside.data / name
    right = file.read_text()
    file.write_text("0" * 64)
    try:
        checks = ask()[1]
        assert said in checks[check].message
        file.unlink()
        assert said in ask()[1][check].message
    finally:
        file.touch(0o600)
        file.write_text(right)
    assert ask()[0] == OK


@pytest.mark.hub
def test_a_token_without_the_scopes_is_named_with_what_it_lacks(
    beside: RunningHub, ask: Ask
) -> None:
    file = beside.data / "worker-token"
    right = file.read_text()
    file.write_text((beside.data / "portal-token").read_text())
    try:
        checks = ask()[1]
        assert "lacks the scopes admin:groups, admin:users" in checks["Hub for the worker"].message
        assert checks["Hub for the portal"].state is State.OK
    finally:
        file.write_text(right)


@pytest.mark.hub
@pytest.mark.parametrize(
    ("setting", "checks"),
    [
        ("SOPHON_PROXY_API_PORT", {"proxy"}),
        ("SOPHON_HUB_PORT", {"Hub for the portal", "Hub for the worker"}),
        ("SOPHON_PORTAL_PORT", {"portal"}),
    ],
)
def test_what_does_not_answer_is_named(
    beside: RunningHub, ask: Ask, setting: str, checks: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, "1")
    found_out = ask()[1]
    wrong = {name for name, one in found_out.items() if one.state is State.ERROR}
    assert wrong == checks
    assert all("does not answer at http" in found_out[name].message for name in checks)


@pytest.mark.hub
def test_a_proxy_that_forgot_the_portal_is_noticed(beside: RunningHub, ask: Ask) -> None:
    settings = Sophon.load()
    proxy = f"http://127.0.0.1:{settings.proxy_api_port}/api/routes"
    token = (beside.data / "proxy-token").read_text().strip()
    asking = requests.Session()
    asking.trust_env = False
    asking.headers["Authorization"] = f"token {token}"
    path = "/services/sophon"
    route = asking.get(proxy, timeout=30).json()[path]
    assert asking.delete(proxy + path, timeout=30).status_code == 204
    try:
        assert "does not know the way" in ask()[1]["proxy"].message
    finally:
        asking.post(proxy + path, json=route, timeout=30)
    assert ask()[1]["proxy"].state is State.OK


@pytest.mark.hub
def test_a_hub_that_hangs_is_noticed_by_who_needs_it(beside: RunningHub, ask: Ask) -> None:
    assert beside.process is not None
    beside.process.send_signal(signal.SIGSTOP)
    try:
        checks = ask()[1]
        assert checks["Hub for the portal"].state is State.ERROR
        assert checks["portal"].message == "It does not reach its database, or the Hub."
        assert checks["proxy"].state is State.OK
    finally:
        beside.process.send_signal(signal.SIGCONT)


def test_where_the_engine_says_nothing_the_hub_cannot_be_asked(settings: Sophon) -> None:
    [one] = running._hub(settings, None)
    assert one.state is State.WARNING
