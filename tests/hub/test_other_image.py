"""An image that is not from here runs labs once the package of labs is installed into it."""

import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import served_routes
from hub_harness import PATIENCE, HubLab, HubProcess, run_in
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from sophon_hub import names
from sophon_hub.lab_messages import LabMessages
from sophon_hub.settings import Sophon
from sophon_hub.volumes import history
from tests.images.building import IMAGES, run_build
from tests.lab_documents import ONE_CELL, Copy
from tests.lab_visitor import (
    NO_ACCESS,
    NOTEBOOK,
    Visitor,
    all_alive,
    close_codes,
    is_alive,
)
from tests.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.hub]

# what docs/admins.md says in five lines, on an image that has Python and nothing of Jupyter yet
DOCKERFILE = """
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE}
RUN --mount=type=secret,id=ca,mode=0444 \\
    set -e; \\
    if [ -s /run/secrets/ca ]; then set -- -o Acquire::https::CAInfo=/run/secrets/ca; fi; \\
    apt-get "$@" update -q; \\
    apt-get "$@" install -qy --no-install-recommends ca-certificates python3-venv; \\
    useradd --uid 1000 --user-group --create-home jovyan; \\
    python3 -m venv /opt/ours
ENV PATH=/opt/ours/bin:$PATH
COPY sophon-lab /tmp/sophon-lab
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip \\
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \\
    if [ -s /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi; \\
    pip install --no-cache-dir /tmp/sophon-lab jupyterlab jupyter-collaboration ipykernel \\
        jupyter-server-proxy nbgitpuller jupyterlab-git jupyter-archive
COPY proxied_program.py /opt/
COPY jupyter_server_config.json /opt/ours/etc/jupyter/
USER 1000
WORKDIR /home/jovyan
CMD ["jupyterhub-singleuser"]
"""

PORT = 8123
COMMAND = ["python3", "/opt/proxied_program.py", "{port}"]
CONFIG = {"ServerProxy": {"servers": {"program": {"command": COMMAND, "port": PORT}}}}
PROXIED = ("/program", f"/proxy/{PORT}", f"/proxy/localhost:{PORT}", f"/proxy/absolute/{PORT}")
"""Ways to the program through jupyter-server-proxy."""

GROUP = "physics"
PEOPLE, WATCHERS = names.people_group(GROUP), names.watchers_group(GROUP)
REPOSITORY = "https://repository.invalid/notebooks"
EVENT_STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def other_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with JupyterLab as PyPI has it today, built where a site's network is handled."""
    folder = tmp_path_factory.mktemp("site") / "images"
    name = f"other-{secrets.token_hex(4)}"
    (folder / name).mkdir(parents=True)
    for script in ("build.py", "catalogue.py"):
        shutil.copy(IMAGES / script, folder)
    shutil.copytree(IMAGES / "lab", folder / name / "sophon-lab", ignore=_caches)
    shutil.copy(Path(__file__).parent / "proxied_program.py", folder / name)
    (folder / name / "jupyter_server_config.json").write_text(json.dumps(CONFIG))
    (folder / name / "Dockerfile").write_text(DOCKERFILE.lstrip())
    built = run_build(name, folder=folder)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr
    (row,) = json.loads(run_build("--list", name, folder=folder).stdout)
    yield row["tag"]
    for tag in (row["tag"], f"sophon-hub/{name}:latest"):
        subprocess.run(["docker", "rmi", "--force", tag], check=True, capture_output=True)


def _caches(_: str, found: list[str]) -> set[str]:
    return {name for name in found if name in ("__pycache__", "build", "sophon_lab.egg-info")}


@pytest.fixture(scope="module")
def hub(make_hub: Callable[..., HubProcess], other_image: str) -> HubProcess:
    hub = make_hub(SOPHON_IMAGES=json.dumps({"lab": {"image": other_image}}))
    hub.start()
    return hub


