"""The tests of JupyterHub and of dockerspawner, run against our spawner classes.

Each exclusion is named here with its reason; one that no longer matches a test fails.
"""

import hashlib
import json
import os
import secrets
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from docker.api.client import APIClient
from hub_harness import LAB_IMAGE, REPOSITORY
from running import heed_interrupts

pytestmark = pytest.mark.hub

PLUGINS = Path(__file__).parent / "upstream"
MODULES = ("test_spawner", "test_user", "test_shares")

AS_ROOT = {
    "test_share_flow_full": "starts the real single-user server, which refuses to run as root",
    "test_single_user_spawner": "starts the real single-user server, which refuses to run as root",
}

NO_SERVER = "starts a command that never answers HTTP; our spawner waits for the first answer"
MANAGED = {
    "test_spawner": NO_SERVER,
    "test_stop_spawner_sigint_fails": NO_SERVER,
    "test_stop_spawner_stop_now": NO_SERVER,
    "test_spawner_poll": NO_SERVER,
    "test_popen_kwargs": NO_SERVER,
    "test_apply_user_options_dict": "options of people change nothing, which is the point",
    "test_share_rename": "renaming a server is refused",
}
"""Where Sophon decides about servers of people (`manage_people`, the default)."""

DOCKER = {
    "test_image_pull_policy": "pulls busybox from Docker Hub, which tests must not need;"
    " test_spawner_engine.py pulls from a registry of its own",
}

PREFIX = f"sophontest-{secrets.token_hex(4)}"
DOCKERSPAWNER = "14.0.0"
DOCKERSPAWNER_SHA256 = "5641d4763ecc78c1b1c3c7621bfe88c055596893e43be7f66ee0dccac06c1d2a"
IMAGES_OF_THE_TESTS = (
    "quay.io/jupyterhub/singleuser:4.0",
    "quay.io/jupyterhub/singleuser:4",
    "quay.io/jupyterhub/singleuser:6.1",
    "busybox:1.29.1",
)


def run_suite(
    plugin: str, tests: list[str], excluded: dict[str, str], tmp_path: Path, **environment: str
) -> Counter[str]:
    """Run tests with a plugin of ours; how many passed, failed and were skipped."""
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-c", str(PLUGINS / "upstream.ini")]
    command += [f"--rootdir={tmp_path}", "-p", plugin, "-p", "exclusions", "-q", "--tb=short"]
    command += ["--disable-warnings"]
    done = subprocess.run(
        [*command, f"--junit-xml={report}", *tests],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PLUGINS), str(REPOSITORY)]),
            "UPSTREAM_EXCLUDED": json.dumps(sorted(excluded)),
            "UPSTREAM_DATA_DIR": str(tmp_path / "data"),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        preexec_fn=heed_interrupts,
    )
    assert done.returncode == 0, done.stdout[-20000:]
    counts: Counter[str] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = next((c.tag for c in case if c.tag in ("failure", "error", "skipped")), "passed")
        counts[outcome] += 1
    return counts


def without_root(excluded: dict[str, str]) -> dict[str, str]:
    return excluded | AS_ROOT if os.geteuid() == 0 else excluded


def hub_tests(*modules: str) -> list[str]:
    return ["--pyargs", *(f"jupyterhub.tests.{module}" for module in modules)]


def test_the_hubs_own_tests_pass_where_people_are_left_to_the_base(tmp_path: Path) -> None:
    tests = hub_tests(*MODULES, "test_named_servers")

    counts = run_suite(
        "under_hub_tests", tests, without_root({}), tmp_path, UPSTREAM_MANAGE_PEOPLE="no"
    )

    assert counts["passed"] >= 215, counts
    assert counts["failure"] == counts["error"] == 0


def test_the_hubs_own_tests_pass_where_sophon_decides_for_people(tmp_path: Path) -> None:
    # without test_named_servers: people have one server here
    tests = hub_tests(*MODULES)

    counts = run_suite(
        "under_hub_tests", tests, without_root(MANAGED), tmp_path, UPSTREAM_MANAGE_PEOPLE="yes"
    )

    assert counts["passed"] >= 150, counts
    assert counts["failure"] == counts["error"] == 0


@pytest.fixture(scope="session")
def dockerspawner_tests() -> Path:
    """The directory of dockerspawner's tests, unpacked from its checked sdist."""
    cache = REPOSITORY / "build" / "upstream"
    sdist = cache / f"dockerspawner-{DOCKERSPAWNER}.tar.gz"
    if not sdist.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", "dockerspawner", "--dest", str(cache)]
        subprocess.run([*command, f"dockerspawner=={DOCKERSPAWNER}"], check=True)
    assert hashlib.sha256(sdist.read_bytes()).hexdigest() == DOCKERSPAWNER_SHA256
    with tarfile.open(sdist) as archive:
        archive.extractall(cache, filter="data")
    return cache / f"dockerspawner-{DOCKERSPAWNER}" / "tests"


@pytest.fixture
def images_of_the_tests(docker: APIClient) -> Iterator[None]:
    """Our lab image under the names that the tests use, where the engine has no such image."""
    present = {tag for image in docker.images() for tag in image["RepoTags"] or []}
    added = [image for image in IMAGES_OF_THE_TESTS if image not in present]
    for image in added:
        docker.tag(LAB_IMAGE, *image.rsplit(":", 1))
    yield
    # the tests leave containers behind where they try what happens without removal
    for container in docker.containers(all=True, filters={"name": f"^/?{PREFIX}-"}):
        docker.remove_container(container["Id"], force=True, v=True)
    for image in added:
        docker.remove_image(image, noprune=True)


@pytest.mark.docker
@pytest.mark.usefixtures("images_of_the_tests")
def test_dockerspawners_own_tests_pass(dockerspawner_tests: Path, tmp_path: Path) -> None:
    # test_swarmspawner and test_systemuserspawner test classes that we do not extend
    modules = ["test_dockerspawner.py", "test_deprecations.py"]
    tests = [str(dockerspawner_tests / module) for module in modules]

    counts = run_suite("under_docker_tests", tests, DOCKER, tmp_path, UPSTREAM_PREFIX=PREFIX)

    assert counts["passed"] >= 33, counts
    assert counts["failure"] == counts["error"] == 0
