"""Course material from git repositories: fetched by https from a real server, and nowhere else."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.api.client import APIClient

from sophon_hub import names
from sophon_hub.settings import Sophon
from sophon_hub.spawner import ensure_networks
from sophon_hub.volumes import material
from sophon_hub.volumes.helper import VolumeTrouble
from tests.engine import docker_client, remove_namespace
from tests.volumes.git_server import Repository, serving, write_certificate
from tests.volumes.test_material_engine import LAB_IMAGE, PROJECT, Home, volumes_of

pytestmark = [pytest.mark.docker]


@pytest.fixture(scope="module")
def docker() -> Iterator[APIClient]:
    with contextlib.closing(docker_client()) as client:
        yield client


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("git")


@pytest.fixture(scope="module")
def settings(docker: APIClient, place: Path) -> Iterator[Sophon]:
    namespace = f"sophontest-{secrets.token_hex(4)}"
    settings = Sophon(
        namespace=namespace,
        data_dir=str(place),
        images={"lab": {"image": LAB_IMAGE}},
        max_material_size="1M",
        material_ca_file=str(place / "git.pem"),
    )
    ensure_networks(settings)
    yield settings
    remove_namespace(docker, namespace)


@pytest.fixture(scope="module")
def server(docker: APIClient, settings: Sophon, place: Path) -> Iterator[str]:
    """The address of a git server at which containers with the internet find this machine."""
    network = docker.inspect_network(f"{settings.namespace}-internet")
    host = network["IPAM"]["Config"][0]["Gateway"]
    with serving(place, host, *write_certificate(place, host)) as address:
        yield address


@pytest.fixture
def repository(place: Path) -> Repository:
    return Repository(place, f"r{secrets.token_hex(3)}")


def fetch(settings: Sophon, url: str, branch: str = "") -> tuple[str, int]:
    uid = names.new_uid()
    return uid, material.publish_repository(settings, PROJECT, uid, url, branch).file_count


def test_what_is_in_a_repository_is_brought_and_followed(
    docker: APIClient, settings: Sophon, server: str, repository: Repository
) -> None:
    repository.commit({"week1/intro.ipynb": "one", "run.sh": "#!/bin/sh", "gone": "x"})
    (repository.work / "run.sh").chmod(0o755)
    (repository.work / "link").symlink_to("/etc/passwd")
    repository.push()
    uid, count = fetch(settings, f"{server}/{repository.bare.name}")
    assert count == 3
    home = Home(docker, settings)
    assert home.bring(uid)["counts"] == {"added": 3}
    assert home.run("stat -c %a optics/run.sh; cat optics/week1/intro.ipynb") == "755\none"
    # the history is rewritten, a file is gone, another one is new
    repository.forget_history()
    repository.commit({"week1/intro.ipynb": "two", "gone": None, "new": "n"})
    home.run("printf mine > optics/week1/intro.ipynb")
    uid, _ = fetch(settings, f"{server}/{repository.bare.name}")
    assert home.bring(uid)["counts"] == {"conflict": 1, "withdrawn": 1, "added": 1, "same": 1}
    assert home.run("cat optics/week1/*") == "minetwo"


def test_a_branch_can_be_chosen(settings: Sophon, server: str, repository: Repository) -> None:
    repository.commit({"a": "1"})
    repository.commit({"b": "2", "c": "3"}, "spring/2027")
    url = f"{server}/{repository.bare.name}"
    assert fetch(settings, url)[1] == 1
    assert fetch(settings, url, "spring/2027")[1] == 3
    with pytest.raises(VolumeTrouble, match="autumn"):
        fetch(settings, url, "autumn")


def test_nothing_but_the_files_of_a_repository_is_used(
    docker: APIClient, settings: Sophon, server: str, repository: Repository
) -> None:
    """No filters, no hooks, no submodules."""
    repository.commit(
        {
            "a": "plain",
            ".gitattributes": "a filter=evil\n",
            ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = https://127.0.0.1:1/x.git\n',
            "sub/__pycache__/b": "no material",
        }
    )
    hook = repository.bare / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    uid, count = fetch(settings, f"{server}/{repository.bare.name}")
    assert count == 3
    home = Home(docker, settings)
    home.bring(uid)
    assert home.run("cat optics/a; find optics -type f | sort") == (
        "plainoptics/.gitattributes\noptics/.gitmodules\noptics/a\n"
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"big": os.urandom(1_200_000)}, "more than may be published"),
        # small when it is packed
        ({"a": bytes(700_000), "b": bytes(700_000)}, "more than may be published"),
        ({}, "no files in it"),
    ],
)
def test_what_is_too_much_or_nothing_leaves_nothing(
    docker: APIClient,
    settings: Sophon,
    server: str,
    repository: Repository,
    files: dict[str, Any],
    said: str,
) -> None:
    repository.commit(files)
    before = volumes_of(docker, settings)
    with pytest.raises(VolumeTrouble, match=said):
        fetch(settings, f"{server}/{repository.bare.name}")
    assert volumes_of(docker, settings) == before


@pytest.mark.parametrize("path", ["missing.git", "private/course.git", "moved/course.git"])
def test_a_repository_that_is_not_there_or_not_public_or_moved_says_so(
    settings: Sophon, server: str, path: str
) -> None:
    with pytest.raises(VolumeTrouble, match="git: "):
        fetch(settings, f"{server}/{path}")


def test_a_server_with_a_certificate_of_nobody_known_is_not_trusted(
    settings: Sophon, server: str, repository: Repository
) -> None:
    repository.commit({"a": "1"})
    strict = Sophon(**{**settings.trait_values(), "material_ca_file": ""})
    with pytest.raises(VolumeTrouble, match="certificate"):
        fetch(strict, f"{server}/{repository.bare.name}")
    strict.material_ca_file = "/nowhere/ca.pem"
    with pytest.raises(VolumeTrouble, match="material_ca_file"):
        fetch(strict, f"{server}/{repository.bare.name}")


@pytest.mark.parametrize(
    "url", ["file:///etc", "ext::sh -c id", "ssh://127.0.0.1/x", "git://127.0.0.1/x", "http://h/x"]
)
def test_no_other_protocol_is_spoken_even_if_it_were_asked_for(settings: Sophon, url: str) -> None:
    """The form refuses these before; this is what the helper does."""
    with pytest.raises(VolumeTrouble, match="not allowed"):
        fetch(settings, url)


def test_the_clouds_metadata_is_out_of_reach(settings: Sophon) -> None:
    with pytest.raises(VolumeTrouble, match=r"(?i)host|connect|reach"):
        fetch(settings, "https://169.254.169.254/latest.git")