@pytest.fixture(scope="module")
def lab(hub: HubProcess) -> HubLab:
    """A running lab with a notebook, and with a program behind the proxy."""
    lab = hub.add_lab(GROUP, "cold-atoms", "shared")
    lab.start()
    with enter(lab, PEOPLE, "ada") as ada:
        ada.expect("PUT", f"/api/contents/{NOTEBOOK}", json=notebook())
        assert ada.request("GET", "/program/").text == "ready"
    return lab


def notebook() -> dict[str, Any]:
    return {"type": "notebook", "content": ONE_CELL}


def enter(lab: HubLab, group: str, name: str) -> Visitor:
    lab.hub.add_to_group(group, name)
    browser = lab.hub.log_in(name)
    assert lab.status_in(browser) == 200
    return Visitor(lab.url, browser)


@pytest.fixture
def name() -> str:
    """Who watches or leaves: somebody new each time."""
    return f"grace-{secrets.token_hex(3)}"


@pytest.fixture
def ada(lab: HubLab) -> Iterator[Visitor]:
    """Who edits and stays."""
    with enter(lab, PEOPLE, "ada") as visitor:
        yield visitor


@pytest.fixture
def watcher(lab: HubLab, name: str) -> Iterator[Visitor]:
    with enter(lab, WATCHERS, name) as visitor:
        yield visitor


def tell(lab: HubLab) -> None:
    messages = LabMessages.of(Sophon(data_dir=str(lab.hub.data_dir)))
    url = f"{lab.url}/sophon/revalidate"
    answer = requests.post(url, headers=messages.headers(urlsplit(url).path), timeout=PATIENCE)
    assert answer.status_code == 204, answer.text


def files(lab: HubLab) -> str:
    """What the files that people see hold, the program's notes among them."""
    look = "find . -type f -not -path '*/.*' | sort | xargs sha256sum"
    code, told = run_in(lab.container, "sh", "-c", look)
    assert code == 0, told
    return told


def echoes(socket: ClientConnection, word: str) -> bool:
    """Whether the program behind the proxy repeats a word."""
    socket.send(word)
    return socket.recv(timeout=PATIENCE) == word


def test_such_a_lab_lets_its_people_in_saves_and_keeps_versions(
    hub: HubProcess, slug: str, other_image: str, tmp_path: Path
) -> None:
    lab = hub.add_lab(GROUP, slug, "ours")
    lab.start()
    with enter(lab, PEOPLE, "ada") as ada:
        ada.expect("PUT", f"/api/contents/{NOTEBOOK}", json=notebook())
        assert ada.expect("GET", "/sophon/mode") == {"mode": "edit"}
        page = ada.request("GET", "/lab").text
        for part in ("notices", "resources", "watching"):
            assert f"sophon-lab-{part}" in page
        copy = Copy(ada, ada.room())
        copy.write("typed")
        wait_for(lambda: "typed" in ada.request("GET", f"/api/contents/{NOTEBOOK}").text, "a save")
    lab.stop()

    images = {"lab": {"image": other_image}}
    settings = Sophon(namespace=lab.hub.namespace, data_dir=str(tmp_path), images=images)
    newest, oldest = history.look(settings, lab.uid, "lab")["versions"]
    assert (newest["path"], newest["editors"]) == (NOTEBOOK, ["ada"])
    changes = history.compare(settings, lab.uid, "lab", newest["id"], oldest["id"])
    assert "typed" in changes["text"]


def ends_within(stream: Iterator[bytes], seconds: float) -> bool:
    """Whether what the program's clock says ends in this time; it ticks all the time."""
    end = time.monotonic() + seconds
    return all(time.monotonic() < end for _ in stream)


