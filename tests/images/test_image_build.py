"""Building images: what is built, in which order, with what of the site, and what is said."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images.building import IMAGES, run_build
from tests.images.lab_container import docker

SITE = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SOPHON_EXTRA_CA",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_TRUSTED_HOST",
    "PIP_PROXY",
    "PIP_TIMEOUT",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_RETRIES",
    "NPM_CONFIG_REGISTRY",
    "npm_config_registry",
    "SOPHON_BASE_IMAGE",
]

LEAF = """
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE}
LABEL org.sophon.title="A leaf" sophon-test="1"
COPY data /data
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of images with the real build script."""
    images = tmp_path / "images"
    images.mkdir()
    for name in ("build.py", "catalogue.py"):
        shutil.copy(IMAGES / name, images)
    return images


def add(folder: Path, name: str, dockerfile: str) -> Path:
    """Write an image's folder."""
    (folder / name).mkdir()
    (folder / name / "Dockerfile").write_text(dockerfile.lstrip())
    (folder / name / "data").write_text("one")
    return folder / name


def tag(folder: Path, name: str, **environment: str) -> str:
    """Return the tag an image has now."""
    listed = run_build("--list", name, folder=folder, **environment)
    assert listed.returncode == 0, listed.stderr
    return str({row["name"]: row["tag"] for row in json.loads(listed.stdout)}[name])


# With an engine that only writes down what it is asked --------------------------------------------


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a docker on PATH that has every base, no image of ours, and records its builds."""
    for name in SITE:
        monkeypatch.delenv(name, raising=False)
    commands = tmp_path / "bin"
    commands.mkdir()
    recorded = tmp_path / "builds"
    (commands / "docker").write_text(f"""#!/bin/sh
case "$*" in
  *--help) echo --secret ;;
  "image inspect "*base:*|"image inspect debian:"*) echo 1 ;;
  "image inspect "*) [ -f {tmp_path}/built ] && grep -qxF -e "$3" {tmp_path}/built && echo 7 ;;
  build*)
    echo "$@" >> {recorded}
    for word; do
      case "$word" in
        --tag=*) echo "${{word#--tag=}}" >> {tmp_path}/built ;;
        id=*) cp "${{word#*src=}}" {tmp_path}/"${{word%%,*}}" ;;
      esac
    done
    printf '%s' "$FAILS_WITH"; [ -z "$FAILS_WITH" ] ;;
  *) echo ok ;;
