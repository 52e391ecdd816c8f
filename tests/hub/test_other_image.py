"""An image that is not from here runs labs once the package of labs is installed into it."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_harness import HubLab, HubProcess

from sophon_hub import names
from sophon_hub.settings import Sophon
from sophon_hub.volumes import history
from tests.images.building import IMAGES, run_build
from tests.lab_documents import ONE_CELL, Copy
from tests.lab_visitor import NOTEBOOK, Visitor
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
    pip install --no-cache-dir /tmp/sophon-lab jupyterlab jupyter-collaboration ipykernel
USER 1000
WORKDIR /home/jovyan
CMD ["jupyterhub-singleuser"]
"""


@pytest.fixture(scope="module")
def other_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with JupyterLab as PyPI has it today, built where a site's network is handled."""
    folder = tmp_path_factory.mktemp("site") / "images"
    name = f"other-{secrets.token_hex(4)}"
    (folder / name).mkdir(parents=True)
    for script in ("build.py", "catalogue.py"):
        shutil.copy(IMAGES / script, folder)
    shutil.copytree(IMAGES / "lab", folder / name / "sophon-lab", ignore=_caches)
    (folder / name / "Dockerfile").write_text(DOCKERFILE.lstrip())
    built = run_build(name, folder=folder)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr
    (row,) = json.loads(run_build("--list", name, folder=folder).stdout)
    yield row["tag"]
    for tag in (row["tag"], f"sophon-hub/{name}:latest"):
        subprocess.run(["docker", "rmi", "--force", tag], check=True, capture_output=True)


def _caches(_: str, found: list[str]) -> set[str]:
    return {name for name in found if name in ("__pycache__", "build", "sophon_lab.egg-info")}


@pytest.fixture
def lab(make_hub: Callable[..., HubProcess], slug: str, other_image: str) -> HubLab:
    hub = make_hub(SOPHON_IMAGES=json.dumps({"lab": {"image": other_image}}))
    hub.start()
    hub.add_to_group(names.people_group("physics"), "ada")
    lab = hub.add_lab("physics", slug, "ours")
    lab.start()
    return lab


def test_such_a_lab_lets_its_people_in_saves_and_keeps_versions(
    lab: HubLab, other_image: str, tmp_path: Path
) -> None:
    browser = lab.hub.log_in("ada")
    assert lab.status_in(browser) == 200
    with Visitor(lab.url, browser) as ada:
        ada.expect(
            "PUT", f"/api/contents/{NOTEBOOK}", json={"type": "notebook", "content": ONE_CELL}
        )
        assert ada.expect("GET", "/sophon/mode") == {"mode": "edit"}
        assert "sophon-lab-watching" in ada.request("GET", "/lab").text
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
