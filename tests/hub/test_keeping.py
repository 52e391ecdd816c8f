"""Keeping the work of a visit, with the real Hub, proxy, portal, worker and Docker engine."""

import re
from collections.abc import Iterator

import pytest
from docker.api.client import APIClient
from hub_harness import run_in
from visiting import TRY, Visit, VisitedHub, visited_hub

from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

MAKE = """
import os, sys
os.chdir("/home/jovyan")
os.makedirs("my work/deep/er", exist_ok=True)
os.makedirs("empty", exist_ok=True)
for name, size in [("plain.txt", 5), ("my work/deep/er/größe №1\\n.bin", 300_001), ("nothing", 0)]:
    with open(name, "wb") as file:
        file.write(os.urandom(size))
os.chmod("plain.txt", 0o755)
os.makedirs(".hidden", exist_ok=True)
open(".hidden/secret", "w").close()
os.path.lexists("link") or os.symlink("/etc/passwd", "link")
"""

LIST = """
import hashlib, os, sys
os.chdir(sys.argv[1])
for at, folders, files in os.walk("."):
    folders[:] = sorted(f for f in folders if not f.startswith("."))
    for name in sorted(folders):
        print(repr(os.path.join(at, name)))
    for name in sorted(files):
        path = os.path.join(at, name)
        if not name.startswith(".") and not os.path.islink(path):
            digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
            print(repr(path), digest, os.access(path, os.X_OK))
"""
HOME = "/home/jovyan"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, docker: APIClient) -> Iterator[VisitedHub]:
    directory = tmp_path_factory.mktemp("kept")
    sizes = {"temporary_pool": "1", "temporary_capacity": "2"}
    with visited_hub(directory, docker, **sizes) as hub:
        yield hub


@pytest.fixture(scope="module")
def visit(hub: VisitedHub) -> Visit:
    """A visitor who has made files, and signs in then."""
    visit = hub.visit()
    assert visit.enter().status_code == 200
    assert run_in(visit.container(), "python3", "-c", MAKE) == (0, "")
    page = visit.browser.page(TRY)
    assert "Sign in and keep my work" in page.text
    assert visit.browser.sign_in("admin", hub.admin_password()).status_code == 302
    return visit


def files(container: str, folder: str = HOME) -> str:
    """Paths of all files below a folder, each with its digest, as its lab sees them."""
    code, said = run_in(container, "python3", "-c", LIST, folder)
    assert code == 0, said
    return said


def keep(visit: Visit) -> str:
    """Press the button and wait until everything is there; the name of the folder."""
    answer = visit.browser.submit(TRY, action="keep")
    assert answer.status_code == 303, answer.text
    found = wait_for(
        lambda: re.search(r"are in the folder “([^”]+)”", visit.browser.page(TRY).text),
        "the files to be copied",
    )
    return str(found[1])


def own_lab(visit: Visit) -> str:
    """The container of the personal lab of whoever signed in."""
    found = visit.find_container("admin")
    assert found
    return found


def test_the_files_of_a_visit_are_in_the_lab_of_who_signs_in_byte_for_byte(visit: Visit):
    folder = keep(visit)
    assert re.fullmatch(r"From a temporary lab \d{4}-\d\d-\d\d \d\d\.\d\d", folder)
    made = files(visit.container())
    assert made.count("\n") >= 6
    assert files(own_lab(visit), f"{HOME}/{folder}") == made
    code, _ = run_in(own_lab(visit), "test", "-e", f"{HOME}/{folder}/.hidden")
    assert code
    code, _ = run_in(own_lab(visit), "test", "-L", f"{HOME}/{folder}/link")
    assert code
    # the owner can change what was kept
    changed = run_in(own_lab(visit), "sh", "-c", f"echo more >> '{HOME}/{folder}/plain.txt'")
    assert changed == (0, "")


def test_what_is_kept_again_is_a_folder_of_its_own(visit: Visit):
    first = keep(visit)
    before = files(own_lab(visit), f"{HOME}/{first}")
    code, said = run_in(visit.container(), "sh", "-c", f"echo new > {HOME}/plain.txt")
    assert code == 0, said
    second = keep(visit)
    assert second != first
    assert files(own_lab(visit), f"{HOME}/{first}") == before
    assert files(own_lab(visit), f"{HOME}/{second}") == files(visit.container())


def test_what_cannot_be_read_is_said_and_nothing_half_is_left(visit: Visit):
    keep(visit)
    before = files(own_lab(visit))
    unreadable = f"touch {HOME}/zzz && chmod 0 {HOME}/zzz"
    assert run_in(visit.container(), "sh", "-c", unreadable) == (0, "")
    assert visit.browser.submit(TRY, action="keep").status_code == 303
    wait_for(lambda: "could not be read" in visit.browser.page(TRY).text, "the page to say that")
    assert files(own_lab(visit)) == before
    code, said = run_in(own_lab(visit), "sh", "-c", f"ls -A {HOME} | grep '^[.].*temporary'")
    assert (code, said) == (1, "")
    assert run_in(visit.container(), "rm", "-f", f"{HOME}/zzz") == (0, "")
    keep(visit)


def test_the_files_are_in_the_lab_of_a_new_project_byte_for_byte(visit: Visit, docker: APIClient):
    portal = TRY.removesuffix("try")
    made = visit.browser.submit(
        f"{portal}groups/new", name="Keepers", visibility="private", access="manual"
    )
    assert made.status_code == 303, made.text

    answer = visit.browser.submit(TRY, action="keep-project", group="keepers", name="Kept")

    assert answer.status_code == 303, answer.text
    said = wait_for(
        lambda: re.search(
            r"are in the folder “([^”]+)” of\s+the lab of the project",
            visit.browser.page(TRY).text,
        ),
        "the files to be copied",
    )
    labels = [f"org.sophon.namespace={visit.hub.namespace}", "org.sophon.project=kept"]
    (container,) = docker.containers(filters={"label": labels})
    assert files(container["Id"], f"{HOME}/{said[1]}") == files(visit.container())
