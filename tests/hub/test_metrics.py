"""Metrics of a running hub, read with the token and role that the guide describes."""

import re
import time
from collections.abc import Iterator

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from running import REPOSITORY, RunningHub

from sophon_hub.metrics.exposition import OF_THE_DATABASE, OF_THE_PORTAL
from tests.waiting import wait_for

pytestmark = pytest.mark.hub

TOKEN = "5" * 64
GUIDE = (REPOSITORY / "docs" / "admins.md").read_text().partition("## Metrics\n")[2]
SECTION = GUIDE.partition("\n## ")[0]


def documented(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)
    return block


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    directory = tmp_path_factory.mktemp("metrics")
    token_file = directory / "prometheus-token"
    token_file.touch(0o600)
    token_file.write_text(f"{TOKEN}\n")
    hub = RunningHub(directory)
    lines = documented("python").replace("/etc/sophon/prometheus-token", str(token_file))
    hub.config_file.write_text(f"{hub.config_file.read_text()}\n{lines}")
    hub.start()
    yield hub
    hub.end()


def scrape(hub: RunningHub, path: str, token: str | None = TOKEN) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(hub.url + path, headers=headers, timeout=30)


def samples(text: str) -> dict[str, float]:
    """Samples without labels."""
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }


def paths() -> list[str]:
    found = re.findall(r"metrics_path: (\S+)", documented("yaml"))
    assert len(found) == 2
    return found


@pytest.mark.parametrize("path", paths())
def test_the_documented_token_reads_the_documented_addresses(hub: RunningHub, path: str) -> None:
    answer = scrape(hub, path)
    assert answer.status_code == 200, answer.text
    assert "process_cpu_seconds_total" in samples(answer.text)
    assert scrape(hub, path, None).status_code in {401, 403}
    assert scrape(hub, path, "6" * 64).status_code in {401, 403}


def test_the_token_is_good_for_nothing_else(hub: RunningHub) -> None:
    for path in ("/services/sophon/api/v1/me", "/hub/api/users", "/hub/api/groups"):
        assert scrape(hub, path).status_code == 403


def test_an_administrator_reads_metrics_in_the_browser(hub: RunningHub) -> None:
    browser = hub.browser()
    browser.sign_in("admin", hub.admin_password())
    browser.page("/services/sophon/login")
    assert "sophon_database_up 1.0" in browser.page("/services/sophon/metrics").text


def test_the_worker_tells_that_it_lives_and_what_it_did(hub: RunningHub) -> None:
    def seen() -> dict[str, float]:
        return samples(scrape(hub, "/services/sophon/metrics").text)

    name = "sophon_worker_last_repair_timestamp_seconds"
    repaired = wait_for(lambda: seen()[name], "the worker to say that it compared everything")
    assert abs(time.time() - repaired) < 600
    last = seen()["sophon_worker_last_seen_timestamp_seconds"]
    wait_for(
        lambda: seen()["sophon_worker_last_seen_timestamp_seconds"] > last, "another sign of life"
    )
    before = seen()["sophon_jobs_done_total"]
    browser = hub.browser()
    browser.sign_in("admin", hub.admin_password())
    made = browser.submit("/services/sophon/groups/new", name="Optics", visibility="public")
    assert made.status_code in {302, 303}, made.text
    wait_for(lambda: seen()["sophon_jobs_done_total"] > before, "a job to be counted")
    wait_for(lambda: seen()["sophon_jobs"] == 0, "no job to be left")


def test_every_metric_in_the_guide_exists() -> None:
    known = {one.name for one in (*OF_THE_PORTAL, *OF_THE_DATABASE)}
    used = set(re.findall(r"sophon_[a-z_]+", SECTION))
    assert used
    assert used <= known
