"""Versions of notebooks in homes, listed, compared and restored at a real engine."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.api.client import APIClient
from sophon_lab.versions import Versions

from sophon_hub import names
from sophon_hub.settings import Sophon
from sophon_hub.volumes import history
from sophon_hub.volumes.helper import VolumeTrouble
from tests.editing import notebook, sources_in
from tests.engine import remove_namespace
from tests.waiting import wait_for

pytestmark = [pytest.mark.docker]

LAB_IMAGE = os.environ.get("SOPHON_TEST_IMAGE", "sophon-hub/lab:latest")
PATH = "work/thesis.ipynb"


@pytest.fixture(scope="module")
def settings(docker: APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sophon]:
    """A hub of its own, of which only the volumes matter."""
    namespace = f"sophontest-{secrets.token_hex(4)}"
    images = {"lab": {"image": LAB_IMAGE}, "bare": {"image": "sophon-hub/base:latest"}}
    data = str(tmp_path_factory.mktemp("data"))
    yield Sophon(namespace=namespace, data_dir=data, images=images)
    remove_namespace(docker, namespace)


@pytest.fixture
def uid(docker: APIClient, settings: Sophon, tmp_path: Path) -> str:
    """A home with two versions of a notebook, as a lab leaves it."""
    archive = Versions(str(tmp_path))
    for source in ("one", "two"):
        archive.keep(PATH, json.dumps(notebook(source)).encode(), ["ada"], "interval")
    uid = names.new_uid()
    docker.create_volume(
        names.volume_name(settings.namespace, uid),
        labels={"org.sophon.namespace": settings.namespace},
    )
    packed = subprocess.run(
        ["tar", "-C", str(tmp_path), "--owner=1000", "--group=1000", "-c", "."],
        check=True,
        capture_output=True,
    ).stdout
    inside(settings, uid, "tar -x && chown -R 1000:1000 .", user="0", given=packed)
    return uid


def inside(
    settings: Sophon, uid: str, script: str, *, user: str = "1000", given: bytes = b""
) -> str:
    """Run something in the home; gives what it said."""
    volume = names.volume_name(settings.namespace, uid)
    return subprocess.run(
        [
            *("docker", "run", "--rm", "-i", "--user", user, "--network", "none"),
            *("-v", f"{volume}:/home/jovyan", "-w", "/home/jovyan"),
            *("--entrypoint", "sh", LAB_IMAGE, "-c", script),
        ],
        input=given,
        check=True,
        capture_output=True,
    ).stdout.decode()


def test_versions_in_a_volume_are_listed_compared_and_restored(settings: Sophon, uid: str) -> None:
    new, old = history.look(settings, uid, "lab")["versions"]
    assert (new["path"], new["editors"], new["reason"]) == (PATH, ["ada"], "interval")

    changes = history.compare(settings, uid, "lab", new["id"], old["id"])
    assert {"-  one", "+  two"} <= set(changes["text"].splitlines())

    history.restore(settings, uid, "lab", old["id"], "grace")
    assert sources_in(inside(settings, uid, f"cat {PATH}")) == ["one"]
    newest = history.look(settings, uid, "lab")["versions"][0]
    assert (newest["reason"], newest["editors"]) == ("restored", ["grace"])


def test_a_home_that_never_was_has_no_versions(settings: Sophon) -> None:
    assert history.look(settings, names.new_uid(), "lab") == {"versions": []}


def test_a_lab_that_holds_its_home_keeps_others_from_restoring(
    docker: APIClient, settings: Sophon, uid: str
) -> None:
    volume = names.volume_name(settings.namespace, uid)
    holder = docker.create_container(
        LAB_IMAGE,
        entrypoint=["python3", "-c"],
        command=[
            "import time, logging; from pathlib import Path;"
            "from sophon_lab.homes import take_home;"
            "take_home(Path.home(), logging.getLogger()); print('held', flush=True); time.sleep(99)"
        ],
        user="1000:1000",
        host_config=docker.create_host_config(binds=[f"{volume}:/home/jovyan"]),
        labels={"org.sophon.namespace": settings.namespace},
    )["Id"]
    docker.start(holder)
    try:
        wait_for(lambda: docker.logs(holder), "the home to be held")
        old = history.look(settings, uid, "lab")["versions"][-1]
        with pytest.raises(VolumeTrouble, match="runs on this home now"):
            history.restore(settings, uid, "lab", old["id"], "grace")
    finally:
        docker.remove_container(holder, force=True)


def test_an_image_without_the_package_is_said(settings: Sophon, uid: str) -> None:
    with pytest.raises(VolumeTrouble, match="older package of labs, or none"):
        history.look(settings, uid, "bare")
