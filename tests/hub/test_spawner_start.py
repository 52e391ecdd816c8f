"""What runs when a lab starts: Sophon's records decide, and nothing people send."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from docker.api.client import APIClient
from hub_harness import LAB_IMAGE, PATIENCE, HubLab, HubProcess, run_in

from sophon_hub import names
from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]

GIGABYTE = 1024**3


@pytest.fixture
def lab(hub: HubProcess, slug: str) -> HubLab:
    return hub.add_lab("physics", slug, "first", cpu_limit=0.5, memory_limit=GIGABYTE)


def inspect(docker: APIClient, lab: HubLab) -> dict[str, Any]:
    found: dict[str, Any] = docker.inspect_container(lab.container)
    return found


def test_a_lab_runs_without_rights_and_within_its_limits(lab: HubLab, docker: APIClient) -> None:
    lab.start()

    container = inspect(docker, lab)
    host = container["HostConfig"]
    assert container["Config"]["User"] == "1000:1000"
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["PidsLimit"] == 512
    assert host["Init"] is True
    assert host["Memory"] == host["MemorySwap"] == GIGABYTE
    assert host["CpuQuota"] / host["CpuPeriod"] == 0.5
    assert host["AutoRemove"] is False
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert [limit["Name"] for limit in host["Ulimits"]] == ["nofile"]
    assert sorted(host["Tmpfs"]) == ["/tmp", "/var/tmp"]
    assert host["ReadonlyRootfs"] is True
    assert host["CpuShares"] == 256
    assert not host["PortBindings"]
    assert host["LogConfig"]["Type"] == "local"
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "2"}


WRITABLE = """
find / -type d -not -path '/proc/*' -not -path '/sys/*' 2>/dev/null | while read -r path; do
    touch "$path/.x" 2>/dev/null && rm "$path/.x" && stat --file-system --format="%n %T" "$path"