@pytest.mark.parametrize(("is_told", "limit"), [(True, 1.0), (False, 5.0)])
@pytest.mark.parametrize("becomes", ["nobody", "a viewer"])
def test_what_is_open_to_programs_in_the_lab_ends_with_access_and_for_nobody_else(
    lab: HubLab, name: str, ada: Visitor, becomes: str, is_told: bool, limit: float
) -> None:
    paths = ada.paths_of_every_kind() | {way: f"{way}/echo" for way in PROXIED}
    others = {kind: ada.socket(path) for kind, path in paths.items()}
    with enter(lab, PEOPLE, name) as leaver:
        hers = {kind: leaver.socket(path) for kind, path in paths.items()}
        assert all(echoes(hers[way], "hers") for way in PROXIED)
        answer = leaver.request("GET", "/program/clock", headers=EVENT_STREAM, stream=True)
        stream = answer.iter_lines(chunk_size=1)
        assert next(stream) == b"data: tick"

        if becomes == "a viewer":
            lab.hub.add_to_group(WATCHERS, name)
        lab.hub.remove_from_group(PEOPLE, name)
        if is_told:
            tell(lab)

        assert close_codes(hers, limit) == dict.fromkeys(paths, NO_ACCESS)
        assert ends_within(stream, limit)
        for way in PROXIED:
            assert leaver.request("GET", f"{way}/").status_code == 403
            with pytest.raises(InvalidStatus, match="403"):
                leaver.socket(f"{way}/echo")
    assert all_alive(others)
    assert all(echoes(others[way], "others") for way in PROXIED)


def test_a_viewer_reaches_no_program_no_puller_and_no_converter(
    lab: HubLab, ada: Visitor, watcher: Visitor
) -> None:
    """The editor gets all of it, so that it is there to be refused."""
    pull = f"/git-pull/api?repo={REPOSITORY}&branch=main&targetpath={secrets.token_hex(4)}"
    reads = [*(f"{way}/" for way in PROXIED), f"/nbconvert/html/{NOTEBOOK}", pull]
    reads += [f"/git-pull?repo={REPOSITORY}", f"/files/{NOTEBOOK}"]
    before = files(lab)

    assert {path: watcher.request("GET", path).status_code for path in reads} == {
        **dict.fromkeys(reads, 403),
        f"/files/{NOTEBOOK}": 200,
    }
    for way in PROXIED:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert watcher.request(method, f"{way}/", data="changed").status_code == 403
        with pytest.raises(InvalidStatus, match="403"):
            watcher.socket(f"{way}/echo")
    assert files(lab) == before
    assert {path: ada.request("GET", path).status_code for path in reads} == dict.fromkeys(
        reads, 200
    )
    assert ada.request("POST", "/program/", data="changed").text == "done"
    assert files(lab) != before


def test_no_route_of_a_fully_equipped_image_lets_a_viewer_change_anything(
    lab: HubLab, ada: Visitor, watcher: Visitor
) -> None:
    code, told = run_in(
        lab.container, "env", "HOME=/tmp/empty", "python3", "-c", served_routes.TELL
    )
    assert code == 0, told
    patterns = served_routes.patterns(told)
    added = (
        "/proxy/",
        "/git/",
        "/git-pull/",
        "/nbdime/",
        "/directories/",
        "/program",
        "/nbconvert/",
    )
    assert all(any(part in pattern for pattern in patterns) for part in added)
    assert len(patterns) > 100
    made, known = served_routes.what_is_there(ada)
    known = {
        r"\(\[\^/:@\]\+\)": "localhost",
        r"\(\\d\+\)": str(PORT),
        r"\(/\.\*\|?\)": "/echo",
        **known,
    }
    copy = Copy(ada, ada.room())
    source, before = copy.source, files(lab)

    assert served_routes.taken(watcher, served_routes.paths(patterns, known)) == {}

    assert files(lab) == before
    assert copy.source == source
    assert is_alive(copy.socket)
    assert ada.expect("GET", f"/api/kernels/{made['kernel']['id']}")["id"] == made["kernel"]["id"]
