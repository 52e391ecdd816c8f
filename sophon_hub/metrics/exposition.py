"""The metrics by name, and as the text that Prometheus reads.

docs/reference/metrics.md is generated from the definitions here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sophon_hub import __version__
from sophon_hub.metrics.snapshot import Snapshot

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# else each counter and histogram comes with a second series that says when it was made
disable_created_metrics()  # type: ignore[no-untyped-call]

Samples = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Definition:
    """One metric: name as Prometheus shows it, type, what it counts, its labels."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


REQUESTS = Definition(
    "sophon_http_requests_total",
    "counter",
    "Requests that the portal has answered, by name of the route, never by path.",
    ("route", "method", "status"),
)
DURATIONS = Definition(
    "sophon_http_request_duration_seconds",
    "histogram",
    "Time until the portal had answered. Streams of events are counted, but not timed.",
    ("route", "method"),
)
VISITS = Definition(
    "sophon_temporary_visits_total",
    "counter",
    "Visitors who asked for a temporary lab; ``ready`` tells whether one waited for them.",
    ("ready",),
)
OF_THE_PORTAL = (
    REQUESTS,
    DURATIONS,
    VISITS,
    Definition("sophon_info", "gauge", "Always 1; the label tells the version.", ("version",)),
    Definition(
        "sophon_database_up", "gauge", "1 when the database answers. At 0 all below are missing."
    ),
)
OF_THE_DATABASE = (
    Definition("sophon_people", "gauge", "People whom the hub knows."),
    Definition(
        "sophon_research_groups", "gauge", "Research groups, without the trash.", ("visibility",)
    ),
    Definition("sophon_projects", "gauge", "Projects, without the trash.", ("visibility",)),
    Definition(
        "sophon_labs", "gauge", "Labs; of those in the trash only what still runs.", ("state",)
    ),
    Definition("sophon_temporary_labs", "gauge", "Temporary labs for visitors.", ("state",)),
    Definition(
        "sophon_temporary_visitors_waiting", "gauge", "Visitors in the queue for a temporary lab."
    ),
    Definition("sophon_jobs", "gauge", "Jobs that wait for the worker or are under way."),
    Definition("sophon_jobs_failing", "gauge", "Jobs that failed and are going to be tried again."),
    Definition(
        "sophon_oldest_job_age_seconds",
        "gauge",
        "Age of the oldest job that is not done; 0 for none.",
    ),
    Definition("sophon_jobs_done_total", "counter", "Jobs that the worker has done."),
    Definition("sophon_jobs_failed_total", "counter", "Attempts at jobs that did not work."),
    Definition(
        "sophon_worker_last_seen_timestamp_seconds",
        "gauge",
        "When the worker last said that it lives, every 5 seconds; 0 for never.",
    ),
    Definition(
        "sophon_worker_last_repair_timestamp_seconds",
        "gauge",
        "When the worker last compared everything with the Hub; 0 for never.",
    ),
    Definition(
        "sophon_disk_free_bytes",
        "gauge",
        "Room on the disk of the homes when the worker last looked; missing before it has.",
    ),
)


class Metrics:
    """What one process has counted so far; in the portal, one for all requests."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._requests = Counter(
            REQUESTS.name, REQUESTS.help, REQUESTS.labels, registry=self._registry
        )
        self._durations = Histogram(
            DURATIONS.name,
            DURATIONS.help,
            DURATIONS.labels,
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._visits = Counter(VISITS.name, VISITS.help, VISITS.labels, registry=self._registry)
        for ready in ("yes", "no"):  # zero is a number, too
            self._visits.labels(ready)

    def observe(self, route: str, method: str, status: int, seconds: float | None) -> None:
        """Count an answered request; ``seconds`` None for one that is not timed."""
        self._requests.labels(route, method, str(status)).inc()
        if seconds is not None:
            self._durations.labels(route, method).observe(seconds)

    def observe_visit(self, *, ready: bool) -> None:
        """Count a visitor who asked for a temporary lab."""
        self._visits.labels("yes" if ready else "no").inc()

    def render(self, snapshot: Snapshot | None) -> bytes:
        """Everything as text; ``snapshot`` None when the database does not answer."""
        return generate_latest(_Both(self._registry, snapshot))


class _Both(Collector):
    """What this process has counted, and what the database knows at this moment."""

    def __init__(self, registry: CollectorRegistry, snapshot: Snapshot | None) -> None:
        self._registry = registry
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()
        samples = _samples(self._snapshot)
        for definition in (*OF_THE_PORTAL, *OF_THE_DATABASE):
            if definition.name in samples:
                yield _family(definition, samples[definition.name])


def _family(definition: Definition, samples: Samples) -> Metric:
    kind = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
    family = kind(definition.name, definition.help, labels=definition.labels)
    for labels, value in samples.items():
        family.add_metric(labels, value)
    return family


def _samples(snapshot: Snapshot | None) -> dict[str, Samples]:
    always: dict[str, Samples] = {
        "sophon_info": {(__version__,): 1},
        "sophon_database_up": {(): float(snapshot is not None)},
    }
    if snapshot is None:
        return always
    return always | {
        "sophon_people": {(): snapshot.people},
        "sophon_research_groups": _labelled(snapshot.groups),
        "sophon_projects": _labelled(snapshot.projects),
        "sophon_labs": _labelled(snapshot.labs),
        "sophon_temporary_labs": _labelled(snapshot.temporary_labs),
        "sophon_temporary_visitors_waiting": {(): snapshot.visitors_waiting},
        "sophon_jobs": {(): snapshot.jobs},
        "sophon_jobs_failing": {(): snapshot.failing_jobs},
        "sophon_oldest_job_age_seconds": {(): snapshot.oldest_job_seconds},
        "sophon_jobs_done_total": {(): snapshot.jobs_done},
        "sophon_jobs_failed_total": {(): snapshot.jobs_failed},
        "sophon_worker_last_seen_timestamp_seconds": {(): snapshot.worker_seen},
        "sophon_worker_last_repair_timestamp_seconds": {(): snapshot.worker_repaired},
        **(
            {}
            if snapshot.free_bytes is None
            else {"sophon_disk_free_bytes": {(): snapshot.free_bytes}}
        ),
    }


def _labelled(counts: Mapping[str, float]) -> Samples:
    return {(label,): count for label, count in counts.items()}
