"""What the pictures of a report show, as plain numbers: how many images there were, and what changed when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync.reports.gaps import when
from sync.reports.model import KINDS, Report

_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)  # a Monday, so that weeks begin on one
_DAY = 86_400
# Widths of the columns of a chart, in seconds, and what they are called.
_WIDTHS = {
    1: "second",
    5: "5 seconds",
    15: "15 seconds",
    60: "minute",
    300: "5 minutes",
    900: "15 minutes",
    3_600: "hour",
    21_600: "6 hours",
    _DAY: "day",
    7 * _DAY: "week",
    28 * _DAY: "4 weeks",
    364 * _DAY: "52 weeks",
}
_COLUMNS = 62  # days of two months
_SHORT = 2 * _DAY  # what is longer is told by days
_POINTS = 400


@dataclass(frozen=True, slots=True)
class Span:
    """The time that the pictures show: that of the report, without what lies before the first run."""

    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it is; never nothing."""
        return max((self.end - self.begin).total_seconds(), 1e-6)

    def place(self, moment: datetime) -> float:
        """Where a moment lies in it, from 0 to 1."""
        return min(1.0, max(0.0, (moment - self.begin).total_seconds() / self.seconds))


@dataclass(frozen=True, slots=True)
class Column:
    """What was found in one column's time; it begins at ``begin``."""

    begin: datetime
    counts: Mapping[str, int]


def span(report: Report) -> Span:
    """The time to show."""
    first = min((when(run) for run in report.runs), default=report.end)
    if report.before or first <= report.begin:
        return Span(report.begin, report.end)
    started = min((run["started_at"] for run in report.runs), default=first)
    return Span(max(report.begin, min(first, started)), report.end)


def images(report: Report) -> list[tuple[datetime, int]]:
    """How many images there were, from moment to moment; thinned out where there are very many."""
    shown = span(report)
    count = sum(report.before.values())
    points = [(shown.begin, count)]
    for run in report.runs:
        if run["effective_at"] is not None:
            count += run["created"] + run["restored"] - run["deleted"]
            points.append((run["effective_at"], count))
    points.append((shown.end, sum(report.after.values())))
    last_by_place = {round(shown.place(moment) * _POINTS): (moment, count) for moment, count in points}
    return sorted({points[0], *last_by_place.values()})


def width(report: Report) -> tuple[int, str]:
    """How many seconds a column of changes stands for, and what that is called."""
    seconds = span(report).seconds
    least = _DAY if seconds >= _SHORT else seconds / 30
    fits = [width for width in _WIDTHS if width >= least and seconds / width <= _COLUMNS]
    found = fits[0] if fits else max(_WIDTHS)
    return found, _WIDTHS[found]


def columns(report: Report) -> list[Column]:
    """Changes by kind, column by column, the empty ones as well."""
    shown, (seconds, _name) = span(report), width(report)
    found: dict[int, Counter[str]] = {}
    for change in report.changes:
        found.setdefault(_number(change.at, seconds), Counter())[change.kind] += 1
    return [
        Column(_EPOCH + timedelta(seconds=n * seconds), {kind: found.get(n, Counter())[kind] for kind in KINDS})
        for n in range(_number(shown.begin, seconds), _number(shown.end, seconds) + 1)
    ]


def _number(moment: datetime, seconds: int) -> int:
    return int((moment - _EPOCH).total_seconds() // seconds)
