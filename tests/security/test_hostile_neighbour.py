"""A hostile neighbour: another account of the machine, another container, code of a trial's lab."""

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.api.client import APIClient

from sophon_hub.settings import Sophon
from tests.journeys.site import Site
from tests.security import inside, neighbours
from tests.security.conftest import LAB_IMAGE, PROJECT, RunningLab, Scene
from tests.security.terminals import run_in, terminal

pytestmark = [pytest.mark.hub, pytest.mark.docker]

SECRETS = ("cookie-secret", "portal-token", "worker-token", "proxy-token", "portal-cookie-secret")
FORGED = {
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-User": "admin",
    "Remote-User": "admin",
    "X-Sso-User": "admin",
}


@pytest.fixture(scope="module")
def trial() -> Iterator[Site]:
    """A hub whose labs are processes, in a directory whose parents everybody may enter."""
    directory = Path(tempfile.mkdtemp(prefix="sophontest-trial-"))
    directory.chmod(0o755)
    site = Site(directory, {"SOPHON_SPAWNER": "process"})
    try:
        site.start()
        yield site
    finally:
        site.stop()
        shutil.rmtree(directory)


def processes(site: Site) -> dict[str, Path]:
    """Hub, proxy, portal and worker below /proc."""
    assert site.process is not None
    pids = {
        "hub": site.process.pid,
        "proxy": int((site.data_dir / "proxy.pid").read_text()),
        "portal": site.service_pid("portal"),
        "worker": site.service_pid("worker"),
    }
    return {name: Path(f"/proc/{pid}") for name, pid in pids.items()}


# other accounts of the machine


def test_another_account_reads_nothing_in_the_data_directory(trial: Site) -> None:
    files = [path for path in trial.data_dir.rglob("*") if path.is_file()]
    assert {"sophon.sqlite", "jupyterhub.sqlite", "admin-password", *SECRETS} <= {
        path.name for path in files
    }

    assert neighbours.readable(*files) == []
    assert len(neighbours.readable(*files, user=0)) == len(files)


def test_secrets_stay_private_where_somebody_opens_the_directory(trial: Site) -> None:
    trial.data_dir.chmod(0o755)
    try:
        files = [trial.data_dir / name for name in (*SECRETS, "admin-password")]
        assert neighbours.readable(*files) == []
    finally:
        trial.data_dir.chmod(0o700)


def test_another_account_learns_no_secret_from_the_list_of_processes(trial: Site) -> None:
    secrets = [(trial.data_dir / name).read_text().strip() for name in SECRETS]
    secrets.append(trial.admin_password())
    for name, process in processes(trial).items():
        command, environment = process / "cmdline", process / "environ"
        assert neighbours.readable(command, environment) == [str(command)], name
        said = command.read_text()
        assert not [secret for secret in secrets if secret in said], name
    environments = [(one / "environ").read_text() for one in processes(trial).values()]
    assert any(secrets[3] in text for text in environments)  # it is there, for its owner


def ports(site: Site) -> dict[str, int]:
    return {
        name: int(site._environment[f"SOPHON_{name}_PORT"])
        for name in ("HUB", "PROXY_API", "PORTAL")
    }


def test_another_account_is_a_guest_at_every_port_of_the_hub(trial: Site) -> None:
    at = {name: f"http://127.0.0.1:{port}" for name, port in ports(trial).items()}
    token = (trial.data_dir / "proxy-token").read_text().strip()
    routes = f"{at['PROXY_API']}/api/routes"
    assert neighbours.get(routes, Authorization=f"token {token}")[0] == 200

    assert neighbours.get(routes)[0] == 403
    assert neighbours.get(routes, Authorization="token guess", **FORGED)[0] == 403
    assert neighbours.get(f"{at['HUB']}/hub/home", **FORGED)[0] == 302
    assert neighbours.get(f"{at['HUB']}/hub/api/users", **FORGED)[0] == 403
    portal = f"{at['PORTAL']}/services/sophon/api/v1"
    status, me = neighbours.get(f"{portal}/me", **FORGED)
    assert status == 200
    assert '"username": null' in me
    assert neighbours.get(f"{portal}/groups", "POST", **FORGED)[0] == 401


