"""What a lab can reach: the Hub, perhaps the internet, never other labs or the cloud's secrets."""

import contextlib
import ipaddress
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker.api.client import APIClient
from hub_harness import LAB_IMAGE, REPOSITORY, HubLab, HubProcess, run_in

from sophon_hub.settings import BadSetting, Sophon
from sophon_hub.spawner import ensure_networks
from sophon_hub.volumes import guard
from tests.engine import remove_namespace

pytestmark = [pytest.mark.hub, pytest.mark.docker]

METADATA = "169.254.169.254"
CONNECT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3) as link:
        print(link.recv(20).decode())
except OSError as error:
    print(type(error).__name__, error)
    sys.exit(1)
"""


def connect(docker: APIClient, container: str, address: str, port: int) -> tuple[int, str]:
    """Try to reach an address from inside: (0, greeting), or (1, the error)."""
    return run_in(container, "python3", "-c", CONNECT, address, str(port))


@contextlib.contextmanager
def greeter(address: str) -> Iterator[int]:
    """Something that listens at this address of the host and says hello; gives the port."""
    with socket.create_server((address, 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    with link:
                        link.sendall(b"hello")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture(scope="module")
def labs(hub: HubProcess) -> dict[str, HubLab]:
    """Two running labs without internet and two with."""
    slug = f"net{secrets.token_hex(3)}"
    made = {
        name: hub.add_lab("physics", slug, name, internet=name.startswith("open"))
        for name in ("closed", "closed-too", "open", "open-too")
    }
    for lab in made.values():
        lab.start()
    return made


def addresses(docker: APIClient, lab: HubLab) -> dict[str, str]:
    networks = docker.inspect_container(lab.container)["NetworkSettings"]["Networks"]
    return {name.rsplit("-", 1)[1]: str(net["IPAddress"]) for name, net in networks.items()}


@pytest.mark.parametrize("pair", [("closed", "closed-too"), ("open", "open-too")])
def test_labs_cannot_reach_each_other(
    labs: dict[str, HubLab], docker: APIClient, pair: tuple[str, str]
) -> None:
    one, other = (labs[name] for name in pair)
    for address in addresses(docker, other).values():
        with socket.create_connection((address, 8888), timeout=3):
            pass  # it does listen, and the Hub gets there

        code, said = connect(docker, one.container, address, 8888)

        assert code == 1
        assert "timed out" in said or "unreachable" in said


def test_labs_of_different_networks_cannot_reach_each_other(
    labs: dict[str, HubLab], docker: APIClient
) -> None:
    internet = addresses(docker, labs["open"])["internet"]

    code, _ = connect(docker, labs["closed"].container, internet, 8888)

    assert code == 1


def test_a_lab_reaches_the_hubs_api(labs: dict[str, HubLab], docker: APIClient) -> None:
    script = (
        "import os, urllib.request as u; print(u.urlopen(os.environ['JUPYTERHUB_API_URL']).status)"
    )
    for lab in labs.values():
        environment = docker.inspect_container(lab.container)["Config"]["Env"]
        url = next(e.split("=", 1)[1] for e in environment if e.startswith("JUPYTERHUB_API_URL="))

        seen = run_in(lab.container, "env", f"JUPYTERHUB_API_URL={url}/", "python3", "-c", script)

        assert seen == (0, "200\n")


def outside_address(docker: APIClient) -> str:
    """An address of the host that is in none of the labs' networks: the world outside."""
    gateway: str = docker.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    return gateway


def test_only_a_lab_with_internet_gets_out(labs: dict[str, HubLab], docker: APIClient) -> None:
    address = outside_address(docker)
    with greeter(address) as port:
        assert connect(docker, labs["open"].container, address, port) == (0, "hello\n")

        code, said = connect(docker, labs["closed"].container, address, port)

    assert code == 1
    assert "No route to host" in said


def test_a_lab_without_internet_has_no_way_out(labs: dict[str, HubLab], docker: APIClient) -> None:
    for name, ways_out in (("closed", 0), ("open", 1)):
        _, routes = run_in(labs[name].container, "cat", "/proc/net/route")
        rows = [line.split() for line in routes.splitlines()[1:]]
        ways = [row for row in rows if row[1] == "00000000" and row[0] != "*"]

        assert len(ways) == ways_out, name


@contextlib.contextmanager
def metadata_listener(docker: APIClient, hub: HubProcess) -> Iterator[int]:
    """A listener at the metadata address, on the way that labs with internet take."""
    network = docker.inspect_network(f"{hub.namespace}-internet")
    device = f"br-{network['Id'][:12]}"
    subprocess.run(["ip", "address", "add", f"{METADATA}/32", "dev", device], check=True)
    try:
        with greeter(METADATA) as port:
            yield port
    finally:
        subprocess.run(["ip", "address", "del", f"{METADATA}/32", "dev", device], check=True)