done
true
"""


@pytest.mark.parametrize("user", ["1000", "0"])
def test_a_lab_writes_to_its_home_and_to_memory_only(lab: HubLab, user: str) -> None:
    lab.start()
    command = ["docker", "exec", "--user", user, lab.container, "sh", "-c", WRITABLE]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    places = dict(line.rsplit(" ", 1) for line in said.splitlines())
    at_home = {place for place in places if place.startswith("/home/jovyan")}
    assert bool(at_home) is (user == "1000")  # root has no right to write there
    memory = {place: kind for place, kind in places.items() if place not in at_home}
    assert set(memory) >= {"/tmp", "/var/tmp", "/dev/shm"}
    assert {place: kind for place, kind in memory.items() if kind not in ("tmpfs", "mqueue")} == {}


def test_the_kernel_agrees_that_a_lab_has_no_rights(lab: HubLab, docker: APIClient) -> None:
    lab.start()

    _, status = run_in(lab.container, "cat", "/proc/self/status")

    facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert facts["Uid"].split() == ["1000"] * 4
    assert int(facts["CapBnd"], 16) == int(facts["CapPrm"], 16) == int(facts["CapEff"], 16) == 0
    assert facts["NoNewPrivs"].strip() == "1"
    code, _ = run_in(lab.container, "sh", "-c", "test -e /var/run/docker.sock")
    assert code != 0


def test_the_whole_home_is_one_labelled_volume(lab: HubLab, slug: str, docker: APIClient) -> None:
    lab.start()

    container = inspect(docker, lab)
    volume = docker.inspect_volume(lab.volume)
    assert [(m["Type"], m["Name"], m["Destination"]) for m in container["Mounts"]] == [
        ("volume", lab.volume, "/home/jovyan")
    ]
    labels = {
        "org.sophon.namespace": lab.hub.namespace,
        "org.sophon.kind": "lab",
        "org.sophon.uid": lab.uid,
        "org.sophon.project": slug,
        "org.sophon.lab": "first",
    }
    assert labels.items() <= container["Config"]["Labels"].items()
    assert volume["Labels"] == labels
    assert slug not in lab.volume
    code, owner = run_in(lab.container, "stat", "-c", "%u", "/home/jovyan")
    assert (code, owner.strip()) == (0, "1000")


def test_options_of_the_start_request_change_nothing(lab: HubLab, docker: APIClient) -> None:
    options = {
        "image": "sophon-hub/base:probe",
        "mem_limit": "64G",
        "cpu_limit": 64,
        "volumes": {"/": "/host"},
        "extra_host_config": {"privileged": True},
        "internet": True,
        "profile": "root",
    }
    lab.start(user_options=options)

    container = inspect(docker, lab)
    assert container["Config"]["Image"] == LAB_IMAGE
    assert container["HostConfig"]["Memory"] == GIGABYTE
    assert not container["HostConfig"]["Privileged"]
    assert [mount["Destination"] for mount in container["Mounts"]] == ["/home/jovyan"]
    assert list(container["NetworkSettings"]["Networks"]) == [f"{lab.hub.namespace}-labs"]
    assert lab.state()["user_options"] == {}  # type: ignore[index]


def test_options_stored_at_the_hub_change_nothing(lab: HubLab, docker: APIClient) -> None:
    lab.hub.expect("PUT", lab.path, json={"user_options": {"image": "sophon-hub/base:probe"}})

    lab.start()

    assert inspect(docker, lab)["Config"]["Image"] == LAB_IMAGE
    assert lab.state()["user_options"] == {}  # type: ignore[index]


def test_limits_above_the_highest_allowed_are_lowered(
    hub: HubProcess, slug: str, docker: APIClient
) -> None:
    lab = hub.add_lab("physics", slug, "big", cpu_limit=1000.0, memory_limit=1024**4)

    lab.start()

    host = inspect(docker, lab)["HostConfig"]
    assert host["Memory"] == 8 * GIGABYTE
    assert host["CpuQuota"] / host["CpuPeriod"] == 8


def test_a_lab_that_sophon_does_not_know_is_refused(lab: HubLab) -> None:
    stranger = HubLab(lab.hub, lab.owner, "unknown", "")

    answer = stranger.request_start()

    assert (answer.status_code, answer.json()["message"]) == (404, "There is no such lab.")
    lab.start()


def test_a_lab_in_the_trash_is_refused_until_it_is_restored(lab: HubLab) -> None:
    lab.hub.records.trash_lab(lab.uid)
    answer = lab.request_start()
    assert answer.status_code == 404
    assert "trash" in answer.json()["message"]

    lab.hub.records.change_lab(lab.uid, deleted_at=None)

    lab.start()


def test_an_image_that_is_not_offered_is_refused_with_its_name(lab: HubLab) -> None:
    lab.hub.records.change_lab(lab.uid, image="sophon-hub/lab:latest")
    answer = lab.request_start()
    assert answer.status_code == 409
    assert "“sophon-hub/lab:latest” is not offered" in answer.json()["message"]

    lab.hub.records.change_lab(lab.uid, image="lab")

    lab.start()


def test_an_account_that_belongs_to_no_visit_has_no_lab(hub: HubProcess) -> None:
    hub.add_user("tmp-guest")

    answer = HubLab(hub, "tmp-guest", "", "").request_start()

    assert answer.status_code == 404
    assert "There is no such temporary lab." in answer.json()["message"]


def test_a_lab_cannot_be_renamed_at_the_hub(lab: HubLab) -> None:
    lab.start()
    lab.stop()

    answer = lab.hub.request("PATCH", lab.path, json={"name": "other"})

    assert answer.status_code == 409
    assert "keeps its address" in answer.json()["message"]


def personal_lab(hub: HubProcess, docker: APIClient, person: str) -> HubLab:
    """The running personal lab of somebody; its uid is read from the container."""
    HubLab(hub, person, "", "").wait_until_ready()
    labels = ["org.sophon.kind=personal", f"org.sophon.namespace={hub.namespace}"]
    for container in docker.containers(filters={"label": labels}):
        uid = container["Labels"]["org.sophon.uid"]
        env = docker.inspect_container(container["Id"])["Config"]["Env"]
        if f"JUPYTERHUB_USER={person}" in env:
            return HubLab(hub, person, "", uid)
    raise AssertionError("no container of a personal lab")


def test_people_have_a_personal_lab_with_the_defaults(hub: HubProcess, docker: APIClient) -> None:
    hub.add_user("ada")
    HubLab(hub, "ada", "", "").start()

    lab = personal_lab(hub, docker, "ada")

    container = inspect(docker, lab)
    assert container["Config"]["Image"] == LAB_IMAGE
    assert container["HostConfig"]["Memory"] == 2 * GIGABYTE
    assert "ada" not in lab.volume
    assert [mount["Name"] for mount in container["Mounts"]] == [lab.volume]


def test_options_do_not_change_a_personal_lab_either(hub: HubProcess, docker: APIClient) -> None:
    hub.add_user("brook")
    answer = hub.request("POST", "/users/brook/server", json={"image": "other", "mem_limit": "64G"})
    assert answer.status_code in (201, 202)

    container = inspect(docker, personal_lab(hub, docker, "brook"))

    assert container["Config"]["Image"] == LAB_IMAGE
    assert container["HostConfig"]["Memory"] == 2 * GIGABYTE


def test_people_cannot_have_named_servers(hub: HubProcess) -> None:
    hub.add_user("ada")

    answer = HubLab(hub, "ada", "second", "").request_start()

    assert answer.status_code == 403
    assert "belong to a project" in answer.json()["message"]


def test_a_new_account_under_an_old_name_inherits_no_home(
    hub: HubProcess, docker: APIClient
) -> None:
    hub.add_user("carol")
    HubLab(hub, "carol", "", "").start()
    old = personal_lab(hub, docker, "carol")
    old.stop()
    hub.expect("DELETE", "/users/carol")
    wait_for(lambda: not volumes(docker, old.volume), "the old home to be removed")

    hub.add_user("carol")
    HubLab(hub, "carol", "", "").start()
    new = personal_lab(hub, docker, "carol")

    assert new.uid != old.uid


def volumes(docker: APIClient, name: str) -> list[Any]:
    found = docker.volumes(filters={"name": name})["Volumes"] or []
    return [volume for volume in found if volume["Name"] == name]


def test_progress_is_told_in_words_to_all_listeners(hub: HubProcess, slug: str) -> None:
    lab = hub.add_lab("physics", slug, "watched")
    with ThreadPoolExecutor(4) as threads:
        start = threads.submit(lab.request_start)
        wait_for(lambda: (lab.state() or {}).get("pending") == "spawn", "the start to begin")
        listeners = [threads.submit(lambda: list(lab.events())) for _ in range(3)]
        heard = [listener.result(PATIENCE) for listener in listeners]
        assert start.result(PATIENCE).ok

    for events in heard:
        said = [event["message"] for event in events]
        assert said[1:5] == [
            "Looking for the image",
            "Preparing the home",
            "Starting the lab",
            "Waiting for JupyterLab to answer",
        ]
        numbers = [event["progress"] for event in events]
        assert numbers == sorted(numbers)
        assert numbers[-1] == 100
        assert events[-1]["ready"]


def test_the_spawn_page_offers_no_form(hub: HubProcess) -> None:
    with hub.log_in("dora") as browser:
        page = browser.get(f"{hub.url}/hub/spawn", allow_redirects=False, timeout=PATIENCE)

    assert page.status_code == 302
    assert "/spawn-pending/" in page.headers["Location"]
    HubLab(hub, "dora", "", "").wait_until_ready()


def test_nothing_of_the_hubs_environment_gets_into_a_lab(lab: HubLab, docker: APIClient) -> None:
    lab.start()

    env = dict(entry.split("=", 1) for entry in inspect(docker, lab)["Config"]["Env"])

    assert [name for name in env if name.startswith(("SOPHON_", "CONFIGPROXY"))] == []
    assert env["HOME"] == "/home/jovyan"
    assert env["JUPYTERHUB_USER"] == names.account_name(lab.owner.removeprefix("project-"))


def test_a_lab_forgets_permissions_after_the_time_that_is_set(
    lab: HubLab, docker: APIClient
) -> None:
    lab.start()

    assert "--HubOAuth.cache_max_age=4" in inspect(docker, lab)["Args"]
