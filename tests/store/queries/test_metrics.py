"""Consecutive failed runs as metrics and notices count them: every run that ended without taking effect is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import effects
import pytest
from cloud_tools import Inventory
from fault_rules import FaultySimulator
from servers import Server

from sync.domain.notices import RunFacts
from sync.errors import ForbiddenError
from sync.settings.model import NOTICES
from sync.simulator import Simulator, World
from sync.store.connection import Target, connect
from sync.store.queries.metrics import MetricsQuery
from sync.store.queries.notices import facts_of

FAILED = ["failed", "interrupted", "abandoned"]
OTHERS = ["superseded", "skipped"]
STAND_IN = """
INSERT INTO inventory.runs (source, status, reason, error, trigger, deadline_at, epoch, version, host, started_at,
                            finished_at)
VALUES (%(source)s, %(status)s, 'stand-in', CASE WHEN %(status)s <> 'abandoned' THEN 'StoreError' END, 'test', now(), 1,
        '0', 'h', clock_timestamp() - %(ago)s::interval, clock_timestamp() - %(ago)s::interval)
"""


class Streak:
    """An inventory of a small cloud, with stand-in records of runs that ended in any status."""

    def __init__(self, target: Target, cloud: Simulator) -> None:
        self.target, self._cloud = target, cloud
        self.inventory = Inventory(target, cloud)
        self.watch = MetricsQuery(target)
        self.inventory.run()

    def record(self, statuses: Sequence[str], ago: str = "0 s") -> None:
        """Record runs that ended with these statuses, one after the other."""
        with connect(self.target) as connection:
            for status in statuses:
                named = {"source": self.inventory.source.name, "status": status, "ago": ago}
                connection.execute(STAND_IN, named)

    def fail(self) -> None:
        """Run a sync that fails."""
        self._cloud.faults.add(effects.status(403), times=None)
        self.inventory.fails(ForbiddenError)
        self._cloud.faults.clear()

    @property
    def metric(self) -> int:
        """The number of failed runs in the metrics."""
        (metrics,) = self.watch.source_metrics()
        return metrics.failed

    @property
    def facts(self) -> RunFacts:
        """The facts that notices have about the last run."""
        facts = facts_of(self.target, self.inventory.last_run()["run"], NOTICES)
        assert facts is not None
        return facts


@pytest.fixture
def streak(server: Server) -> Iterator[Streak]:
    """One successful run and no failed one yet."""
    with FaultySimulator(World(seed=3, size=5)) as cloud:
        yield Streak(Target(server.migrated()), cloud)


@pytest.mark.parametrize("status", FAILED)
def test_metrics_count_every_run_without_effect(streak: Streak, status: str) -> None:
    """Failed, interrupted and abandoned runs all count; the next successful run ends the count."""
    streak.record([status] * 2)
    before = streak.metric
    streak.fail()
    between = streak.metric
    streak.inventory.run()

    assert (before, between, streak.metric) == (2, 3, 0)


@pytest.mark.parametrize("status", FAILED)
def test_notices_count_every_run_without_effect(streak: Streak, status: str) -> None:
    """The next run knows how many failed before it, whether it fails too or succeeds."""
    streak.record([status] * 2)
    streak.fail()
    failing = streak.facts
    streak.record([status])
    streak.inventory.run()
    ending = streak.facts
    streak.inventory.run()

    assert (failing.failed, ending.failed, streak.facts.failed) == (3, 4, 0)


def test_only_failed_runs_count_as_notified(streak: Streak) -> None:
    """Killed and stopped runs count as failures, but only a run that failed by itself can have sent a notice."""
    streak.record(["failed", "abandoned", "interrupted"])
    streak.fail()

    assert (streak.facts.failed, streak.facts.failed_notified) == (4, 1)


@pytest.mark.parametrize("status", OTHERS)
def test_superseded_and_skipped_runs_are_no_failures(streak: Streak, status: str) -> None:
    """A superseded or skipped run neither counts as failed nor ends the count."""
    streak.record(["abandoned", status, "abandoned"])
    before = streak.metric
    streak.fail()

    assert (before, streak.metric, streak.facts.failed) == (2, 3, 3)


def test_the_daily_summary_counts_every_run_without_effect(streak: Streak) -> None:
    """Failed, interrupted and abandoned runs all count as failed in the summary of a day."""
    streak.record([*FAILED, *OTHERS], ago="24 h")
    streak.fail()
    day = streak.facts.day

    assert day is not None
    assert (day["runs"], day["failed"]) == (0, 3)