esac
""")
    (commands / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(commands), prepend=os.pathsep)
    return recorded


def test_an_image_is_built_after_the_one_it_is_made_from(engine: Path, folder: Path) -> None:
    add(folder, "a-course", "ARG LAB=sophon-hub/z-lab:latest\nFROM ${LAB}\n")
    add(folder, "z-lab", LEAF)

    built = run_build("a-course", folder=folder)

    assert built.returncode == 0, built.stderr
    first, second = engine.read_text().splitlines()
    assert first.endswith("/z-lab")
    assert "--build-arg=BASE_IMAGE=debian:trixie-slim" in first
    assert second.endswith("/a-course")
    assert f"--build-arg=LAB={tag(folder, 'z-lab')}" in second


def test_only_what_is_named_and_its_parents_are_built(engine: Path, folder: Path) -> None:
    add(folder, "lab", LEAF)
    add(folder, "other", LEAF)

    run_build("lab", folder=folder)

    assert [line.rpartition("/")[2] for line in engine.read_text().splitlines()] == ["lab"]


def test_the_hub_is_built_when_it_is_named_and_not_else(engine: Path, folder: Path) -> None:
    add(folder, "lab", LEAF)
    (folder.parent / "Dockerfile").write_text(LEAF)
    (folder.parent / ".dockerignore").write_text("*\n!Dockerfile\n")

    run_build(folder=folder)
    run_build("hub", folder=folder)

    lab, hub = engine.read_text().splitlines()
    assert lab.endswith("/lab")
    assert "--tag=sophon-hub/hub:latest" in hub
    assert "--build-arg=BASE_IMAGE=debian:trixie-slim" in hub
    assert hub.endswith(f" {folder.parent}")


def test_the_hub_is_named_by_what_goes_into_its_image(engine: Path, folder: Path) -> None:
    checkout = folder.parent
    (checkout / "Dockerfile").write_text(LEAF)
    (checkout / ".dockerignore").write_text("*\n!Dockerfile\n!code\n!one.txt\n")
    for part in ("code", "tests"):
        (checkout / part / "deep").mkdir(parents=True)
    tags = [tag(folder, "hub")]
    for name in ("tests/deep/a", "two.txt", "code/deep/__pycache__"):
        (checkout / name).write_text("left out")
        assert tag(folder, "hub") == tags[0], name

    for name in ("code/deep/a", "one.txt", "Dockerfile"):
        (checkout / name).write_text(LEAF + "# changed")
        tags.append(tag(folder, "hub"))

    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("line", ["FROM sophon-hub/lab", "COPY --from=sophon-hub/lab /a /a"])
def test_a_change_in_a_folder_changes_the_tags_of_all_that_is_made_from_it(
    engine: Path, folder: Path, line: str
) -> None:
    lab = add(folder, "lab", LEAF)
    add(folder, "course", f"FROM debian:trixie-slim\n{line}\n")
    add(folder, "other", LEAF + "# not made from lab\n")
    before = {name: tag(folder, name) for name in ("lab", "course", "other")}

    (lab / "data").write_text("two")

    after = {name: tag(folder, name) for name in before}
    assert {name for name in before if before[name] != after[name]} == {"lab", "course"}


def test_notes_and_caches_do_not_change_a_tag(engine: Path, folder: Path) -> None:
    lab = add(folder, "lab", LEAF)
    before = tag(folder, "lab")

    (lab / "README.md").write_text("notes")
    (lab / "package" / "__pycache__").mkdir(parents=True)
    (lab / "package" / "__pycache__" / "a.pyc").write_text("cache")

    assert tag(folder, "lab") == before


def test_another_base_is_another_image(engine: Path, folder: Path) -> None:
    add(folder, "lab", LEAF)

    assert tag(folder, "lab") != tag(folder, "lab", SOPHON_BASE_IMAGE="mirror/debian:13")


def test_a_proxy_and_pips_settings_reach_the_build_without_being_on_the_command_line(
    engine: Path, folder: Path, tmp_path: Path
) -> None:
    add(folder, "lab", LEAF)
    bundle = tmp_path / "site.pem"
    bundle.write_text("a certificate")

    run_build(
        folder=folder,
        https_proxy="http://me:secret@proxy.example:3128",
        PIP_INDEX_URL="https://me:secret@packages.example/simple",
        PIP_FIND_LINKS="/srv/wheels https://wheels.example/",
        PIP_EXTRA_INDEX_URL="file:///srv/more",
        SOPHON_EXTRA_CA=str(bundle),
    )

    command = engine.read_text()
    assert "--build-arg https_proxy " in command
    assert "secret@" not in command
    assert "--network" not in command
    assert (tmp_path / "id=ca").read_text() == "a certificate"
    assert (tmp_path / "id=pip").read_text().splitlines() == [
        "[global]",
        "index-url = https://me:secret@packages.example/simple",
        "find-links = https://wheels.example/",
    ]


def test_npms_registry_reaches_the_build_without_being_on_the_command_line(
    engine: Path, folder: Path, tmp_path: Path
) -> None:
    add(folder, "lab", LEAF)

    run_build(folder=folder, NPM_CONFIG_REGISTRY="https://me:secret@packages.example/npm/")

    assert "secret@" not in engine.read_text()
    assert (tmp_path / "id=npm").read_text() == "registry=https://me:secret@packages.example/npm/\n"


def test_a_proxy_on_loopback_is_reached_from_the_build(engine: Path, folder: Path) -> None:
    add(folder, "lab", LEAF)

    run_build(folder=folder, HTTP_PROXY="http://localhost:3128")

    assert "--network host" in engine.read_text()


def test_without_a_proxy_or_certificates_nothing_is_passed(engine: Path, folder: Path) -> None:
    add(folder, "lab", LEAF)

    run_build(folder=folder)

    assert "--secret" not in engine.read_text()
    assert "--network" not in engine.read_text()


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Temporary failure resolving 'deb.example'", "HTTPS_PROXY"),
        ("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'", "SOPHON_EXTRA_CA"),
        ("step 1\nno space left on device", "no space left on device"),
    ],
)
def test_a_failed_build_ends_with_advice(
    engine: Path, folder: Path, said: str, advice: str
) -> None:
    add(folder, "lab", LEAF)

    failed = run_build(folder=folder, FAILS_WITH=said)

    assert failed.returncode == 1
    assert said.splitlines()[0] in failed.stdout
    assert failed.stderr.startswith("sophon-hub/lab could not be built.")
    assert advice in failed.stderr


def test_an_unknown_name_is_answered_with_those_there_are(engine: Path, folder: Path) -> None:
    add(folder, "lab", LEAF)

    failed = run_build("labb", folder=folder)

    assert (failed.returncode, failed.stderr) == (1, "There is no image labb; there is lab.\n")


def test_images_made_from_each_other_are_refused(engine: Path, folder: Path) -> None:
    add(folder, "a", "FROM sophon-hub/b\n")
    add(folder, "b", "FROM sophon-hub/a\n")

    failed = run_build(folder=folder)

    assert failed.returncode == 1
    assert "made from each other" in failed.stderr


def test_a_bundle_that_is_not_there_is_named(engine: Path, folder: Path) -> None:
    add(folder, "lab", LEAF)

    failed = run_build(folder=folder, SOPHON_EXTRA_CA="/no/such/file.pem")

    assert failed.returncode == 1
    assert failed.stderr == "SOPHON_EXTRA_CA names /no/such/file.pem, which is not a file.\n"


def test_a_machine_without_docker_is_told_so(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(folder, "lab", LEAF)
    monkeypatch.setenv("PATH", str(tmp_path))

    failed = run_build(folder=folder)

    assert failed.returncode == 1
    assert failed.stderr == "Docker is not installed: there is no command called docker.\n"


def test_a_machine_without_registry_and_mmdebstrap_is_told_what_to_install(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(folder, "lab", LEAF)
    docker_without_images = tmp_path / "docker"
    docker_without_images.write_text(
        '#!/bin/sh\ncase "$*" in version*|*--help) echo --secret;; *) exit 1;; esac\n'
    )
    docker_without_images.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    failed = run_build(folder=folder)

    assert failed.returncode == 1
    assert "apt-get install mmdebstrap" in failed.stderr


# With the real engine -----------------------------------------------------------------------------


@pytest.fixture
def throwaway(folder: Path) -> Iterator[str]:
    """A name for an image that is removed afterwards, whatever tags it got."""
    name = f"test-{secrets.token_hex(4)}"
    yield name
    found = docker("images", f"sophon-hub/{name}", "--format", "{{.Repository}}:{{.Tag}}").split()
    if found:
        docker("rmi", "--force", *found)


@pytest.mark.docker
def test_a_dead_engine_is_named_in_one_sentence() -> None:
    failed = run_build(DOCKER_HOST="tcp://127.0.0.1:9")

    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith("No Docker engine answers at DOCKER_HOST=tcp://127.0.0.1:9.")
    assert "Traceback" not in failed.stderr


@pytest.mark.docker
def test_what_was_built_is_not_built_again(image: str) -> None:
    again = run_build("lab")

    assert again.returncode == 0
    base, lab = again.stdout.splitlines()
    assert base.startswith("sophon-hub/base:")
    assert base.endswith(" is there already.")
    assert lab == f"{image} is there already."
    latest = docker("image", "inspect", "sophon-hub/lab:latest", "--format", "{{.Id}}")
    assert latest == docker("image", "inspect", image, "--format", "{{.Id}}")


@pytest.mark.docker
def test_the_list_describes_what_is_there(image: str) -> None:
    rows = {row["name"]: row for row in json.loads(run_build("--list").stdout)}

    assert rows["lab"]["tag"] == image
    assert rows["lab"]["title"] == "JupyterLab"
    assert 100e6 < rows["lab"]["size"] <= 700e6


@pytest.mark.docker
def test_nothing_of_the_site_stays_in_an_image_or_its_history(
    image: str, folder: Path, tmp_path: Path, throwaway: str
) -> None:
    word = secrets.token_hex(8)
    bundle = tmp_path / "site.pem"
    bundle.write_text(f"certificate {word}\n")
    wanted = hashlib.sha256(bundle.read_bytes()).hexdigest()
    add(
        folder,
        throwaway,
        f"""
