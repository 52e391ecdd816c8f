"""What visitors try, at a real engine: from a version of material into the memory of a lab."""

import secrets
from collections.abc import Iterator

import pytest
from docker.api.client import APIClient

from sophon_hub import names
from sophon_hub.settings import Sophon
from sophon_hub.volumes import material, trials
from sophon_hub.volumes.helper import HOME, VolumeTrouble
from tests.engine import remove_namespace
from tests.volumes.test_material_engine import LAB_IMAGE, Home

pytestmark = [pytest.mark.docker]

PROJECT = 11
VISITOR = "tmp-0123456789abcdef"
MAKE = (
    "mkdir -p 'course/week 1' course/data && head -c 300001 /dev/urandom > course/data/stars.bin"
    " && echo '{}' > 'course/week 1/Übung.ipynb' && echo run > course/run.sh"
    " && chmod 755 course/run.sh && touch course/nothing && echo key > secret"
)
LIST = 'cd {} && find . -type f | sort | while read -r f; do sha256sum "$f"; stat -c %A "$f"; done'


@pytest.fixture(scope="module")
def settings(docker: APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sophon]:
    """A hub of its own, of which only volumes and containers matter."""
    namespace = f"sophontest-{secrets.token_hex(4)}"
    yield Sophon(
        namespace=namespace,
        data_dir=str(tmp_path_factory.mktemp("data")),
        images={"lab": {"image": LAB_IMAGE}},
        temporary_material_size="1M",
        temporary_material_files=10,
    )
    remove_namespace(docker, namespace)


@pytest.fixture(scope="module")
def owner(docker: APIClient, settings: Sophon) -> Home:
    """The home of a project's lab."""
    home = Home(docker, settings)
    home.run(MAKE)
    return home


@pytest.fixture(scope="module")
def version(settings: Sophon, owner: Home) -> str:
    """The id of what was published of it."""
    uid = names.new_uid()
    material.publish_folder(settings, PROJECT, uid, owner.uid, "course")
    return uid


class Lab:
    """A visitor's lab: a home in memory, a root that nobody can write to, no network."""

    def __init__(self, docker: APIClient, settings: Sophon) -> None:
        self.docker = docker
        self.name = names.container_name(settings.namespace, names.temporary_uid(VISITOR))
        docker.create_container(
            LAB_IMAGE,
            name=self.name,
            entrypoint=["sleep", "600"],
            host_config=docker.create_host_config(
                network_mode="none",
                read_only=True,
                cap_drop=["ALL"],
                tmpfs={HOME: "rw,mode=0700,uid=1000,gid=1000,size=2m"},
            ),
            labels={"org.sophon.namespace": settings.namespace},
        )
        docker.start(self.name)

    def run(self, script: str) -> str:
        run_id = self.docker.exec_create(self.name, ["sh", "-c", script], user="1000")["Id"]
        said = self.docker.exec_start(run_id).decode()
        assert self.docker.exec_inspect(run_id)["ExitCode"] == 0, said
        return str(said)


@pytest.fixture
def lab(docker: APIClient, settings: Sophon) -> Iterator[Lab]:
    lab = Lab(docker, settings)
    yield lab
    docker.remove_container(lab.name, force=True)


def test_what_was_published_is_in_the_lab_byte_for_byte(
    settings: Sophon, owner: Home, version: str, lab: Lab
) -> None:
    assert trials.bring(settings, VISITOR, version, "optics") == "optics"
    listed = lab.run(LIST.format("optics"))
    assert listed == owner.run(LIST.format("course"))
    assert listed.count("\n") == 8
    assert lab.run("ls -A") == "optics\n"
    # it is the visitor's own, and what they had stays
    lab.run("echo mine >> optics/run.sh")
    assert trials.bring(settings, VISITOR, version, "optics") == "optics (2)"
    assert lab.run("cat optics/run.sh") == "run\nmine\n"
    assert lab.run(LIST.format("'optics (2)'")) == listed


def test_nothing_of_it_is_mounted_into_the_lab(
    docker: APIClient, settings: Sophon, version: str, lab: Lab
) -> None:
    trials.bring(settings, VISITOR, version, "optics")
    assert docker.inspect_container(lab.name)["Mounts"] == []
    labels = [f"org.sophon.namespace={settings.namespace}", "org.sophon.kind=trial"]
    assert docker.containers(all=True, filters={"label": labels}) == []


def test_a_lab_that_is_full_stays_as_it_was(settings: Sophon, version: str, lab: Lab) -> None:
    lab.run("head -c 1900000 /dev/zero > mine")
    with pytest.raises(VolumeTrouble, match="could not be copied into your lab"):
        trials.bring(settings, VISITOR, version, "optics")
    assert lab.run("ls -A") == "mine\n"


def test_a_version_that_is_gone_or_withdrawn_is_told_so(settings: Sophon, lab: Lab) -> None:
    for uid in (None, names.new_uid()):
        with pytest.raises(VolumeTrouble, match="any more"):
            trials.bring(settings, VISITOR, uid, "optics")
    assert lab.run("ls -A") == ""


def test_more_than_visitors_are_given_is_not_copied(
    settings: Sophon, owner: Home, lab: Lab
) -> None:
    """Whatever the database says of it."""
    owner.run("mkdir large && head -c 1500000 /dev/urandom > large/file")
    uid = names.new_uid()
    material.publish_folder(settings, PROJECT, uid, owner.uid, "large")
    with pytest.raises(VolumeTrouble, match="could not be copied"):
        trials.bring(settings, VISITOR, uid, "optics")
    assert lab.run("ls -A") == ""


def test_a_lab_that_has_ended_gets_nothing(docker: APIClient, settings: Sophon, version: str):
    with pytest.raises(VolumeTrouble):
        trials.bring(settings, VISITOR, version, "optics")
    lab = Lab(docker, settings)
    docker.kill(lab.name)
    try:
        with pytest.raises(VolumeTrouble):
            trials.bring(settings, VISITOR, version, "optics")
    finally:
        docker.remove_container(lab.name, force=True)


def test_a_lab_that_does_not_answer_keeps_nobody_waiting_for_long(
    settings: Sophon, version: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its visitor may stop whatever runs in it."""
    monkeypatch.setattr(trials, "SILENT_SECONDS", 1)
    monkeypatch.setattr(trials, "PYTHON", ("sh", "-c", "exec sleep 600"))
    with pytest.raises(VolumeTrouble):
        trials.bring(settings, VISITOR, version, "optics")


@pytest.mark.parametrize("said", ["../course", "optics (", "$(yes | head -c 9000)", ""])
def test_what_a_lab_says_of_the_folder_is_not_believed(
    settings: Sophon, version: str, lab: Lab, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(trials, "PYTHON", ("sh", "-c", f'head -c 900 >/dev/null; printf "{said}"'))
    with pytest.raises(VolumeTrouble):
        trials.bring(settings, VISITOR, version, "optics")


def test_without_an_engine_the_text_says_so(
    settings: Sophon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(VolumeTrouble):
        trials.bring(settings, VISITOR, "5" * 32, "optics")
