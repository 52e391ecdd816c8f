"""Course material at a real engine: made into versions, and brought into homes."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.api.client import APIClient

from sophon_hub import names
from sophon_hub.models import DeliveryVerb
from sophon_hub.settings import Sophon
from sophon_hub.store.materials import DeliverySpec
from sophon_hub.volumes import material
from sophon_hub.volumes.helper import VolumeTrouble
from tests.engine import remove_namespace

pytestmark = [pytest.mark.docker]

LAB_IMAGE = os.environ.get("SOPHON_TEST_IMAGE", "sophon-hub/lab:latest")
PROJECT = 7
DAY = "2026-11-22"


@pytest.fixture(scope="module")
def settings(docker: APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sophon]:
    """A hub of its own, of which only the volumes matter."""
    namespace = f"sophontest-{secrets.token_hex(4)}"
    images = {"lab": {"image": LAB_IMAGE}}
    data = str(tmp_path_factory.mktemp("data"))
    yield Sophon(namespace=namespace, data_dir=data, images=images, max_material_size="3M")
    remove_namespace(docker, namespace)


class Home:
    """A home in a volume, as a lab has it."""

    def __init__(self, docker: APIClient, settings: Sophon, **options: str) -> None:
        self.settings, self.uid = settings, names.new_uid()
        self.volume = names.volume_name(settings.namespace, self.uid)
        labels = {"org.sophon.namespace": settings.namespace}
        docker.create_volume(self.volume, labels=labels, driver_opts=options or None)
        self.run("chown 1000:1000 .", user="0")

    def run(self, script: str, *, user: str = "1000") -> str:
        """Run something in the home; gives what it said."""
        done = subprocess.run(
            [
                *("docker", "run", "--rm", "--user", user, "--network", "none"),
                *("-v", f"{self.volume}:/home/jovyan", "-w", "/home/jovyan"),
                *("--entrypoint", "sh", LAB_IMAGE, "-c", script),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def bring(
        self, version: str, verb: DeliveryVerb = DeliveryVerb.GET, path: str = "", number: int = 1
    ) -> dict[str, Any]:
        spec = DeliverySpec(verb, path, self.uid, None, version, number, "optics")
        return material.bring(self.settings, spec, DAY)


@pytest.fixture
def home(docker: APIClient, settings: Sophon) -> Home:
    return Home(docker, settings)


@pytest.fixture
def teacher(docker: APIClient, settings: Sophon) -> Home:
    """The home of a project's lab with a course in it, and what is none of it."""
    home = Home(docker, settings)
    home.run(
        "mkdir -p 'course/week 1' course/.git course/.ipynb_checkpoints course/private"
        " && echo one > 'course/week 1/Übung.ipynb' && echo run > course/run.sh"
        " && chmod 755 course/run.sh && echo x > course/.git/config"
        " && echo x > course/.ipynb_checkpoints/old && ln -s /etc/passwd course/link"
        " && ln -s course elsewhere && echo secret > course/private/key"
        " && chmod 700 course/private && chmod 600 course/private/key && touch file && mkdir none"
    )
    return home


def publish(settings: Sophon, teacher: Home, folder: str = "course") -> str:
    uid = names.new_uid()
    material.publish_folder(settings, PROJECT, uid, teacher.uid, folder)
    return uid


def volumes_of(docker: APIClient, settings: Sophon) -> set[str]:
    """The versions there are, by id."""
    labels = [f"org.sophon.namespace={settings.namespace}", "org.sophon.kind=material"]
    found = docker.volumes(filters={"label": labels})["Volumes"] or []
    return {volume["Labels"]["org.sophon.uid"] for volume in found}


