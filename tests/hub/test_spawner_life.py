"""Labs over time: stopped, crashed, vanished, restarted, deleted, and the Hub killed meanwhile."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from docker.api.client import APIClient
from docker.errors import NotFound
from hub_harness import LAB_IMAGE, PATIENCE, HubLab, HubProcess, run_in

from tests.waiting import wait_for

pytestmark = [pytest.mark.hub, pytest.mark.docker]


@pytest.fixture
def lab(hub: HubProcess, slug: str) -> HubLab:
    return hub.add_lab("physics", slug, "first")


def container_of(docker: APIClient, lab: HubLab) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = docker.inspect_container(lab.container)
    except NotFound:
        return None
    return found


def has_volume(docker: APIClient, lab: HubLab) -> bool:
    try:
        docker.inspect_volume(lab.volume)
    except NotFound:
        return False
    return True


def write(docker: APIClient, lab: HubLab, path: str, text: str) -> None:
    script = f"mkdir -p $(dirname {path}) && cat > {path} <<'END'\n{text}\nEND"
    assert run_in(lab.container, "sh", "-c", script)[0] == 0


def start_patient(hub: HubProcess, *configuration: str) -> None:
    """Start a Hub that answers how a start ended, even where that takes more than 10 seconds."""
    lines = ['c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 60}', *configuration, ""]
    with hub.config.open("a") as config:
        config.write("\n".join(lines))
    hub.start()


def lab_that_runs(command: str, hub: HubProcess, slug: str) -> HubLab:
    """A lab of this hub, which is started with a shell's command instead of a server."""
    start_patient(hub, f'c.Spawner.cmd = ["sh", "-c", {command!r}]')
    return hub.add_lab("physics", slug, "other")


def crash_logs(lab: HubLab) -> list[str]:
    found = sorted((lab.hub.data_dir / "crash-logs").glob(f"{lab.uid}-*.log"))
    return [path.read_text() for path in found]


def test_files_are_there_after_stop_and_start(lab: HubLab, docker: APIClient) -> None:
    lab.start()
    write(docker, lab, "/home/jovyan/notes.txt", "kept")

    lab.stop()
    assert container_of(docker, lab) is None
    lab.start()

    assert run_in(lab.container, "cat", "/home/jovyan/notes.txt") == (0, "kept\n")


def test_a_home_that_is_its_owners_is_not_gone_through_again(
    lab: HubLab, docker: APIClient
) -> None:
    lab.start()
    lab.stop()
    begin = time.time()
    lab.start()

    given = {"event": "create", "label": [f"org.sophon.uid={lab.uid}"]}
    made = docker.events(since=begin, until=time.time(), filters=given, decode=True)
    kinds = [event["Actor"]["Attributes"]["org.sophon.kind"] for event in made]
    assert kinds == ["lab", "guard"]  # no helper that gives every file to its owner


def test_the_home_of_a_lab_that_sophon_still_has_is_kept(lab: HubLab, docker: APIClient) -> None:
    lab.start()
    lab.stop()

    lab.remove()

    assert has_volume(docker, lab)


def test_the_home_of_a_lab_in_the_trash_is_removed_when_its_time_has_come(
    lab: HubLab, docker: APIClient
) -> None:
    lab.start()
    lab.stop()
    lab.hub.records.trash_lab(lab.uid)
    assert has_volume(docker, lab)

    lab.remove()

    wait_for(lambda: not has_volume(docker, lab), "the home to be removed")
    assert lab.hub.request("DELETE", lab.path, json={"remove": True}).status_code == 404


def test_the_home_of_a_lab_whose_record_is_gone_is_removed(lab: HubLab, docker: APIClient) -> None:
    neighbour = lab.hub.add_lab("physics", lab.owner.removeprefix("project-"), "second")
    for one in (lab, neighbour):
        one.start()
        one.stop()
    lab.hub.records.purge_lab(lab.uid)

    lab.remove()

    wait_for(lambda: not has_volume(docker, lab), "the home to be removed")
    assert has_volume(docker, neighbour)


