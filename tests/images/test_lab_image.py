"""What each image for people promises to the spawner and to who works in it.

What holds for the standard lab holds for those made from it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.images.conftest import build
from tests.images.lab_container import Lab, docker
from tests.images.stub_hub import StubHub

pytestmark = pytest.mark.docker

TITLES = {"lab": "JupyterLab", "course": "Course", "geo": "Course with GeoPandas"}
MEGABYTES = {"lab": 620, "course": 800, "geo": 950}
STATE = "/home/jovyan/.local/share/sophon"


@pytest.fixture(scope="module", params=sorted(TITLES))
def name(request: pytest.FixtureRequest) -> str:
    """Each image that people can choose."""
    return str(request.param)


@pytest.fixture(scope="module")
def image(name: str) -> str:
    """That image, as its folder says it now."""
    return build(name)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Poll ``condition`` and fail when it is not true after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"


def config_of(image: str) -> dict[str, object]:
    """Return the image's own settings: user, command, labels, environment."""
    settings = docker("image", "inspect", image, "--format", "{{json .Config}}")
    return dict(json.loads(settings))


def page_config(lab: Lab) -> dict[str, object]:
    """Return what JupyterLab's page is told by the server."""
    page = lab.ask("lab").body
    marker = 'id="jupyter-config-data" type="application/json">'
    return dict(json.loads(page.partition(marker)[2].partition("</script>")[0]))


# The image ----------------------------------------------------------------------------------------


def test_the_image_is_no_larger_than_it_has_to_be(name: str, image: str) -> None:
    size = int(docker("image", "inspect", image, "--format", "{{.Size}}"))

    assert size <= MEGABYTES[name] * 1e6


def test_the_image_runs_as_an_ordinary_user_in_its_home(image: str) -> None:
    settings = config_of(image)

    assert settings["User"] == "1000:1000"
    assert settings["WorkingDir"] == "/home/jovyan"
    assert settings["Cmd"] == ["jupyterhub-singleuser"]
    assert not settings.get("Entrypoint")


def test_the_image_says_what_it_is(name: str, image: str) -> None:
    labels = config_of(image)["Labels"]

    assert isinstance(labels, dict)
    assert labels["org.sophon.title"] == TITLES[name]
    assert labels["org.sophon.languages"] == "Python"
    assert labels["org.sophon.offered"] == "true"
    assert labels["org.sophon.description"].endswith(".")
    assert labels["org.sophon.collaboration"] == "true"
    assert labels["org.opencontainers.image.licenses"].startswith("BSD-3-Clause")


# A running lab ------------------------------------------------------------------------------------


def test_a_lab_has_no_capability_and_cannot_get_one(lab: Lab) -> None:
    status = dict(line.split(":\t") for line in lab.sh("cat /proc/self/status").splitlines())

    assert status["Uid"].split() == ["1000"] * 4
    assert int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_nothing_of_the_image_can_be_written_by_its_user(image: str) -> None:
    script = (
        "find / -xdev -writable ! -type l ! -path '/home/jovyan*' ! -path '/tmp*'"
        " ! -path '/proc/*' ! -path '/dev/*' 2>/dev/null; true"
    )
    found = docker("run", "--rm", "--label=sophon-test=1", image, "sh", "-c", script).split()

    assert set(found) <= {"/var/tmp", "/run/lock"}


def test_every_module_of_the_image_is_compiled_with_a_hash_nobody_checks(lab: Lab) -> None:
    script = """
import importlib.util, pathlib, sysconfig
site = pathlib.Path(sysconfig.get_path("purelib"))
missing = stale = 0
for source in site.rglob("*.py"):
    cached = pathlib.Path(importlib.util.cache_from_source(str(source)))
    if not cached.exists():
        missing += 1
    elif cached.read_bytes()[4:8] != b"\\x01\\0\\0\\0":
        stale += 1
print(missing, stale, len(list(site.rglob("*.pyc"))) > 1000)
"""
    assert lab.sh(f"python -c '{script}'") == "0 0 True"


def test_the_slow_format_checker_is_gone_and_nothing_misses_it(lab: Lab) -> None:
    script = 'import importlib.util as u; print(u.find_spec("rfc3987_syntax"), u.find_spec("lark"))'

    assert lab.sh(f"python -c '{script}'") == "None None"
    assert lab.sh("pip check") == "No broken requirements found."


def test_the_server_and_the_scientific_stack_can_be_imported(lab: Lab) -> None:
    modules = (
        "jupyterhub.singleuser.app, jupyterlab.labapp, jupyter_server_ydoc.app,"
        " jupyter_server_fileid.extension, ipykernel.kernelapp, ipywidgets, nbconvert.exporters,"
        " numpy.testing, pandas, matplotlib.pyplot, babel.dates, sqlite3, ssl, readline"
    )
    assert lab.sh(f"HOME=/tmp python -W error::ImportWarning -c 'import {modules}'") == ""


def test_the_lab_knows_the_person_by_the_hubs_name_and_colour(lab: Lab) -> None:
    identity = lab.ask("api/me").json()["identity"]

    assert identity["username"] == "ada"
    assert identity["display_name"] == "Ada Lovelace"
    assert identity["initials"] == "AL"
    assert identity["color"] == "#aa33cc"


