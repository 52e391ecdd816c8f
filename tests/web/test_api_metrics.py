"""Metrics of the portal: who may read them, and what they say."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sophon_hub.clock import utcnow
from sophon_hub.metrics import heartbeat
from sophon_hub.metrics.exposition import OF_THE_DATABASE, OF_THE_PORTAL
from tests.web.conftest import Answer, Client, Site
from tests.web.stub_hub import SERVICE_SCOPE

ADDRESSES = ("metrics", "api/v1/metrics")
each_address = pytest.mark.parametrize("address", ADDRESSES)

Labels = frozenset[tuple[str, str]]


def read(answer: Answer) -> dict[tuple[str, Labels], float]:
    """Every sample; fails on what Prometheus could not read."""
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def sample(samples: dict[tuple[str, Labels], float], name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def scraper(site: Site, *scopes: str) -> Client:
    """A service of the Hub with these scopes."""
    token = site.hub.token("prometheus", kind="service", scopes=list(scopes))
    return site.bearing(token)


@each_address
async def test_a_service_with_the_scope_and_administrators_read_metrics(
    busy_site: Site, address: str
):
    allowed = [
        scraper(busy_site, "read:metrics", SERVICE_SCOPE),
        busy_site.client("root"),
        busy_site.browser("root"),
        busy_site.bearing(busy_site.hub.token("ada", scopes=["read:metrics", SERVICE_SCOPE])),
    ]
    for client in allowed:
        samples = read(await client.get(address))
        assert sample(samples, "sophon_labs", state="stopped") == 3


@each_address
async def test_nobody_else_reads_metrics(busy_site: Site, address: str):
    assert (await busy_site.client().get(address)).status == 401
    for client in (
        scraper(busy_site, SERVICE_SCOPE),
        scraper(busy_site, "read:metrics"),
        busy_site.client("ada"),
        busy_site.browser("ada"),
        busy_site.bearing(busy_site.hub.token("project-x", scopes=["read:metrics", SERVICE_SCOPE])),
    ):
        answer = await client.get(address)
        assert answer.status == 403
        assert "sophon_" not in answer.text


async def test_a_service_reads_metrics_and_nothing_else(busy_site: Site):
    client = scraper(busy_site, "read:metrics", SERVICE_SCOPE)
    assert (await client.get("metrics")).status == 200
    for address in ("api/v1/me", "api/v1/groups", "api/v1/groups/public", ""):
        assert (await client.get(address)).status == 403


async def test_requests_are_counted_by_route_method_and_status_and_never_by_path(busy_site: Site):
    async def now() -> Any:
        return read(await root.get("metrics"))

    root, name = busy_site.client("root"), "sophon_http_requests_total"
    asked = [
        ("GET", "api/v1/groups/public", "api-group", "200"),
        ("GET", "api/v1/groups/secret-name", "api-group", "404"),
        ("GET", "groups/public", "group", "200"),
        ("GET", "nowhere/secret-name", "other", "404"),
        ("GET", "static/secret-name", "static", "404"),
        ("SECRETNAME", "groups", "groups", "405"),
        ("GET", "api/v1/secret-name", "api-unknown", "404"),
    ]
    before = await now()
    for method, path, _, status in asked:
        answer = await root.request(method, path)
        assert str(answer.status) == status, path
    answer = await root.get("metrics")
    after = read(answer)
    for method, _, route, status in asked:
        labels = {
            "route": route,
            "method": method if method == "GET" else "other",
            "status": status,
        }
        count = sample(after, name, **labels)
        assert count == before.get((name, frozenset(labels.items())), 0) + 1, labels
        labels.pop("status")
        assert sample(after, "sophon_http_request_duration_seconds_count", **labels) >= 1
        assert sample(after, "sophon_http_request_duration_seconds_sum", **labels) > 0
    assert "secret" not in answer.text.lower()


async def test_streams_of_events_are_counted_and_not_timed(busy_site: Site):
    root = busy_site.client("root")
    await root.get("api/v1/projects/public-work/labs/bench/progress")
    samples = read(await root.get("metrics"))
    labels = {"route": "api-lab-progress", "method": "GET"}
    assert sample(samples, "sophon_http_requests_total", **labels, status="200") >= 1
    timed = {dict(labels).get("route") for name, labels in samples if "duration" in name}
    assert "api-lab-progress" not in timed


async def test_every_documented_metric_is_there_and_no_other(busy_site: Site):
    with busy_site.rows() as session:
        beat = {"now": utcnow(), "repaired_at": None, "done": 0, "failed": 0}
        heartbeat.beat(session, **beat, free_bytes=7)
    root = busy_site.client("root")
    await root.get("metrics")
    samples = read(await root.get("metrics"))
    endings = ("_bucket", "_count", "_sum")
    found = {name for name, _ in samples if name.startswith("sophon_")}
    documented = {one.name for one in (*OF_THE_PORTAL, *OF_THE_DATABASE)}
    for ending in endings:
        found = {
            name.removesuffix(ending) if name.startswith("sophon_http") else name for name in found
        }
    assert found == documented
    labels = {(name, tuple(sorted(label for label, _ in pairs))) for name, pairs in samples}
    for one in (*OF_THE_PORTAL, *OF_THE_DATABASE):
        name = f"{one.name}_count" if one.kind == "histogram" else one.name
        assert (name, tuple(sorted(one.labels))) in labels
    assert sample(samples, "sophon_database_up") == 1
    assert any(name == "process_resident_memory_bytes" for name, _ in samples)


@pytest.mark.parametrize("one", [*OF_THE_PORTAL, *OF_THE_DATABASE], ids=lambda one: one.name)
def test_names_are_as_prometheus_wants_them(one: Any):
    assert one.name.startswith("sophon_")
    assert one.name.endswith("_total") == (one.kind == "counter")
    assert one.name.endswith("_seconds") or one.kind != "histogram"
    assert one.help.endswith(".")


async def test_a_database_that_is_down_is_a_number_and_no_error(busy_site: Site):
    root = busy_site.client("root")
    with busy_site.without_database():
        samples = read(await root.get("metrics"))
    assert sample(samples, "sophon_database_up") == 0
    names = {name for name, _ in samples}
    assert names.isdisjoint({one.name for one in OF_THE_DATABASE})
    assert "sophon_http_requests_total" in names
    assert sample(read(await root.get("metrics")), "sophon_database_up") == 1
