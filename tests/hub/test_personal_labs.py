"""Personal labs at a real Hub and engine: their homes, what images bring, what they hold."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from docker.api.client import APIClient
from hub_harness import LAB_IMAGE, HubLab, HubProcess, run_in
from sqlalchemy import select

from sophon_hub.models import Person, PersonalLab
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from sophon_hub.volumes import homes, room
from sophon_hub.volumes.helper import VolumeTrouble
from tests import make
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

SKELETON = """
FROM {base}
USER root
RUN mkdir -p /opt/course/lessons/data && echo one > /opt/course/lessons/01.ipynb \\
 && cd /opt/course/lessons/data && echo read-only > table.csv && chmod 444 table.csv
LABEL org.sophon.skeleton={label}
USER 1000
"""
IMAGES = {
    "course": "sophontest-personal-course:1",
    "next": "sophontest-personal-next:1",
    "broken": "sophontest-personal-broken:1",
}


def build(docker: APIClient, tag: str, label: str) -> None:
    """A lab image that brings lessons."""
    text = SKELETON.format(base=LAB_IMAGE, label=label).encode()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    context.seek(0)
    said = list(docker.build(fileobj=context, custom_context=True, tag=tag, decode=True, rm=True))
    assert not any("error" in line for line in said), said


@pytest.fixture(scope="module")
def images(docker: APIClient) -> Iterator[dict[str, Any]]:
    build(docker, IMAGES["course"], "/opt/course/lessons")
    build(docker, IMAGES["next"], "/opt/course/lessons")
    build(docker, IMAGES["broken"], "/opt/course/nothing")
    yield {"lab": {"image": LAB_IMAGE}, **{k: {"image": tag} for k, tag in IMAGES.items()}}
    for tag in IMAGES.values():
        docker.remove_image(tag, force=True)


@pytest.fixture(scope="module")
def hub(make_hub: Callable[..., HubProcess], images: dict[str, Any]) -> HubProcess:
    hub = make_hub(SOPHON_IMAGES=json.dumps(images), SOPHON_HOME_HARD_QUOTA="30M")
    hub.start()
    return hub


@pytest.fixture
def settings(hub: HubProcess, images: dict[str, Any]) -> Sophon:
    return Sophon(data_dir=str(hub.data_dir), namespace=hub.namespace, images=images)


def lab_of(hub: HubProcess, person: str, image: str | None = None) -> HubLab:
    """Somebody's lab with this image; nobody has started it yet."""
    hub.add_user(person)
    with writing(hub.records.engine) as session:
        make.personal_lab(session, make.person(session, person), image=image)
    return HubLab(hub, person, "", "")


def row(hub: HubProcess, person: str) -> PersonalLab:
    with reading(hub.records.engine) as session:
        query = select(PersonalLab).join(PersonalLab.person).where(Person.username == person)
        return session.scalars(query).one()


def change(hub: HubProcess, person: str, **values: Any) -> None:
    with writing(hub.records.engine) as session:
        found = session.get_one(PersonalLab, row(hub, person).id)
        for name, value in values.items():
            setattr(found, name, value)


def start(lab: HubLab) -> None:
    lab.start()
    lab.uid = row(lab.hub, lab.owner).home_uid or ""
    assert lab.uid


def sh(lab: HubLab, script: str) -> str:
    code, said = run_in(lab.container, "sh", "-c", script)
    assert code == 0, said
    return said


CHECKSUMS = "cd ~ && find lessons own.txt -type f -exec sha256sum {} + | sort"


def test_lessons_come_with_the_first_start_and_never_again(hub: HubProcess) -> None:
    lab = lab_of(hub, "anna", "course")
    start(lab)
    assert sh(lab, "cat ~/lessons/01.ipynb") == "one\n"
    assert sh(lab, "stat -c %u:%a ~/lessons/data/table.csv") == "1000:644\n"

    sh(lab, "cd ~ && echo mine > lessons/01.ipynb && rm lessons/data/table.csv && echo x > own.txt")
    before = sh(lab, CHECKSUMS)
    lab.stop()
    change(hub, "anna", image="next")
    start(lab)

    assert sh(lab, CHECKSUMS) == before
    assert run_in(lab.container, "test", "-e", "/home/jovyan/lessons/data/table.csv")[0] == 1
    sh(lab, "rm -r ~/lessons")
    lab.stop()
    start(lab)
    assert run_in(lab.container, "test", "-e", "/home/jovyan/lessons")[0] == 1
    lab.stop()