ARG BASE_IMAGE=debian:trixie-slim
FROM ${{BASE_IMAGE}}
LABEL sophon-test="1"
USER root
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip \\
    echo "{wanted}  /run/secrets/ca" | sha256sum --check \\
    && grep -q "^index-url = https://.*simple$" /run/secrets/pip \\
    && test -n "$https_proxy"
""",
    )

    built = run_build(
        folder=folder,
        SOPHON_BASE_IMAGE=image,
        SOPHON_EXTRA_CA=str(bundle),
        PIP_INDEX_URL=f"https://{word}.example/simple",
        https_proxy=f"http://{word}.example:3128",
    )

    assert built.returncode == 0, built.stdout + built.stderr
    name = f"sophon-hub/{throwaway}"
    assert word not in docker("history", "--no-trunc", name)
    assert word not in docker("image", "inspect", name)
    search = f"grep -rlIF {word} / --exclude-dir=proc --exclude-dir=sys; true"
    options = ("--rm", "--label=sophon-test=1", "--user=0", f"--hostname={throwaway}")
    assert docker("run", *options, name, "sh", "-c", search) == ""


@pytest.mark.docker
def test_the_lab_image_knows_nothing_of_the_machine_it_was_built_on(image: str) -> None:
    history = docker("history", "--no-trunc", image, "--format", "{{.CreatedBy}}")
    settings = docker("image", "inspect", image, "--format", "{{json .Config}}")
    options = ("--rm", "--label=sophon-test=1", "--user=0")
    left = "ls -A /run/secrets /root /usr/local/share/ca-certificates; ls /etc/pip.conf 2>&1; env"
    trusted = (
        "grep -c BEGIN /etc/ssl/certs/ca-certificates.crt;"
        " find /usr/share/ca-certificates -name '*.crt' | wc -l"
    )
    inside = docker("run", *options, image, "sh", "-c", left)
    in_bundle, from_debian = docker("run", *options, image, "sh", "-c", trusted).split()

    assert in_bundle == from_debian
    assert "cannot access '/etc/pip.conf'" in inside
    for value in {os.environ.get(name, "") for name in SITE} - {""}:
        assert len(value) < 8 or value not in history + settings + inside
    for name in ("_PROXY=", "_proxy=", "PIP_", "SSL_CERT_FILE=", "REQUESTS_CA_BUNDLE="):
        assert name not in settings + inside
