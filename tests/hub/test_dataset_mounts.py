"""Datasets at a real Hub and engine: mounted for whom they are for, and read-only for everybody."""

import contextlib
import hashlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.api.client import APIClient
from hub_harness import HubLab, HubProcess, run_in
from sqlalchemy import select

from sophon_hub import names
from sophon_hub.models import (
    Dataset,
    DatasetKind,
    DatasetState,
    Lab,
    Person,
    PersonalLab,
    ResearchGroup,
    Visibility,
)
from sophon_hub.settings import Sophon
from sophon_hub.store.engine import reading, writing
from sophon_hub.store.launch import DatasetFiles
from sophon_hub.volumes import datasets
from sophon_hub.volumes.helper import VolumeTrouble
from tests import make

pytestmark = [pytest.mark.hub, pytest.mark.docker]

STARS = {"a.csv": b"1,2\n", "deep/er/b.bin": bytes(range(256)) * 4000, "odd\nname\\": b"x"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an administrator allows, with a dataset in it and things that must not be mounted."""
    root = tmp_path_factory.mktemp("data")
    for path in (root, *root.parents[:2]):
        path.chmod(0o755)
    for name, content in STARS.items():
        file = root / "stars" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (root / "stars" / "link").symlink_to("/etc/passwd")
    (root / "escape").symlink_to("/etc")
    (root / "file").write_text("no folder")
    return root


@pytest.fixture(scope="module")
def hub(make_hub: Callable[..., HubProcess], root: Path) -> HubProcess:
    hub = make_hub(SOPHON_DATASET_ROOTS=f'["{root}"]')
    hub.start()
    return hub


@pytest.fixture
def settings(hub: HubProcess, root: Path) -> Sophon:
    return Sophon(data_dir=str(hub.data_dir), namespace=hub.namespace, dataset_roots=[str(root)])


def add_dataset(hub: HubProcess, slug: str, group: str | None = None, **values: Any) -> str:
    with writing(hub.records.engine) as session:
        query = select(ResearchGroup).where(ResearchGroup.slug == group)
        return make.dataset(
            session, slug, group=session.scalars(query).one() if group else None, **values
        ).uid


def change(hub: HubProcess, uid: str, **values: Any) -> None:
    with writing(hub.records.engine) as session:
        row = session.scalars(select(Dataset).where(Dataset.uid == uid)).one()
        for name, value in values.items():
            setattr(row, name, value)


def give(hub: HubProcess, lab: HubLab, *uids: str) -> None:
    with writing(hub.records.engine) as session:
        session.scalars(select(Lab).where(Lab.uid == lab.uid)).one().dataset_uids = list(uids)


def start(lab: HubLab) -> None:
    lab.start()
    if lab.name == "":
        with reading(lab.hub.records.engine) as session:
            query = select(PersonalLab).join(PersonalLab.person)
            found = session.scalars(query.where(Person.username == lab.owner)).one()
            lab.uid = found.home_uid or ""


def seen_in(lab: HubLab) -> set[str]:
    """The datasets that a running lab has."""
    _, said = run_in(lab.container, "sh", "-c", "ls /srv/datasets 2>/dev/null; true")
    return set(said.split())


def test_a_dataset_is_read_and_nothing_in_the_lab_can_change_it(
    hub: HubProcess, slug: str, root: Path
) -> None:
    lab = hub.add_lab("physics", slug, "first")
    give(hub, lab, add_dataset(hub, f"{slug}-stars", location=str(root / "stars")))
    start(lab)
    place = f"/srv/datasets/{slug}-stars"

    assert run_in(lab.container, "cat", f"{place}/a.csv") == (0, "1,2\n")
    for command in (
        f"echo x > {place}/a.csv",
        f"touch {place}/new",
        f"rm {place}/a.csv",
        f"chmod 777 {place}",
        f"mv {place} /tmp/x",
        f"mount -o remount,rw {place}",
        f"mount --bind /tmp {place}",
        f"umount {place}",
    ):
        for user in ("1000", "0"):
            code, said = run_as(lab.container, user, command)
            assert code != 0, f"{user} could {command}: {said}"
    assert (root / "stars" / "a.csv").read_bytes() == STARS["a.csv"]
    assert not (root / "stars" / "new").exists()
    lab.stop()


def run_as(container: str, user: str, script: str) -> tuple[int, str]:
    """Run something as any user of the container; root has no capabilities there either."""
    done = subprocess.run(
        ["docker", "exec", "--user", user, container, "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_what_else_is_mounted_inside_a_directory_stays_out(
    hub: HubProcess, slug: str, root: Path, docker: APIClient
) -> None:
    lab = hub.add_lab("physics", slug, "first")
    give(hub, lab, add_dataset(hub, f"{slug}-stars", location=str(root / "stars")))
    start(lab)
    [mount] = [
        one
        for one in docker.inspect_container(lab.container)["HostConfig"]["Mounts"]
        if one["Target"].startswith("/srv/datasets/")
    ]
    assert mount["ReadOnly"] is True
    assert mount["BindOptions"]["NonRecursive"] is True
    lab.stop()


def test_a_lab_has_what_its_group_may_have_at_the_moment_it_starts(
    hub: HubProcess, slug: str, root: Path
) -> None:
    stars = str(root / "stars")
    lab = hub.add_lab(f"{slug}-one", slug, "first")
    hub.add_lab(f"{slug}-two", f"{slug}-two", "first")
    own = add_dataset(
        hub, f"{slug}-own", f"{slug}-one", visibility=Visibility.PRIVATE, location=stars
    )
    others = add_dataset(
        hub, f"{slug}-others", f"{slug}-two", visibility=Visibility.PRIVATE, location=stars
    )
    public = add_dataset(hub, f"{slug}-public", visibility=Visibility.PUBLIC, location=stars)
    lowered = add_dataset(hub, f"{slug}-lowered", f"{slug}-two", location=stars)
    failed = add_dataset(hub, f"{slug}-failed", location=stars, state=DatasetState.FAILED)
    give(hub, lab, own, others, public, lowered, failed, "0" * 32)
    start(lab)
    assert seen_in(lab) == {f"{slug}-own", f"{slug}-public", f"{slug}-lowered"}

    change(hub, lowered, visibility=Visibility.PRIVATE)
    hub.records.move_project(slug, f"{slug}-two")
    lab.stop()
    start(lab)
    assert seen_in(lab) == {f"{slug}-others", f"{slug}-public", f"{slug}-lowered"}
    lab.stop()


def test_a_personal_lab_has_what_its_owner_may_see(hub: HubProcess, slug: str, root: Path) -> None:
    stars, person = str(root / "stars"), f"{slug}-person"
    hub.add_user(person)
    hub.add_lab(slug, slug, "first")
    private = add_dataset(
        hub, f"{slug}-private", slug, visibility=Visibility.PRIVATE, location=stars
    )
    internal = add_dataset(hub, f"{slug}-internal", location=stars)
    with writing(hub.records.engine) as session:
        somebody = make.person(session, person)
        own = make.personal_lab(session, somebody)
        own.dataset_uids = [private, internal]
    lab = HubLab(hub, person, "", "")
    start(lab)
    assert seen_in(lab) == {f"{slug}-internal"}
    lab.stop()
    with writing(hub.records.engine) as session:
        group = session.scalars(select(ResearchGroup).where(ResearchGroup.slug == slug)).one()
        somebody = session.scalars(select(Person).where(Person.username == person)).one()
        make.membership(session, group, somebody)
    start(lab)
    assert seen_in(lab) == {f"{slug}-internal", f"{slug}-private"}
    lab.stop()


def test_a_dataset_that_is_gone_says_so_and_is_no_empty_folder(
    hub: HubProcess, slug: str, root: Path
) -> None:
    lab = hub.add_lab("physics", slug, "first")
    give(hub, lab, add_dataset(hub, f"{slug}-gone", location=str(root / "gone")))
    assert lab.request_start().status_code in (201, 202, 500)
    said = " ".join(event["message"] for event in lab.events()) if lab.state() else ""
    refused = lab.request_start()
    assert f"{slug}-gone" in said + refused.text
    assert not (root / "gone").exists()


@pytest.mark.parametrize("kind", [DatasetKind.DIRECTORY, DatasetKind.VOLUME])
def test_the_manifest_is_what_sha256sum_says(
    kind: DatasetKind, settings: Sophon, root: Path, docker: APIClient
) -> None:
    location = str(root / "stars")
    with contextlib.ExitStack() as stack:
        if kind is DatasetKind.VOLUME:
            location = stack.enter_context(volume(docker, {"org.sophon.dataset": "true"}))
            fill(docker, location, root / "stars")
        found = datasets.manifest(settings, DatasetFiles(kind, location, "0" * 32))
    assert found.file_count == len(STARS)
    assert found.size_bytes == sum(len(content) for content in STARS.values())
    lines = found.text.splitlines()
    assert f"{hashlib.sha256(STARS['a.csv']).hexdigest()}  ./a.csv" in lines
    assert f"\\{hashlib.sha256(b'x').hexdigest()}  ./odd\\nname\\\\" in lines
    assert "link" not in found.text
    assert found.checksum == hashlib.sha256(found.text.encode()).hexdigest()


def test_changes_are_counted_by_file() -> None:
    old = "1  ./a\n2  ./b\n3  ./c\n"
    assert datasets.differences(old, old) == 0
    assert datasets.differences(old, "1  ./a\n9  ./b\n4  ./d\n") == 3


@contextlib.contextmanager
def volume(docker: APIClient, labels: dict[str, str], **options: str) -> Iterator[str]:
    name = f"sophontest-volume-{os.urandom(4).hex()}"
    docker.create_volume(name, labels=labels, driver_opts=options or None)
    try:
        yield name
    finally:
        docker.remove_volume(name, force=True)


def fill(docker: APIClient, name: str, source: Path) -> None:
    """Copy a directory of the machine into a volume."""
    image = os.environ.get("SOPHON_TEST_IMAGE", "sophon-hub/lab:latest")
    subprocess.run(
        [
            *("docker", "run", "--rm", "--user", "0", "--network", "none"),
            *("-v", f"{source}:/from:ro", "-v", f"{name}:/to"),
            *("--entrypoint", "cp", image, "-a", "/from/.", "/to"),
        ],
        check=True,
    )


@pytest.mark.parametrize(
    "location",
    [
        "escape",
        "escape/ssl",
        "stars/link",
        "file",
        "gone",
        "stars/../../..",
        "../",
        "stars/deep/er/b.bin",
    ],
)
def test_no_link_and_no_trick_leads_out_of_the_allowed_directories(
    location: str, settings: Sophon, root: Path
) -> None:
    with pytest.raises(VolumeTrouble) as refused:
        datasets.manifest(
            settings, DatasetFiles(DatasetKind.DIRECTORY, f"{root}/{location}", "0" * 32)
        )
    assert str(refused.value)


@pytest.mark.parametrize("location", ["/", "/etc", "/var/run/docker.sock", "/var/run", ""])
def test_the_machine_itself_is_no_dataset(location: str, settings: Sophon) -> None:
    with pytest.raises(VolumeTrouble, match="dataset_roots"):
        datasets.manifest(settings, DatasetFiles(DatasetKind.DIRECTORY, location, "0" * 32))


def test_a_directory_with_a_socket_is_refused(settings: Sophon, root: Path) -> None:
    place = root / "sockets"
    place.mkdir(exist_ok=True)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        path = f"/tmp/{os.urandom(4).hex()}.sock"
        server.bind(path)
        Path(path).rename(place / "docker.sock")
        with pytest.raises(VolumeTrouble, match="neither file nor folder"):
            datasets.manifest(settings, DatasetFiles(DatasetKind.DIRECTORY, str(place), "0" * 32))


@pytest.mark.parametrize(
    ("labels", "options", "said"),
    [
        ({}, {}, "not marked"),
        ({"org.sophon.dataset": "false"}, {}, "not marked"),
        ({"org.sophon.dataset": "true", "org.sophon.namespace": "other"}, {}, "of a hub"),
        (
            {"org.sophon.dataset": "true"},
            {"type": "none", "o": "bind", "device": "/etc"},
            "in disguise",
        ),
    ],
)
def test_a_volume_that_nobody_marked_as_a_dataset_is_refused(
    labels: dict[str, str],
    options: dict[str, str],
    said: str,
    settings: Sophon,
    docker: APIClient,
) -> None:
    with (
        volume(docker, labels, **options) as name,
        pytest.raises(VolumeTrouble, match=said),
    ):
        datasets.manifest(settings, DatasetFiles(DatasetKind.VOLUME, name, "0" * 32))


def test_the_home_of_a_lab_is_no_dataset(hub: HubProcess, slug: str, settings: Sophon) -> None:
    lab = hub.add_lab("physics", slug, "first")
    start(lab)
    lab.stop()
    with pytest.raises(VolumeTrouble, match="a home or a published dataset"):
        datasets.manifest(settings, DatasetFiles(DatasetKind.VOLUME, lab.volume, "0" * 32))


def test_a_folder_of_a_home_is_published_as_it_was(
    hub: HubProcess, slug: str, settings: Sophon
) -> None:
    lab = hub.add_lab("physics", slug, "first")
    start(lab)
    run_in(
        lab.container,
        "sh",
        "-c",
        "cd ~ && mkdir -p out/deep && echo 1 > out/a && echo 2 > out/deep/b && chmod 600 out/a"
        " && ln -s /etc/passwd out/link && chmod 700 out/deep && ln -s out elsewhere",
    )
    uid = names.new_uid()
    datasets.publish(settings, lab.uid, "out", uid)
    files = DatasetFiles(DatasetKind.PUBLISHED, "out", uid)
    made = datasets.manifest(settings, files)
    assert [line.split("  ")[1] for line in made.text.splitlines()] == ["./a", "./deep/b"]

    run_in(lab.container, "sh", "-c", "echo changed > ~/out/a")
    lab.stop()
    with writing(hub.records.engine) as session:
        row = make.dataset(session, f"{slug}-out", kind=DatasetKind.PUBLISHED, location="out")
        row.uid = uid
    give(hub, lab, uid)
    start(lab)
    assert run_in(lab.container, "cat", f"/srv/datasets/{slug}-out/a") == (0, "1\n")
    assert run_in(lab.container, "cat", f"/srv/datasets/{slug}-out/deep/b") == (0, "2\n")
    assert run_as(lab.container, "0", f"echo x > /srv/datasets/{slug}-out/a")[0] != 0
    lab.stop()


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("missing", "no folder"),
        ("elsewhere", "link or no folder"),
        ("file", "link or no folder"),
        ("elsewhere/ssl", "link or no folder"),
        ("out/../..", "plain"),
    ],
)
def test_only_a_plain_folder_of_the_home_is_published_and_failure_leaves_nothing(
    hub: HubProcess, folder: str, said: str, settings: Sophon, docker: APIClient
) -> None:
    lab = hub.add_lab("physics", f"p{os.urandom(3).hex()}", "first")
    start(lab)
    run_in(lab.container, "sh", "-c", "cd ~ && mkdir out && touch file && ln -s /etc elsewhere")
    lab.stop()
    uid = names.new_uid()
    with pytest.raises(VolumeTrouble, match=said):
        datasets.publish(settings, lab.uid, folder, uid)
    name = names.dataset_volume_name(hub.namespace, uid)
    assert not docker.volumes(filters={"name": name})["Volumes"]


def test_more_than_may_be_published_is_refused_and_leaves_nothing(
    hub: HubProcess, slug: str, settings: Sophon, docker: APIClient
) -> None:
    lab = hub.add_lab("physics", slug, "first")
    start(lab)
    run_in(lab.container, "sh", "-c", "cd ~ && mkdir out && head -c 3000000 /dev/zero > out/big")
    lab.stop()
    uid = names.new_uid()
    settings.max_dataset_size = "2M"
    with pytest.raises(VolumeTrouble, match="more than may be published"):
        datasets.publish(settings, lab.uid, "out", uid)
    name = names.dataset_volume_name(hub.namespace, uid)
    assert not docker.volumes(filters={"name": name})["Volumes"]


def test_a_lab_that_never_ran_has_nothing_to_publish(settings: Sophon, docker: APIClient) -> None:
    with pytest.raises(VolumeTrouble, match="start it once"):
        datasets.publish(settings, "a" * 32, "out", "b" * 32)
    for uid in ("a" * 32, "b" * 32):
        assert not docker.volumes(filters={"name": uid})["Volumes"]
