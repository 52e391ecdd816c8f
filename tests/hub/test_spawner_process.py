"""Labs as plain processes: for a look on loopback, where no engine answers."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_harness import HubLab, HubProcess

from tests.lab_process import find_servers
from tests.waiting import wait_for

pytestmark = pytest.mark.hub


@pytest.fixture(scope="module")
def hub(make_process_hub: Callable[..., HubProcess]) -> HubProcess:
    # no engine answers here, and none is asked
    hub = make_process_hub(SOPHON_SPAWNER="process", SECRET_OF_THE_HUB="hidden")
    hub.start()
    return hub


@pytest.fixture
def lab(hub: HubProcess, slug: str) -> HubLab:
    return hub.add_lab("physics", slug, "first")


def home_of(lab: HubLab) -> Path:
    return lab.hub.data_dir / "homes" / lab.uid


def test_a_lab_runs_in_its_own_home_with_the_least_environment(lab: HubLab) -> None:
    lab.start()

    assert lab.answers()
    home = home_of(lab)
    assert home.stat().st_mode & 0o077 == 0
    (server,) = find_servers(home)
    environment = Path(f"/proc/{server}/environ").read_text()
    assert "SECRET_OF_THE_HUB" not in environment
    assert "SOPHON_" not in environment
    assert os.readlink(f"/proc/{server}/cwd") == str(home)  # noqa: PTH115
    lab.stop()
    assert find_servers(home) == []


def test_a_lab_listens_on_loopback_only(lab: HubLab) -> None:
    lab.start()

    server = lab.hub.log().rsplit("Adding user " + lab.owner, 1)[1].split("=> ")[1].split()[0]

    assert server.startswith("http://127.0.0.1:")


def test_unknown_labs_and_options_are_refused_as_with_containers(lab: HubLab) -> None:
    assert HubLab(lab.hub, lab.owner, "unknown", "").request_start().status_code == 404

    lab.start(user_options={"cmd": ["/bin/false"], "home_dir": "/"})

    assert lab.state()["user_options"] == {}  # type: ignore[index]
    assert find_servers(home_of(lab))


def test_files_are_kept_until_the_lab_is_deleted(lab: HubLab) -> None:
    lab.start()
    (home_of(lab) / "notes.txt").write_text("kept")
    lab.stop()
    lab.remove()
    assert (home_of(lab) / "notes.txt").read_text() == "kept"

    lab.start()
    lab.stop()
    lab.hub.records.trash_lab(lab.uid)
    lab.remove()

    wait_for(lambda: not home_of(lab).exists(), "the home to be removed")


def test_a_process_survives_the_hub_and_is_found_again(
    make_process_hub: Callable[..., HubProcess], slug: str
) -> None:
    hub = make_process_hub(SOPHON_SPAWNER="process")
    hub.start()
    lab = hub.add_lab("physics", slug, "steady")
    lab.start()
    before = find_servers(home_of(lab))

    hub.kill()
    hub.start()
    lab.wait_until_ready()

    assert find_servers(home_of(lab)) == before
    assert lab.answers()
    lab.stop()
    assert find_servers(home_of(lab)) == []


def test_another_process_under_the_old_number_is_left_alone(
    make_process_hub: Callable[..., HubProcess], slug: str
) -> None:
    hub = make_process_hub(SOPHON_SPAWNER="process")
    hub.start()
    lab = hub.add_lab("physics", slug, "gone")
    lab.start()
    (server,) = find_servers(home_of(lab))
    hub.kill()
    os.kill(server, 9)
    wait_for(lambda: not Path(f"/proc/{server}/environ").exists(), "the process to end")
    impostor = os.getpid()
    replace_in_state(hub, f'"pid": {server}', f'"pid": {impostor}')

    hub.start()

    lab.wait_until_stopped()
    assert Path(f"/proc/{impostor}").exists()


def replace_in_state(hub: HubProcess, old: str, new: str) -> None:
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(hub.data_dir / "jupyterhub.sqlite") as database:
        database.execute(
            "UPDATE spawners SET state = replace(state, ?, ?) WHERE instr(state, ?)",
            (old, new, old),
        )
        assert database.total_changes == 1
    database.close()