def test_a_new_lab_under_an_old_address_gets_a_home_of_its_own(
    lab: HubLab, docker: APIClient
) -> None:
    lab.start()
    write(docker, lab, "/home/jovyan/secret.txt", "old")
    lab.stop()
    lab.hub.records.purge_lab(lab.uid)

    new = lab.hub.add_lab("physics", lab.owner.removeprefix("project-"), lab.name)
    new.start()

    assert new.uid != lab.uid
    assert run_in(new.container, "ls", "-1", "/home/jovyan/") == (0, "")


def test_a_lab_that_hangs_is_killed_in_time(
    make_hub: Callable[..., HubProcess], slug: str, docker: APIClient
) -> None:
    hub = make_hub(SOPHON_STOP_TIMEOUT=7)
    hub.start()
    lab = hub.add_lab("physics", slug, "deaf")
    lab.start()
    lab.stop()
    lab.start()
    assert run_in(lab.container, "pkill", "-STOP", "-f", "jupyterhub-singleuser")[0] == 0

    lab.stop()

    seconds = [float(s) for s in re.findall(r"server took ([0-9.]+) seconds to stop", hub.log())]
    assert seconds[0] < 7 <= seconds[-1] < 15
    assert container_of(docker, lab) is None


def test_the_last_words_of_a_lab_that_died_are_kept(lab: HubLab, docker: APIClient) -> None:
    lab.start()
    docker.kill(lab.container)

    lab.wait_until_stopped()

    wait_for(lambda: container_of(docker, lab) is None, "the container to be removed")
    (log,) = crash_logs(lab)
    assert "exit code 137" in log.splitlines()[0]
    assert "jupyter" in log.lower()
    lab.start()


def test_a_lab_shut_down_from_inside_leaves_no_crash_log(lab: HubLab, docker: APIClient) -> None:
    lab.start()

    answer = requests.post(
        f"{lab.url}/api/shutdown",
        headers={"Authorization": f"token {lab.hub.token}"},
        timeout=PATIENCE,
    )

    assert answer.ok, answer.text
    lab.wait_until_stopped()
    wait_for(lambda: container_of(docker, lab) is None, "the container to be removed")
    assert crash_logs(lab) == []


def test_a_lab_that_dies_while_it_starts_says_so_and_where_to_look(
    make_hub: Callable[..., HubProcess], slug: str, docker: APIClient
) -> None:
    lab = lab_that_runs("echo no way; exit 3", make_hub(), slug)

    answer = lab.request_start()
    wait_for(lambda: crash_logs(lab), "the crash log")
    lab.wait_until_stopped()

    message = "The lab ended while it was starting."
    assert answer.status_code == 500
    assert message in answer.json()["message"]
    assert f"crash-logs/{lab.uid}-" in answer.json()["message"]
    (log,) = crash_logs(lab)
    assert message in log
    assert "no way" in log
    assert container_of(docker, lab) is None
    assert has_volume(docker, lab)


@pytest.fixture
def plain_image(docker: APIClient, slug: str) -> Iterator[str]:
    """The lab's image without the package that runs inside labs, as any other one is."""
    removal = ["sh", "-c", "rm -r /opt/lab/lib/python3*/site-packages/sophon_lab*"]
    source = docker.create_container(LAB_IMAGE, removal, user="0")["Id"]
    docker.start(source)
    assert docker.wait(source)["StatusCode"] == 0
    name = f"sophontest-plain-{slug}"
    docker.commit(source, name, "1", conf={"User": "1000", "Cmd": ["jupyterhub-singleuser"]})
    docker.remove_container(source)
    yield f"{name}:1"
    docker.remove_image(f"{name}:1", force=True)


def test_an_image_without_the_package_of_labs_is_refused_with_a_sentence(
    make_hub: Callable[..., HubProcess], slug: str, docker: APIClient, plain_image: str
) -> None:
    hub = make_hub(SOPHON_IMAGES=json.dumps({"lab": {"image": plain_image}}))
    start_patient(hub)
    lab = hub.add_lab("physics", slug, "plain")

    answer = lab.request_start()

    lab.wait_until_stopped()
    assert answer.status_code == 500
    assert "its image lacks the package sophon-lab" in answer.json()["message"]
    assert container_of(docker, lab) is None
    assert has_volume(docker, lab)


