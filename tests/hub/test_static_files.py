"""JupyterLab's files are taken out of real images, for all labs that have the same ones."""

import asyncio
import io
import secrets
import tarfile
from collections.abc import Callable, Iterator

import pytest
from docker.api.client import APIClient
from hub_harness import LAB_IMAGE, HubProcess

from sophon_hub.lab_static import LabStatic
from sophon_hub.settings import Sophon
from sophon_hub.spawner import static_files

pytestmark = [pytest.mark.docker]

PATH = "PATH=/opt/ours/bin:/usr/bin"
OURS = "/opt/ours/share/jupyter/lab"

Make = Callable[..., str]


@pytest.fixture
def make_image(docker: APIClient) -> Iterator[Make]:
    """Makes images with these files and this environment; gives references."""
    made: list[str] = []

    def make(*files: str, environment: str = PATH) -> str:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for file in files:
                tar.addfile(tarfile.TarInfo(file.lstrip("/")))
        repository = f"sophontest-{secrets.token_hex(4)}"
        changes = [f"ENV {environment}", f"LABEL made={len(made)}"]
        docker.import_image_from_data(packed.getvalue(), repository, tag="1", changes=changes)
        made.append(f"{repository}:1")
        return made[-1]

    yield make
    for reference in made:
        if docker.images(reference):
            docker.remove_image(reference, force=True)


def arguments(docker: APIClient, settings: Sophon, image: str) -> list[str]:
    return asyncio.run(static_files.arguments(docker, settings, image))


def digest_of(told: list[str]) -> str:
    return told[0].rpartition("/")[2]


def notes(settings: Sophon) -> int:
    return len(list((LabStatic.of(settings).root / "images").iterdir()))


def in_image(docker: APIClient, path: str) -> bytes:
    container = docker.create_container(LAB_IMAGE)["Id"]
    try:
        pieces, _ = docker.get_archive(container, path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
            file = tar.extractfile(tar.getmembers()[0])
            assert file is not None
            return file.read()
    finally:
        docker.remove_container(container)


def test_the_files_of_the_lab_image_are_taken_once_and_as_they_are(
    docker: APIClient, settings: Sophon
) -> None:
    told = arguments(docker, settings, LAB_IMAGE)

    digest = digest_of(told)
    assert told == [
        f"--LabApp.override_static_url=/services/sophon/lab-static/{digest}",
        "--LabApp.app_dir=/opt/lab/share/jupyter/lab",
    ]
    shelf = LabStatic.of(settings)
    plain, packed = (sorted((shelf.root / digest / kind).iterdir()) for kind in ("plain", "gzip"))
    assert len(packed) > 100, "JupyterLab has hundreds of scripts"
    for path in plain:
        found = shelf.read(digest, path.name)
        assert found is not None
        assert not found.is_gzip
        assert found.content == in_image(docker, f"/opt/lab/share/jupyter/lab/static/{path.name}")
    ages = {path: path.stat().st_mtime_ns for path in packed}
    assert arguments(docker, settings, LAB_IMAGE) == told
    assert {path: path.stat().st_mtime_ns for path in packed} == ages


def test_a_lab_starts_with_the_files_that_are_shared(
    hub: HubProcess, slug: str, docker: APIClient
) -> None:
    lab = hub.add_lab("physics", slug, "shared")
    lab.start()

    command = docker.inspect_container(lab.container)["Args"]

    told = [word for word in command if word.startswith(static_files.ADDRESS)]
    assert len(told) == 1
    digest = digest_of(told)
    assert (hub.data_dir / "lab-static" / digest / "gzip").is_dir()


def test_images_with_the_same_files_have_one_address(
    docker: APIClient, settings: Sophon, make_image: Make
) -> None:
    first, second = (make_image(f"{OURS}/static/main.js") for _ in range(2))
    other = make_image(f"{OURS}/static/another.js")

    told = arguments(docker, settings, first)

    assert told[1] == f"--LabApp.app_dir={OURS}"
    assert arguments(docker, settings, second) == told
    assert arguments(docker, settings, other) != told


def test_what_no_image_has_any_more_is_removed(
    docker: APIClient, settings: Sophon, make_image: Make
) -> None:
    kept, gone = make_image(f"{OURS}/static/kept.js"), make_image(f"{OURS}/static/gone.js")
    staying, going = (digest_of(arguments(docker, settings, image)) for image in (kept, gone))
    docker.remove_image(gone, force=True)

    arguments(docker, settings, make_image(f"{OURS}/static/new.js"))

    shelf = LabStatic.of(settings)
    assert shelf.read(going, "gone.js") is None
    assert shelf.read(staying, "kept.js")
    assert notes(settings) == 2


def test_an_image_may_say_where_its_jupyterlab_is(
    docker: APIClient, settings: Sophon, make_image: Make
) -> None:
    files = (f"{OURS}/static/main.js", "/srv/lab/static/other.js")
    image = make_image(*files, environment="JUPYTERLAB_DIR=/srv/lab")

    told = arguments(docker, settings, image)

    assert told[1] == "--LabApp.app_dir=/srv/lab"
    assert LabStatic.of(settings).read(digest_of(told), "other.js")


@pytest.mark.parametrize("files", [(), (f"{OURS}/static/deeper/main.js",)], ids=["none", "odd"])
def test_a_lab_without_files_to_share_serves_its_own(
    docker: APIClient, settings: Sophon, make_image: Make, files: tuple[str, ...]
) -> None:
    image = make_image("/etc/motd", *files)

    assert arguments(docker, settings, image) == []
    assert arguments(docker, settings, image) == []
    assert notes(settings) == 1


def test_too_much_is_not_taken(
    docker: APIClient, settings: Sophon, make_image: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_files, "MOST_BYTES", 100)

    assert arguments(docker, settings, make_image(f"{OURS}/static/main.js")) == []


def test_trouble_with_image_or_disk_keeps_no_lab_from_starting(
    docker: APIClient, settings: Sophon, make_image: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert arguments(docker, settings, "sophontest/not-there:1") == []

    in_the_way = LabStatic.of(settings).root
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("")
    assert arguments(docker, settings, make_image(f"{OURS}/static/main.js")) == []


def test_labs_with_origins_of_their_own_serve_their_own(
    docker: APIClient, settings: Sophon
) -> None:
    settings.subdomain_host = "https://hub.example.edu"

    assert arguments(docker, settings, LAB_IMAGE) == []