def test_a_home_that_had_another_image_first_gets_the_lessons_with_theirs(
    hub: HubProcess,
) -> None:
    lab = lab_of(hub, "bert")
    start(lab)
    assert run_in(lab.container, "test", "-e", "/home/jovyan/lessons")[0] == 1
    sh(lab, "mkdir ~/lessons && echo older > ~/lessons/01.ipynb && ln -s /etc/passwd ~/own.txt")
    lab.stop()
    change(hub, "bert", image="course")
    start(lab)
    assert sh(lab, "cat ~/lessons/*") == "older\n"
    lab.stop()


def test_an_image_that_promises_what_it_does_not_have_starts_all_the_same(
    hub: HubProcess,
) -> None:
    lab = lab_of(hub, "clara", "broken")
    start(lab)
    assert lab.answers()
    assert row(hub, "clara").seeded == []
    assert "Cannot copy /opt/course/nothing" in hub.log()
    lab.stop()


def test_a_lesson_is_copied_into_a_home_and_nothing_there_is_touched(
    hub: HubProcess, settings: Sophon
) -> None:
    lab = lab_of(hub, "cora")
    start(lab)

    def copy(*files: str) -> None:
        homes.copy_files(settings, lab.uid, IMAGES["course"], "/opt/course/lessons", files)

    copy("01.ipynb")
    assert sh(lab, "cd ~/lessons && cat 01.ipynb data/table.csv") == "one\nread-only\n"
    assert sh(lab, "stat -c %u:%a ~/lessons/01.ipynb ~/lessons/data/table.csv") == (
        "1000:644\n1000:644\n"
    )
    sh(lab, "cd ~/lessons && echo mine > 01.ipynb && rm data/table.csv && ln -s / data/link")
    copy("01.ipynb")
    assert sh(lab, "cd ~/lessons && cat 01.ipynb data/table.csv") == "mine\nread-only\n"
    assert sh(lab, "ls -A ~/lessons ~/lessons/data").split() == [
        *("/home/jovyan/lessons:", "01.ipynb", "data"),
        *("/home/jovyan/lessons/data:", "link", "table.csv"),
    ]
    with pytest.raises(VolumeTrouble, match="has no 02"):
        copy("02.ipynb")
    with pytest.raises(VolumeTrouble, match="no such home"):
        homes.copy_files(settings, "f" * 32, IMAGES["course"], "/opt/course/lessons", ["01.ipynb"])
    lab.stop()


@pytest.mark.parametrize("inner", ["", "/data"])
def test_a_lesson_is_not_copied_through_a_link(
    hub: HubProcess, settings: Sophon, inner: str
) -> None:
    lab = lab_of(hub, f"link{len(inner)}")
    start(lab)
    sh(
        lab,
        f"cd ~ && mkdir -p elsewhere $(dirname lessons{inner}) && ln -s ~/elsewhere lessons{inner}",
    )
    with pytest.raises(VolumeTrouble, match="is no folder"):
        homes.copy_files(settings, lab.uid, IMAGES["course"], "/opt/course/lessons", ["01.ipynb"])
    assert sh(lab, "ls -A ~/elsewhere") == ""
    lab.stop()


def test_what_a_home_holds_is_measured_while_the_lab_runs_and_after(
    hub: HubProcess, settings: Sophon
) -> None:
    lab = lab_of(hub, "dora")
    start(lab)
    empty = homes.measure(settings, lab.uid)
    sh(
        lab,
        "cd ~ && head -c 20000000 /dev/zero | tr '\\0' x > big && ln big same && ln -s / root"
        " && mkdir -p shut .local/share/Trash/files && head -c 5000000 /dev/urandom > shut/s"
        " && head -c 3000000 /dev/urandom > .local/share/Trash/files/t && chmod 000 shut",
    )
    full = homes.measure(settings, lab.uid)
    lab.stop()

    assert empty.trash_bytes == 0
    assert 28_000_000 <= full.disk_bytes - empty.disk_bytes <= 28_500_000
    assert 3_000_000 <= full.trash_bytes <= 3_100_000
    assert homes.measure(settings, lab.uid).disk_bytes >= 28_000_000
    assert homes.measure(settings, "0" * 32) == homes.Usage(0, 0)


def test_all_homes_are_measured_at_once_as_one_by_one(hub: HubProcess, settings: Sophon) -> None:
    lab = lab_of(hub, "doris")
    start(lab)
    sh(lab, "cd ~ && head -c 7000000 /dev/urandom > big && mkdir shut && chmod 000 shut")
    lab.stop()

    found = room.measure_all(settings, [lab.uid, "f" * 32])

    assert found == {lab.uid: homes.measure(settings, lab.uid).disk_bytes}
    assert found[lab.uid] > 7_000_000
    assert room.measure_all(settings, ["f" * 32]) == {}