@pytest.fixture
def metadata_service(hub: HubProcess, docker: APIClient) -> Iterator[int]:
    with metadata_listener(docker, hub) as port:
        yield port


def test_no_lab_reaches_the_metadata_address(
    hub: HubProcess, labs: dict[str, HubLab], docker: APIClient, metadata_service: int
) -> None:
    bare = docker.create_container(
        LAB_IMAGE,
        ["sleep", "60"],
        host_config=docker.create_host_config(network_mode=f"{hub.namespace}-internet"),
        labels={"org.sophon.namespace": hub.namespace},
    )["Id"]
    docker.start(bare)
    # a container that only stands in the same network does get there
    assert connect(docker, bare, METADATA, metadata_service) == (0, "hello\n")
    docker.remove_container(bare, force=True)

    for lab in labs.values():
        code, said = connect(docker, lab.container, METADATA, metadata_service)
        assert code == 1
        assert "No route to host" in said or "unreachable" in said


@pytest.fixture
def hasty_hub(make_hub: Callable[..., HubProcess], docker: APIClient) -> Iterator[HubProcess]:
    """A Hub whose image runs code of the home as soon as Python starts."""
    hub = make_hub()
    image = f"{hub.namespace}/hasty"
    source = docker.create_container(LAB_IMAGE)["Id"]
    docker.commit(source, image, "1", conf={"Env": ["PYTHONPATH=/home/jovyan/early"]})
    docker.remove_container(source)
    hub.start(SOPHON_IMAGES=json.dumps({"lab": {"image": f"{image}:1"}}))
    yield hub
    hub.stop()
    remove_namespace(docker, hub.namespace)
    docker.remove_image(f"{image}:1", force=True)


HASTY = """
import socket
try:
    socket.create_connection(("{address}", {port}), timeout=3)
    said = "reached"
except OSError as error:
    said = str(error)
open("/home/jovyan/hasty.txt", "a").write(said)
"""


@pytest.mark.parametrize("internet", [True, False])
def test_code_in_the_home_is_not_faster_than_the_guard(
    hasty_hub: HubProcess, docker: APIClient, internet: bool
) -> None:
    lab = hasty_hub.add_lab("physics", "haste", "hasty", internet=internet)
    lab.start()
    with metadata_listener(docker, hasty_hub) as port:
        text = HASTY.format(address=METADATA, port=port)
        script = f"mkdir early && cat > early/sitecustomize.py <<'END'{text}END"
        assert run_in(lab.container, "sh", "-c", script)[0] == 0
        lab.stop()

        lab.start()

        _, said = run_in(lab.container, "cat", "/home/jovyan/hasty.txt")
    assert "No route to host" in said
    assert "reached" not in said


def test_the_guard_blocks_what_it_names() -> None:
    assert guard.METADATA[-1] == "169.254.0.0/16"  # what the gate waits for
    assert "fd00:ec2::254/128" in guard.METADATA
    for network in (*guard.EVERYTHING, *guard.METADATA):
        message = guard.route_message(network)
        packed = ipaddress.ip_network(network).network_address.packed
        assert len(message) == int.from_bytes(message[:4], sys.byteorder)
        assert message.endswith(packed)


def test_no_helper_stays_behind(
    hub: HubProcess, labs: dict[str, HubLab], docker: APIClient
) -> None:
    assert labs
    mine = [f"org.sophon.namespace={hub.namespace}", "org.sophon.kind=guard"]

    assert docker.containers(all=True, filters={"label": mine}) == []


@pytest.fixture
def settings(tmp_path: Path, docker: APIClient) -> Iterator[Sophon]:
    namespace = f"sophontest-{secrets.token_hex(4)}"
    yield Sophon(namespace=namespace, data_dir=str(tmp_path))
    remove_namespace(docker, namespace)


def test_the_networks_are_made_once_and_found_again(settings: Sophon, docker: APIClient) -> None:
    made = ensure_networks(settings)
    again = ensure_networks(settings)

    assert made == again
    labs = docker.inspect_network(made.labs)
    assert labs["Internal"] is True
    assert labs["Options"]["com.docker.network.bridge.enable_icc"] == "false"
    assert docker.inspect_network(made.internet)["Internal"] is False
    with socket.create_server((made.hub_address, 0)):
        pass  # the Hub can listen there


def test_somebody_elses_network_under_our_name_is_refused(
    settings: Sophon, docker: APIClient
) -> None:
    foreign = docker.create_network(f"{settings.namespace}-labs", driver="bridge")["Id"]
    try:
        with pytest.raises(BadSetting, match="docker network rm"):
            ensure_networks(settings)
    finally:
        docker.remove_network(foreign)


def test_without_an_engine_the_hub_says_what_to_do(tmp_path: Path) -> None:
    script = (
        "from sophon_hub.settings import Sophon\n"
        "from sophon_hub.spawner import ensure_networks\n"
        "ensure_networks(Sophon())"
    )
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nothing-here.sock"}

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "BadSetting: No Docker engine answers. Start it" in done.stderr
