"""The package that runs in every lab: always loaded, and told things by the hub only."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from hub_harness import HubLab, HubProcess

from sophon_hub.lab_messages import HEADER, LabMessages
from sophon_hub.settings import Sophon

pytestmark = pytest.mark.hub

UNDOING = """
c.ServerApp.jpserver_extensions = {"sophon_lab": False}
c.ServerApp.identity_provider_class = "jupyter_server.auth.identity.PasswordIdentityProvider"
c.SophonLab.message_key = ""
c.HubOAuth.cache_max_age = 3600

from pathlib import Path

Path.home().joinpath("code-of-the-home-has-run").touch()
"""
KERNEL = {"display_name": "Ours", "language": "python", "argv": ["python3", "-m", "ipykernel"]}


@pytest.fixture(scope="module")
def hub(make_process_hub: Callable[..., HubProcess]) -> HubProcess:
    hub = make_process_hub(SOPHON_SPAWNER="process")
    hub.start()
    return hub


def home_of(lab: HubLab) -> Path:
    return lab.hub.data_dir / "homes" / lab.uid


@pytest.fixture(scope="module")
def lab(hub: HubProcess) -> Iterator[HubLab]:
    """A lab with files in its home that would switch the package off."""
    lab = hub.add_lab("physics", "cold-atoms", "guarded")
    config = home_of(lab) / ".jupyter"
    config.mkdir(parents=True)
    (config / "jupyter_server_config.py").write_text(UNDOING)
    (config / "jupyter_sophon_lab_config.py").write_text(UNDOING)
    kernel = home_of(lab) / ".local" / "share" / "jupyter" / "kernels" / "ours"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(KERNEL))
    lab.start()
    yield lab
    lab.stop()


@pytest.fixture
def messages(hub: HubProcess) -> LabMessages:
    return LabMessages.of(Sophon(data_dir=str(hub.data_dir)))


def send(lab: HubLab, **headers: str) -> int:
    return requests.post(f"{lab.url}/sophon/revalidate", headers=headers, timeout=30).status_code


def path_in(lab: HubLab, path: str = "/sophon/revalidate") -> str:
    return urlsplit(lab.url + path).path


def test_files_in_a_home_switch_neither_the_package_nor_anything_else_off(lab: HubLab) -> None:
    log = lab.hub.log()

    for extension in ("sophon_lab", "jupyterhub", "jupyter_server_ydoc", "jupyterlab"):
        assert f"{extension} | extension was successfully loaded" in log
    assert lab.answers()
    assert requests.get(f"{lab.url}/api/status", timeout=30).status_code == 403
    assert not (home_of(lab) / "code-of-the-home-has-run").exists()


def test_kernels_that_people_have_installed_in_the_home_are_offered(lab: HubLab) -> None:
    found = lab.hub.api.get(f"{lab.url}/api/kernelspecs", timeout=30).json()["kernelspecs"]

    assert {"ours", "python3"} <= set(found)


def test_a_lab_takes_messages_of_its_own_hub(lab: HubLab, messages: LabMessages) -> None:
    assert send(lab, **messages.headers(path_in(lab))) == 204


def test_a_lab_takes_no_message_that_anybody_else_could_send(
    lab: HubLab, messages: LabMessages, tmp_path: Path
) -> None:
    genuine = messages.headers(path_in(lab))[HEADER]
    sent, _, signature = genuine.partition(":")
    stranger = LabMessages.of(Sophon(data_dir=str(tmp_path)))

    assert send(lab) == 403
    assert send(lab, Authorization=f"token {lab.hub.token}") == 403
    assert send(lab, **{HEADER: "nonsense"}) == 403
    assert send(lab, **{HEADER: f"{int(sent) + 1}:{signature}"}) == 403
    assert send(lab, **stranger.headers(path_in(lab))) == 403
    # what another lab was told, and what this one was told for something else
    assert send(lab, **messages.headers("/user/project-other/lab/sophon/revalidate")) == 403
    assert send(lab, **messages.headers(path_in(lab, "/sophon/flush"))) == 403
    assert send(lab, **messages.headers(path_in(lab), b"with a body")) == 403


def test_a_lab_takes_no_message_that_somebody_kept(
    lab: HubLab, messages: LabMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 120)

    assert send(lab, **messages.headers(path_in(lab))) == 403
