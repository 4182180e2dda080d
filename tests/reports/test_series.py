"""The numbers behind the charts: sums, column widths and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.reports import series
from sync.reports.charts import nice
from sync.reports.gaps import gaps, state
from sync.reports.model import Change, Evidence, Report

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def run(number: int, at: datetime, **facts: Any) -> dict[str, Any]:
    """A proven run without changes, except for the given facts."""
    defaults = {"run": number, "source": "one", "status": "done", "proven": True, "started_at": at, "finished_at": at}
    counts = dict.fromkeys(("created", "updated", "restored", "deleted", "invisible", "held", "quarantined"), 0)
    return {**defaults, "effective_at": at, "reason": "", "proof": "", **counts, **facts}


def report(runs: Sequence[dict[str, Any]], hours: float, changes: Sequence[Change] = (), before: int = 10) -> Report:
    """A report on a number of hours."""
    end = BEGIN + hours * HOUR
    delta = sum(row["created"] - row["deleted"] - row["invisible"] for row in runs if row["effective_at"])
    counts = {"one": before} if before else {}
    evidence = [
        Evidence("one", moment, 1, BEGIN - HOUR, pruned=False, failed=0, last_run=1, digest=None)
        for moment in (BEGIN, end)
    ]
    return Report(BEGIN, end, None, counts, {"one": before + delta}, {}, changes, runs, [], [], evidence)


def hourly(hours: Sequence[float], **facts: Any) -> list[dict[str, Any]]:
    """One run at each of these hours."""
    return [run(n, BEGIN + hour * HOUR, **facts) for n, hour in enumerate(hours, 1)]


def test_a_gap_is_what_took_longer_than_usual() -> None:
    """A gap is more than three times the usual time between, before or after proven runs, not every delay."""
    regular = report(hourly([1, 2, 3.5, 4.5]), 5)
    early, late, between = (
        report(hourly([5, 6, 7, 8]), 8.5),
        report(hourly([1, 2, 3]), 9),
        report(hourly([1, 2, 3, 9, 10]), 10.5),
    )

    assert regular.gaps == []
    assert [(gap.begin, gap.end) for gap in early.gaps] == [(BEGIN, BEGIN + 5 * HOUR)]
    assert [(gap.begin, gap.end) for gap in late.gaps] == [(BEGIN + 3 * HOUR, BEGIN + 9 * HOUR)]
    assert [(gap.begin, gap.end) for gap in between.gaps] == [(BEGIN + 3 * HOUR, BEGIN + 9 * HOUR)]
    assert any("gap without a proven run" in sentence for sentence in between.verdict())


def test_runs_that_prove_nothing_fill_no_gap() -> None:
    """Failed and unproven runs do not end a gap."""
    runs = [*hourly([1, 2, 3, 9]), run(9, BEGIN + 6 * HOUR, status="failed", effective_at=None)]
    runs.append(run(10, BEGIN + 7 * HOUR, status="withheld", proven=False))

    assert len(gaps(runs, BEGIN, BEGIN + 9.5 * HOUR, {})) == 1


def test_two_runs_show_no_usual_interval() -> None:
    """Two runs have only one interval, which shows nothing unusual."""
    assert gaps(hourly([1, 20]), BEGIN, BEGIN + 100 * HOUR, {}) == []


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({}, "proven"),
        ({"status": "withheld"}, "withheld"),
        ({"proven": False}, "withheld"),
        ({"status": "failed", "effective_at": None}, "failed"),
        ({"status": "abandoned", "effective_at": None}, "failed"),
        ({"status": "skipped", "effective_at": None}, "other"),
        ({"status": "superseded", "effective_at": None}, "other"),
    ],
)
def test_states_of_runs(facts: dict[str, Any], shown: str) -> None:
    """A run is shown as proven, withheld, failed or other."""
    assert state(run(1, BEGIN, **facts)) == shown


@given(st.floats(min_value=0, max_value=24 * 400))
def test_columns_are_few_and_cover_the_time(hours: float) -> None:
    """There are at most 64 columns, none shorter than a day from two days on, and each change is in one of them."""
    moments = [BEGIN + hours * HOUR * part / 7 for part in range(1, 8)]
    changes = [Change("one", str(n), None, "created", at, None, 1, ()) for n, at in enumerate(moments)]
    long_report = report([], hours, changes)
    seconds, _name = series.width(long_report)

    columns = series.columns(long_report)

    assert len(columns) <= 64
    assert sum(column.counts["created"] for column in columns) == 7
    assert columns[0].begin <= BEGIN < columns[0].begin + timedelta(seconds=seconds)
    assert seconds >= 86_400 or hours < 48


def test_images_follow_the_runs() -> None:
    """The line of images follows the changes of each run, and ends at the last number even when thinned."""
    few = report(hourly([1], created=3) + hourly([2], deleted=1), 5)
    many = report([run(n, BEGIN + n * HOUR / 100, created=1) for n in range(1, 5_000)], 50)

    assert [count for _at, count in series.images(few)] == [10, 13, 12, 12]
    assert len(series.images(many)) < 500
    assert series.images(many)[-1][1] == 10 + 4_999


def test_the_time_before_the_first_run_is_not_drawn() -> None:
    """The charts of a report begin with the first run."""
    late_report = report(hourly([90], created=1), 100, before=0)

    assert series.span(late_report).begin == BEGIN + 90 * HOUR


@given(st.integers(min_value=0, max_value=10**12))
def test_scales_are_easy_to_read(maximum: int) -> None:
    """The top of a scale is at least the maximum, at most twice that, and divisible by 4."""
    top = nice(maximum)

    assert max(maximum, 4) <= top <= max(2 * maximum, 4)
    assert top % 4 == 0