def test_a_lab_that_never_answers_is_given_up_and_says_so(
    make_hub: Callable[..., HubProcess], slug: str, docker: APIClient
) -> None:
    lab = lab_that_runs("sleep 1000", make_hub(SOPHON_START_TIMEOUT=4), slug)

    answer = lab.request_start()

    lab.wait_until_stopped()
    assert answer.status_code == 500
    assert "did not answer within 4 seconds" in answer.json()["message"]
    assert container_of(docker, lab) is None
    assert len(crash_logs(lab)) == 1


def test_a_lab_whose_container_was_removed_can_be_started_again(
    lab: HubLab, docker: APIClient
) -> None:
    lab.start()
    docker.remove_container(lab.container, force=True)

    lab.wait_until_stopped()

    lab.start()


def test_a_lab_restarted_from_outside_is_ended_since_its_guards_are_gone(
    lab: HubLab, docker: APIClient
) -> None:
    lab.start()
    docker.restart(lab.container, timeout=1)

    lab.wait_until_stopped()

    wait_for(lambda: container_of(docker, lab) is None, "the container to be removed")


def test_a_leftover_container_is_no_name_conflict(lab: HubLab, docker: APIClient) -> None:
    leftover = docker.create_container(
        LAB_IMAGE,
        ["sleep", "600"],
        name=lab.container,
        host_config=docker.create_host_config(init=True),
    )["Id"]
    docker.start(leftover)

    lab.start()

    container = container_of(docker, lab)
    assert container is not None
    assert container["Id"] != leftover


def test_labs_survive_a_killed_hub_and_a_restarted_one(
    make_hub: Callable[..., HubProcess], slug: str, docker: APIClient
) -> None:
    hub = make_hub()
    hub.start()
    lab = hub.add_lab("physics", slug, "steady")
    lab.start()
    before = container_of(docker, lab)
    assert before is not None

    for end in (hub.kill, hub.stop):
        end()
        hub.start()
        lab.wait_until_ready()
        after = container_of(docker, lab)
        assert after is not None
        assert after["Id"] == before["Id"]
        assert lab.answers()

    lab.stop()
    assert container_of(docker, lab) is None


def test_a_hub_killed_in_the_middle_of_a_start_leaves_nothing_in_the_way(
    make_hub: Callable[..., HubProcess], slug: str, docker: APIClient
) -> None:
    hub = make_hub()
    hub.start()
    lab = hub.add_lab("physics", slug, "half")
    with ThreadPoolExecutor(1) as threads:
        start = threads.submit(lab.request_start)
        wait_for(lambda: container_of(docker, lab), "the container")
        hub.kill()
        assert isinstance(start.exception(PATIENCE), requests.ConnectionError) or not (
            start.result().ok
        )

    hub.start()
    lab.wait_until_stopped()
    wait_for(lambda: container_of(docker, lab) is None, "the leftover to be removed")
    lab.start()

    assert lab.answers()


def test_a_home_is_the_users_also_when_the_image_gave_it_to_root(
    make_hub: Callable[..., HubProcess], slug: str, docker: APIClient
) -> None:
    hub = make_hub()
    image = f"{hub.namespace}/rooted:latest"
    source = docker.create_container(
        LAB_IMAGE,
        ["sh", "-c", "touch /home/jovyan/skeleton && chown -R 0:0 /home/jovyan"],
        user="0",
    )["Id"]
    docker.start(source)
    assert docker.wait(source)["StatusCode"] == 0
    docker.commit(source, f"{hub.namespace}/rooted", "latest", conf={"User": "1000"})
    docker.remove_container(source)
    try:
        hub.start(SOPHON_IMAGES=f'{{"lab": {{"image": "{image}"}}}}')
        lab = hub.add_lab("physics", slug, "rooted")

        lab.start()

        seen = run_in(lab.container, "stat", "-c", "%u", "/home/jovyan", "skeleton")
        assert seen == (0, "1000\n1000\n")
        lab.stop()
    finally:
        docker.remove_image(image, force=True)


def test_crash_logs_are_for_administrators_only(lab: HubLab, docker: APIClient) -> None:
    lab.start()
    docker.kill(lab.container)
    wait_for(lambda: crash_logs(lab), "the crash log")

    directory = lab.hub.data_dir / "crash-logs"

    assert os.stat(directory).st_mode & 0o077 == 0  # noqa: PTH116
    assert all(path.stat().st_mode & 0o077 == 0 for path in directory.iterdir())