def test_a_stranger_is_sent_to_the_hub(lab: Lab) -> None:
    answer = lab.ask("lab", person=False)

    assert answer.status == 302
    assert "Ada" not in answer.body


def test_collaboration_is_on_and_its_share_button_off(lab: Lab) -> None:
    settings = page_config(lab)
    extensions = {one["name"] for one in settings["federated_extensions"]}  # type: ignore[attr-defined]

    assert {"@jupyter/collaboration-extension", "@jupyter/docprovider-extension"} <= extensions
    assert settings["disableRTC"] is False
    assert "@jupyter/collaboration-extension:shared-link" in settings["disabledExtensions"]  # type: ignore[operator]


def test_the_names_of_switched_off_extensions_still_exist(lab: Lab) -> None:
    """A rename upstream would quietly bring the button and the news back."""
    root = "/opt/lab/share/jupyter"

    assert lab.sh(f"grep -rlF 'collaboration-extension:shared-link' {root}/labextensions")
    assert lab.sh(f"grep -rlF 'apputils-extension:announcements' {root}/lab/static")


def test_a_lab_asks_nobody_for_news_updates_or_extensions(lab: Lab) -> None:
    settings = page_config(lab)
    overrides = lab.ask("lab/api/settings/@jupyterlab/apputils-extension:notification").json()

    assert settings["news"] == {"disabled": True}
    assert "@jupyterlab/apputils-extension:announcements" in settings["disabledExtensions"]  # type: ignore[operator]
    assert overrides["schema"]["properties"]["fetchNews"]["default"] == "false"
    assert overrides["schema"]["properties"]["checkForUpdates"]["default"] is False
    assert settings["extensionManager"]["can_install"] is False  # type: ignore[index]


def test_collaboration_keeps_its_state_on_the_volume_and_out_of_sight(lab: Lab) -> None:
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    lab.ask("api/contents/kept.ipynb", method="PUT", body={"type": "notebook", "content": notebook})
    with lab.document("kept.ipynb"):
        until(lambda: "ystore.db" in lab.sh(f"ls {STATE}"))

    assert {"file_ids.db", "sessions.json", "ystore.db"} <= set(lab.sh(f"ls {STATE}").split())
    assert lab.sh("ls -A /home/jovyan | grep -v '^\\.'") == "kept.ipynb"
    assert not lab.sh("find /home/jovyan /tmp -name '.jupyter_ystore*' -o -name collaboration_*")


def test_deleting_deletes_folders_too(lab: Lab) -> None:
    lab.sh("mkdir -p /home/jovyan/old && touch /home/jovyan/old/file")

    assert lab.ask("api/contents/old", method="DELETE").status == 204
    assert (
        lab.sh("ls -d /home/jovyan/old /home/jovyan/.local/share/Trash 2>&1 | grep -c 'No such'")
        == "2"
    )


def test_a_kernel_computes_and_a_terminal_opens(lab: Lab) -> None:
    kernel = lab.ask("api/kernels", method="POST", body={"name": "python3"})
    terminal = lab.ask("api/terminals", method="POST", body={})

    assert kernel.status == 201
    assert terminal.status == 200
    until(lambda: "ipykernel_launcher" in lab.sh("cat /proc/*/cmdline | tr '\\0' ' '"))
    assert lab.sh("ls /tmp/jupyter-runtime | grep -c '^kernel-'") == "1"
    assert lab.sh("bash -lc 'command -v jupyter python pip'").splitlines() == [
        "/opt/lab/bin/jupyter",
        "/opt/lab/bin/python",
        "/opt/lab/bin/pip",
    ]


# A home that outlives containers ------------------------------------------------------------------


def test_a_home_from_before_and_what_people_put_in_it_cannot_break_the_next_start(
    image: str, hub: StubHub
) -> None:
    with Lab(image, hub) as lab:
        lab.wait_until_it_answers()
        lab.sh(
            "packages=$(python -m site --user-site) && mkdir -p $packages ~/.jupyter"
            " && echo 'raise SystemExit(9)' | tee $packages/tornado.py > $packages/usercustomize.py"
            " && echo 'c.YDocExtension.document_save_delay = None'"
            " > ~/.jupyter/jupyter_server_config.py"
            " && echo kept > ~/notes.txt"
        )
        lab.remove()

        lab.start()
        lab.wait_until_it_answers()

        assert lab.ask("api/contents/notes.txt").json()["content"] == "kept\n"
        assert lab.ask("api/me").status == 200
        assert "document_save_delay = 0.5" in lab.sh("jupyter-server --show-config")


def test_people_install_packages_below_their_home(lab: Lab) -> None:
    script = """
import zipfile
with zipfile.ZipFile("/tmp/gift-1-py3-none-any.whl", "w") as wheel:
    info = "gift-1.dist-info"
    wheel.writestr("gift.py", "answer = 42")
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: gift\\nVersion: 1")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true")
    wheel.writestr(f"{info}/RECORD", "")
"""
    lab.sh(f"python -c '{script}' && pip install --no-index /tmp/gift-1-py3-none-any.whl")

    assert lab.sh("python -c 'import gift; print(gift.answer, gift.__file__)'").startswith(
        "42 /home/jovyan/.local/lib/python3"
    )
