"""The metrics and their names, in the form of Prometheus. What a database says is the same after a restart.

docs/operating.md explains each; the alert rules in deploy/prometheus use them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sync import __version__
from sync.domain.metrics import CHANGES, ProcessMetrics, SourceMetrics
from sync.domain.status import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ENDED = tuple(status.value for status in Status if status.value not in ("running", "skipped"))
Number = Callable[[SourceMetrics], float | None]


class MetricsCollector(Collector):
    """The metrics of one moment.

    Args:
        figures: what the database says.
        process_metrics: what the process knows.
        up: whether the database could be asked just now.
    """

    def __init__(self, figures: Iterable[SourceMetrics], process_metrics: ProcessMetrics, *, up: bool) -> None:
        self._figures = [one for one in figures if process_metrics.own(one.source)]
        self._process_metrics, self._up = process_metrics, up

    @property
    def complete(self) -> bool:
        """Whether the database had its say."""
        return self._up

    def text(self) -> bytes:
        """All of it, as it is scraped."""
        return generate_latest(self.registry())

    def registry(self) -> CollectorRegistry:
        """For who pushes it."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return registry

    def collect(self) -> Iterator[Metric]:
        """Each metric with the values of all sources."""
        yield from self._gauges()
        yield from self._states()
        yield from self._counters()
        yield from self._of_the_process()

    def _gauges(self) -> Iterator[Metric]:
        told: tuple[tuple[str, str, Number], ...] = (
            (
                "last_proven_run_timestamp_seconds",
                "When the list was last proven complete",
                lambda one: _unix(one.proven_at),
            ),
            ("last_run_timestamp_seconds", "When the last run ended", lambda one: _unix(one.ended_at)),
            ("failed_runs_in_a_row", "Failed runs since the last that took effect", lambda one: one.failed),
            ("images_live", "Images that exist", lambda one: one.live),
            ("deletions_held", "Deletions that wait for a person", lambda one: one.held),
            ("images_quarantined", "Records that are no image", lambda one: one.quarantined),
        )
        for name, meaning, number in told:
            gauge = GaugeMetricFamily(f"image_sync_{name}", meaning, labels=["source"])
            for one in self._figures:
                if (value := number(one)) is not None:
                    gauge.add_metric([one.source], value)
            yield gauge

    def _states(self) -> Iterator[Metric]:
        state = GaugeMetricFamily(
            "image_sync_last_run_status", "1: how the last run ended", labels=["source", "status"]
        )
        missing = GaugeMetricFamily(
            "image_sync_images_missing",
            "Live images that the last proven list lacked, by why they are not deleted",
            labels=["source", "state"],
        )
        runs = CounterMetricFamily("image_sync_runs", "Runs that ended", labels=["source", "status"])
        for one in self._figures:
            for status in _ENDED:
                state.add_metric([one.source, status], one.status == status)
            for name, count in sorted(one.missing.items()):
                missing.add_metric([one.source, name], count)
            for status, count in sorted(one.runs.items()):
                runs.add_metric([one.source, status], count)
        yield state
        yield missing
        yield runs

    def _counters(self) -> Iterator[Metric]:
        changes = CounterMetricFamily("image_sync_changes", "Changes written", labels=["source", "kind"])
        for one in self._figures:
            for kind in CHANGES:
                changes.add_metric([one.source, kind], one.sums.get(kind, 0))
        yield changes
        told = (
            ("requests", "Requests to the cloud", "requests", 1.0),
            ("retries", "Requests that were repeated", "retries", 1.0),
            ("throttled_seconds", "Time that the cloud had runs wait", "throttled_ms", 1000.0),
        )
        for name, meaning, key, unit in told:
            counter = CounterMetricFamily(f"image_sync_{name}", meaning, labels=["source"])
            for one in self._figures:
                counter.add_metric([one.source], one.sums.get(key, 0) / unit)
            yield counter

    def _of_the_process(self) -> Iterator[Metric]:
        took = GaugeMetricFamily(
            "image_sync_run_duration_seconds", "How long each phase of the last run took", labels=["source", "phase"]
        )
        for source, phases in sorted(self._process_metrics.phases.items()):
            for phase, seconds in phases.items() if self._process_metrics.own(source) else ():
                took.add_metric([source, phase], seconds)
        yield took
        told = (
            ("token_expiry_timestamp_seconds", "When the token of the cloud dies", self._process_metrics.token_expiry),
            ("schedule_interval_seconds", "Usual time between two runs", self._process_metrics.intervals),
        )
        for name, meaning, values in told:
            gauge = GaugeMetricFamily(f"image_sync_{name}", meaning, labels=["source"])
            for source, value in sorted(values.items()):
                if not self._process_metrics.own(source):
                    continue
                gauge.add_metric([source], value)
            yield gauge
        yield GaugeMetricFamily("image_sync_database_up", "Whether the database could be asked", value=self._up)
        build = GaugeMetricFamily("image_sync_build_info", "The program", labels=["version"])
        build.add_metric([__version__], 1)
        yield build


def _unix(moment: object) -> float | None:
    stamp = getattr(moment, "timestamp", None)
    return None if stamp is None else float(stamp())
