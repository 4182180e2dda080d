"""The metrics and their names, in the format of Prometheus. Those from the database survive a restart.

docs/operating.md explains each; the alert rules in deploy/prometheus use them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from sync import __version__
from sync.domain.metrics import CHANGES, ProcessMetrics, SourceMetrics
from sync.domain.status import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ENDED = tuple(status.value for status in Status if status.value not in ("running", "skipped"))
_GAUGES: tuple[tuple[str, str, Callable[[SourceMetrics], float | None]], ...] = (
    ("last_proven_run_timestamp_seconds", "When the list was last proven complete", lambda one: _unix(one.proven_at)),
    ("last_run_timestamp_seconds", "When the last run ended", lambda one: _unix(one.ended_at)),
    ("last_run_in_future_seconds", "0, unless the clock was set back since the last run", lambda one: one.in_future),
    ("failed_runs_in_a_row", "Failed runs since the last that took effect", lambda one: one.failed),
    ("images_live", "Images that exist", lambda one: one.live),
    ("deletions_held", "Deletions that wait for approval", lambda one: one.held),
    ("images_quarantined", "Records that are not images", lambda one: one.quarantined),
)
_COUNTERS = (
    ("requests", "Requests to the cloud", "requests", 1.0),
    ("retries", "Requests that were repeated", "retries", 1.0),
    ("throttled_seconds", "Time that the cloud made runs wait", "throttled_ms", 1000.0),
)


class MetricsCollector(Collector):
    """The metrics at one moment.

    Args:
        source_metrics: the metrics of the sources, from the database.
        process_metrics: those that only this process knows.
        up: whether the database answered just now.
    """

    def __init__(self, source_metrics: Iterable[SourceMetrics], process_metrics: ProcessMetrics, *, up: bool) -> None:
        self._source_metrics = [one for one in source_metrics if process_metrics.own(one.source)]
        self._process_metrics, self._up = process_metrics, up

    @property
    def complete(self) -> bool:
        """Whether the database answered."""
        return self._up

    def text(self) -> bytes:
        """The metrics as text, as they are scraped."""
        return generate_latest(self.registry())

    def registry(self) -> CollectorRegistry:
        """The metrics in a registry, as they are pushed."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return registry

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with the values of all sources."""
        source_metrics = self._source_metrics
        for name, meaning, number in _GAUGES:
            yield _metric(Gauge, name, meaning, "source", (((one.source,), number(one)) for one in source_metrics))
        states = (((one.source, status), one.status == status) for one in source_metrics for status in _ENDED)
        yield _metric(Gauge, "last_run_status", "1: how the last run ended", "source status", states)
        missing = (
            ((one.source, state), count) for one in source_metrics for state, count in sorted(one.missing.items())
        )
        meaning = "Live images that the last proven list lacked, by why they are not deleted"
        yield _metric(Gauge, "images_missing", meaning, "source state", missing)
        runs = (((one.source, status), count) for one in source_metrics for status, count in sorted(one.runs.items()))
        yield _metric(Counter, "runs", "Runs that ended", "source status", runs)
        changes = (((one.source, kind), one.sums.get(kind, 0)) for one in source_metrics for kind in CHANGES)
        yield _metric(Counter, "changes", "Changes written", "source kind", changes)
        for name, meaning, key, unit in _COUNTERS:
            sums = (((one.source,), one.sums.get(key, 0) / unit) for one in source_metrics)
            yield _metric(Counter, name, meaning, "source", sums)
        yield from self._of_the_process()

    def _of_the_process(self) -> Iterator[Metric]:
        known = self._process_metrics
        phases = (
            ((source, phase), seconds)
            for source, times in sorted(known.phases.items())
            if known.own(source)
            for phase, seconds in times.items()
        )
        meaning = "How long each phase of the last run took"
        yield _metric(Gauge, "run_duration_seconds", meaning, "source phase", phases)
        for name, meaning, values in (
            ("token_expiry_timestamp_seconds", "When the token of the cloud expires", known.token_expiry),
            ("schedule_interval_seconds", "Usual time between two runs", known.intervals),
        ):
            own = (((source,), value) for source, value in sorted(values.items()) if known.own(source))
            yield _metric(Gauge, name, meaning, "source", own)
        yield _metric(Gauge, "database_up", "Whether the database answered", "", [((), self._up)])
        yield _metric(Gauge, "build_info", "The version of the program", "version", [((__version__,), 1)])


def _metric(
    kind: type[Gauge | Counter],
    name: str,
    meaning: str,
    labels: str,
    values: Iterable[tuple[Sequence[str], float | None]],
) -> Metric:
    """A metric with a value for each tuple of labels; None is no value."""
    metric = kind(f"image_sync_{name}", meaning, labels=labels.split())
    for label_values, value in values:
        if value is not None:
            metric.add_metric(label_values, value)
    return metric


def _unix(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
