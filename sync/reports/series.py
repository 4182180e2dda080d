"""The numbers in the pictures of a report: how many images there were, and how many changed when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync.domain.metrics import CAME, CHANGES, WENT
from sync.reports.gaps import when
from sync.reports.model import Report

_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)  # a Monday, so that columns of a week begin on Mondays
_DAY = 86_400
# Widths of the columns of a chart, in seconds, and their names.
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
_COLUMNS = 62  # at most: the days of two months
_SHORT = 2 * _DAY  # a longer time has columns of a day or more
_POINTS = 400  # of a curve, at most


@dataclass(frozen=True, slots=True)
class Span:
    """The time that the pictures show: that of the report, but not before the first run.

    Attributes:
        begin: its first moment.
        end: its last moment.
    """

    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Its length; never 0."""
        return max((self.end - self.begin).total_seconds(), 1e-6)

    def place(self, moment: datetime) -> float:
        """The position of a moment in it, from 0 to 1."""
        return min(1.0, max(0.0, (moment - self.begin).total_seconds() / self.seconds))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a chart.

    Attributes:
        begin: when its time begins.
        counts: number of changes found in that time, by kind.
    """

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
    """The number of images from each moment at which it changed; of very many points, only some are kept."""
    shown = span(report)
    count = sum(report.before.values())
    points = [(shown.begin, count)]
    for run in report.runs:
        if run["effective_at"] is not None:
            count += sum(run[kind] for kind in CAME) - sum(run[kind] for kind in WENT)
            points.append((run["effective_at"], count))
    points.append((shown.end, sum(report.after.values())))
    last_at = {round(shown.place(moment) * _POINTS): (moment, count) for moment, count in points}
    return sorted({points[0], *last_at.values()})


def width(report: Report) -> tuple[int, str]:
    """The width of a column of changes, in seconds and by its name."""
    seconds = span(report).seconds
    least = _DAY if seconds >= _SHORT else seconds / 30
    fits = (width for width in _WIDTHS if width >= least and seconds / width <= _COLUMNS)
    fit = next(fits, max(_WIDTHS))
    return fit, _WIDTHS[fit]


def columns(report: Report) -> list[Column]:
    """The columns of changes, empty ones included."""
    shown, (seconds, _name) = span(report), width(report)
    counter = Counter((_number(change.at, seconds), change.kind) for change in report.changes)
    return [
        Column(_EPOCH + timedelta(seconds=n * seconds), {kind: counter[n, kind] for kind in CHANGES})
        for n in range(_number(shown.begin, seconds), _number(shown.end, seconds) + 1)
    ]


def _number(moment: datetime, seconds: int) -> int:
    return int((moment - _EPOCH).total_seconds() // seconds)