def test_a_folder_of_a_lab_is_brought_into_a_home(
    settings: Sophon, teacher: Home, home: Home
) -> None:
    uid = names.new_uid()
    size = material.publish_folder(settings, PROJECT, uid, teacher.uid, "course")
    assert (size.file_count, size.size_bytes) == (3, 4 + 4 + 7)
    report = home.bring(uid)
    assert report["counts"] == {"added": 3}
    assert home.run("cd optics && find . -type f | sort").split("\n")[:-1] == [
        "./private/key",
        "./run.sh",
        "./week 1/Übung.ipynb",
    ]
    assert home.run("cat optics/*/*") == "secret\none\n"
    assert home.run("stat -c '%u %a' optics/run.sh optics/private/key") == "1000 755\n1000 644\n"


def test_versions_follow_one_another_and_undo_goes_back(
    settings: Sophon, teacher: Home, home: Home
) -> None:
    home.bring(publish(settings, teacher))
    home.run("echo mine >> optics/run.sh")
    teacher.run("echo two > 'course/week 1/Übung.ipynb'; echo run two > course/run.sh")
    second = publish(settings, teacher)
    report = home.bring(second)
    assert report == {
        "counts": {"updated": 1, "conflict": 1, "same": 1},
        "files": {
            "updated": [["week 1/Übung.ipynb", ""]],
            "conflict": [["run.sh", "run.new-2026-11-22.sh"]],
        },
        "undo": True,
    }
    assert home.run("cat optics/run.sh optics/run.new*") == "run\nmine\nrun two\n"
    fresh = home.bring(second, DeliveryVerb.FRESH, "run.sh")
    assert fresh["files"] == {"fresh": [["run.sh", "run.mine-2026-11-22.sh"]]}
    assert home.run("cat optics/run.sh optics/run.mine*") == "run two\nrun\nmine\n"
    assert home.bring(second, DeliveryVerb.UNDO)["counts"] == {"restored": 3}
    assert home.run("cat optics/run.sh 'optics/week 1/Übung.ipynb'; ls optics") == (
        "run\nmine\none\nprivate\nrun.sh\nweek 1\n"
    )


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("missing", "no folder missing"),
        ("elsewhere", "link or no folder"),
        ("file", "link or no folder"),
        ("none", "no files in it"),
        ("course/../..", "plain"),
    ],
)
def test_what_cannot_be_published_says_why_and_leaves_nothing(
    docker: APIClient, settings: Sophon, teacher: Home, folder: str, said: str
) -> None:
    before = volumes_of(docker, settings)
    with pytest.raises(VolumeTrouble, match=said):
        publish(settings, teacher, folder)
    assert volumes_of(docker, settings) == before


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("head -c 4000000 /dev/zero > course/big", "more than may be published"),
        ("cd course && seq 10001 | xargs touch", "more than 10,000 files"),
        (r"touch course/$(printf '\377')", "no text in UTF-8"),
    ],
)
def test_what_is_too_much_or_has_no_name_is_not_published(
    settings: Sophon, teacher: Home, script: str, said: str
) -> None:
    teacher.run(script)
    with pytest.raises(VolumeTrouble, match=said):
        publish(settings, teacher)


def test_a_lab_that_never_ran_has_nothing_to_publish_and_gets_nothing(
    docker: APIClient, settings: Sophon, teacher: Home, home: Home
) -> None:
    with pytest.raises(VolumeTrouble, match="start it once"):
        material.publish_folder(settings, PROJECT, names.new_uid(), "0" * 32, "course")
    uid = publish(settings, teacher)
    docker.remove_volume(home.volume)
    with pytest.raises(VolumeTrouble, match="start it once"):
        home.bring(uid)
    assert not docker.volumes(filters={"name": home.uid})["Volumes"]


def test_material_that_is_gone_says_so(home: Home) -> None:
    with pytest.raises(VolumeTrouble, match="publish it again"):
        home.bring("0" * 32)