def test_the_room_on_the_disk_is_the_same_seen_from_here_and_by_a_helper(
    settings: Sophon, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = room.look(settings)
    monkeypatch.setattr(room, "_root_here", lambda: None)
    there = room.look(settings)

    assert (here.near, there.near) == (True, False)
    # others write meanwhile
    assert there.free_bytes == pytest.approx(here.free_bytes, rel=0.1)


def test_measuring_makes_no_volume_and_leaves_no_container(
    hub: HubProcess, settings: Sophon, docker: APIClient
) -> None:
    homes.measure(settings, "f" * 32)
    homes.empty_trash(settings, "f" * 32)
    mine = {"label": f"org.sophon.namespace={hub.namespace}"}
    names = [volume["Name"] for volume in docker.volumes(filters=mine)["Volumes"] or []]
    assert not any("f" * 32 in name for name in names)
    kinds = {
        container["Labels"]["org.sophon.kind"]
        for container in docker.containers(all=True, filters=mine)
    }
    assert not kinds & {"measure", "empty-trash", "seed"}


def test_the_trash_is_emptied_and_nothing_else(hub: HubProcess, settings: Sophon) -> None:
    lab = lab_of(hub, "emil")
    start(lab)
    sh(
        lab,
        "cd ~ && mkdir -p keep .local/share/Trash/files/a/b/c .local/share/other"
        " && echo precious > keep/file && echo x > .local/share/other/file"
        " && echo gone > .local/share/Trash/files/a/b/c/file"
        " && ln -s ~/keep .local/share/Trash/files/link && ln -s ~/keep/file .local/share/Trash/f"
        " && ln -s / .local/share/Trash/files/a/root && ln keep/file .local/share/Trash/files/hard"
        " && touch '.local/share/Trash/files/odd\nname' .local/share/Trash/files/-rf"
        " && chmod 000 .local/share/Trash/files/a/b && chmod 555 .local/share/Trash/files",
    )
    homes.empty_trash(settings, lab.uid)

    assert sh(lab, "ls -A ~/.local/share/Trash") == ""
    assert sh(lab, "cat ~/keep/file ~/.local/share/other/file") == "precious\nx\n"
    assert lab.answers()
    lab.stop()


@pytest.mark.parametrize("link", [".local", ".local/share", ".local/share/Trash"])
def test_a_trash_behind_a_link_is_left_alone(hub: HubProcess, settings: Sophon, link: str) -> None:
    lab = lab_of(hub, f"link-{link.count('/')}", "lab")
    start(lab)
    rest = ".local/share/Trash".removeprefix(link).lstrip("/")
    sh(
        lab,
        f"cd ~ && mkdir -p precious/{rest} && echo x > precious/{rest}/file && rm -rf {link}"
        f" && ln -s ~/precious {link}",
    )
    homes.empty_trash(settings, lab.uid)
    assert sh(lab, f"cat ~/precious/{rest}/file") == "x\n"
    lab.stop()


def test_a_full_home_is_refused_at_the_hub_too_and_cleaned_up_without_internet(
    hub: HubProcess, docker: APIClient
) -> None:
    lab = lab_of(hub, "frida")
    start(lab)
    lab.stop()
    change(hub, "frida", disk_bytes=31 * 1024**2)
    refused = lab.request_start()
    assert refused.status_code == 409, refused.text
    assert "30M" in refused.json()["message"]

    change(hub, "frida", clean_up=True)
    start(lab)
    container = docker.inspect_container(lab.container)
    assert container["HostConfig"]["CpuQuota"] / container["HostConfig"]["CpuPeriod"] == 0.5
    assert list(container["NetworkSettings"]["Networks"]) == [f"{hub.namespace}-labs"]
    assert sh(lab, "touch ~/x && rm ~/x; echo fine") == "fine\n"
    lab.stop()


def test_deleting_the_person_deletes_the_home_and_a_new_one_gets_nothing(
    hub: HubProcess, docker: APIClient
) -> None:
    lab = lab_of(hub, "gerd", "course")
    start(lab)
    sh(lab, "echo secret > ~/secret")
    old = lab.volume
    lab.stop()
    hub.expect("DELETE", "/users/gerd")
    wait_for(lambda: not docker.volumes(filters={"name": old})["Volumes"], "the home to be removed")
    hub.add_user("gerd")
    start(lab)
    assert lab.volume != old
    assert run_in(lab.container, "test", "-e", "/home/jovyan/secret")[0] == 1
    assert row(hub, "gerd").image is None
    lab.stop()