def test_whoever_is_quicker_can_take_the_port_of_a_hub_that_is_stopped() -> None:
    """So sign-in pages are believed because of TLS in front, whose key only root has."""
    script = (
        "import json, socket, sys\n"
        "server = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "print(json.dumps(server.getsockname()[1]))"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    assert Sophon.port.default_value >= 1024
    assert neighbours.python(script, str(port)) == port


def test_another_account_does_not_get_into_a_lab_at_its_own_address(
    scene: Scene, engine: APIClient
) -> None:
    details = engine.inspect_container(scene.closed.container)["NetworkSettings"]["Networks"]
    address = details[f"{scene.site.namespace}-labs"]["IPAddress"]
    lab = f"http://{address}:8888/user/project-{PROJECT}/closed"

    assert neighbours.get(f"{lab}/api")[0] == 200  # it does answer
    assert neighbours.get(f"{lab}/api/contents", **FORGED)[0] == 403
    assert neighbours.get(f"{lab}/api/contents", Authorization="token guess")[0] == 403
    assert neighbours.get(f"{lab}/lab", **FORGED)[0] == 302


def test_whoever_may_use_the_engine_reads_every_home_and_nobody_else_may(
    scene: Scene, engine: APIClient
) -> None:
    socket_file = "/var/run/docker.sock"
    ask = (
        "import json, socket, sys\n"
        "try:\n"
        "    socket.socket(socket.AF_UNIX).connect(sys.argv[1])\n"
        "except PermissionError:\n"
        "    print('false')\n"
        "else:\n"
        "    print('true')\n"
    )
    assert neighbours.python(ask, socket_file) is False
    assert neighbours.python(ask, socket_file, user=0) is True
    note = "umask 077; echo unpublished > note.txt"
    assert inside.run(scene.closed.container, "sh", "-c", note)[0] == 0
    mounts = engine.inspect_container(scene.closed.container)["Mounts"]

    with container(engine, network="none", volume=mounts[0]["Name"]) as other:
        assert inside.run(other, "cat", "/mnt/note.txt", user="0") == (0, "unpublished\n")


# other containers


@contextlib.contextmanager
def container(engine: APIClient, network: str, volume: str | None = None) -> Iterator[str]:
    """An ordinary container of somebody else on the same engine."""
    made: str = engine.create_container(
        LAB_IMAGE,
        ["sleep", "120"],
        user="0",
        host_config=engine.create_host_config(
            network_mode=network, binds=[f"{volume}:/mnt"] if volume else None
        ),
    )["Id"]
    try:
        engine.start(made)
        yield made
    finally:
        engine.remove_container(made, force=True)


def addresses(engine: APIClient, lab: RunningLab) -> list[str]:
    networks = engine.inspect_container(lab.container)["NetworkSettings"]["Networks"]
    return [str(network["IPAddress"]) for network in networks.values()]


def test_another_container_reaches_the_hubs_port_but_no_lab(
    scene: Scene, engine: APIClient
) -> None:
    labs = [(one, 8888) for lab in (scene.closed, scene.open) for one in addresses(engine, lab)]
    for address, port in labs:
        socket.create_connection((address, port), timeout=3).close()  # the Hub gets there
    gateway = engine.inspect_network(f"{scene.site.namespace}-labs")["IPAM"]["Config"][0]["Gateway"]

    for network in ("bridge", f"{scene.site.namespace}-labs"):
        with container(engine, network) as other:
            assert not any(inside.reaches(other, *labs)), network
    with container(engine, f"{scene.site.namespace}-labs") as other:
        assert inside.reaches(other, (gateway, ports(scene.site)["HUB"])) == [True]


# code in the labs of a trial


def test_code_in_a_lab_of_a_trial_has_everything_that_the_hub_has(trial: Site) -> None:
    ada = trial.api("ada")
    ada.expect(201, "POST", "groups", json={"name": "trial"})
    ada.expect(201, "POST", "projects", json={"group": "trial", "name": "trial"})
    ada.expect(201, "POST", "projects/trial/labs", json={"name": "main"})
    ada.start("projects/trial/labs/main")
    visit = trial.visit("ada", "projects/trial/labs/main")
    assert visit.enter() == 200
    password = trial.admin_password()
    try:
        with terminal(visit) as keyboard:
            run_in(keyboard, f"cat {trial.data_dir}/admin-password", password)
    finally:
        ada.stop("projects/trial/labs/main")