def test_a_home_that_is_full_is_left_as_it_was(
    docker: APIClient, settings: Sophon, teacher: Home
) -> None:
    teacher.run("head -c 1500000 /dev/urandom > course/big")
    small = Home(docker, settings, type="tmpfs", device="tmpfs", o="size=1m,uid=1000")
    holder = docker.create_container(
        LAB_IMAGE,
        entrypoint=["sleep", "300"],
        host_config=docker.create_host_config(binds=[f"{small.volume}:/home/jovyan"]),
        labels={"org.sophon.namespace": settings.namespace},
    )["Id"]  # as long as it is mounted, it keeps what it holds
    docker.start(holder)
    small.run("mkdir optics && echo mine > optics/run.sh")
    with pytest.raises(VolumeTrouble, match=r"The disk is full\. Nothing was changed"):
        small.bring(publish(settings, teacher))
    assert small.run("find optics -type f; cat optics/run.sh") == "optics/run.sh\nmine\n"
    assert small.run("find .sophon -type f") == ""
    docker.remove_container(holder, force=True)


def test_a_folder_that_is_closed_to_its_owner_is_told_and_left_alone(
    settings: Sophon, teacher: Home, home: Home
) -> None:
    uid = publish(settings, teacher)
    home.run("mkdir -p optics/private && echo mine > optics/private/own && chmod 0 optics/private")
    report = home.bring(uid)
    assert report["files"]["blocked"] == [["private/key", ""]]
    assert report["counts"] == {"added": 2, "blocked": 1}
    home.run("chmod 700 optics/private")
    home.run("chmod 500 optics/private")
    assert home.bring(uid)["files"]["blocked"] == [["private/key", ""]]
    assert home.run("cat optics/private/own") == "mine\n"


def test_a_hostile_home_makes_nothing_happen_outside_of_it(
    settings: Sophon, teacher: Home, home: Home
) -> None:
    uid = publish(settings, teacher)
    home.run("ln -s /material optics")
    with pytest.raises(VolumeTrouble, match="rename it"):
        home.bring(uid)
    home.run("rm optics && mkdir optics && ln -s /material/files optics/private")
    assert home.bring(uid)["files"]["blocked"] == [["private/key", ""]]
    home.run("rm -r .sophon && ln -s /tmp .sophon")
    with pytest.raises(VolumeTrouble, match="rename it"):
        home.bring(uid)


def test_only_the_newest_version_is_kept_and_what_is_in_use(
    docker: APIClient, settings: Sophon, teacher: Home
) -> None:
    material.tidy(settings, PROJECT, set())
    old, used, new = (publish(settings, teacher) for _ in range(3))
    other = names.new_uid()
    material.publish_folder(settings, PROJECT + 1, other, teacher.uid, "course")
    volume = names.material_volume_name(settings.namespace, used)
    container = docker.create_container(
        LAB_IMAGE, host_config=docker.create_host_config(binds=[f"{volume}:/material:ro"])
    )["Id"]
    try:
        assert material.tidy(settings, PROJECT, {new}) is False
        assert volumes_of(docker, settings) == {used, new, other}
        assert old not in volumes_of(docker, settings)
    finally:
        docker.remove_container(container)
    assert material.tidy(settings, PROJECT, {new}) is True
    assert volumes_of(docker, settings) == {new, other}


def test_without_containers_there_is_no_material(tmp_path: Path) -> None:
    settings = Sophon(spawner="process", data_dir=str(tmp_path))
    with pytest.raises(VolumeTrouble, match="SOPHON_SPAWNER=docker"):
        material.publish_repository(settings, PROJECT, "0" * 32, "https://h/x", "")
    assert material.tidy(settings, PROJECT, set()) is True


def test_without_an_engine_the_text_says_so(
    settings: Sophon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(VolumeTrouble):
        material.tidy(settings, PROJECT, set())


@pytest.mark.parametrize(
    "said", ["", "[]", "{}", '{"counts": {"eaten": 1}, "files": {}}', '{"counts": 1, "files": {}}']
)
def test_a_report_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(VolumeTrouble, match="could not be understood"):
        material.read_report(said)
