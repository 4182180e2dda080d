"""What the pictures of a report show, as plain numbers: how many images, what changed when, how the runs went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from statistics import median

from sync.reports.model import KINDS, Report, Row

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
_SILENCE = 3  # times the usual time between two proven runs is a gap, ...
_SHORTEST = 60.0  # ... if it is longer than this, in seconds

PROVEN, WITHHELD, FAILED, OTHER = "proven", "withheld", "failed", "other"


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


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a proven run that was longer than usual."""

    source: str
    begin: datetime
    end: datetime


def span(report: Report) -> Span:
    """The time to show."""
    first = min((_when(run) for run in report.runs), default=report.end)
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
    return sorted([points[0], *last_by_place.values()])


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


def state(run: Row) -> str:
    """How a run went, in one of four words."""
    if run["status"] in ("skipped", "superseded"):
        return OTHER
    if run["effective_at"] is None:
        return FAILED
    return PROVEN if run["proven"] and run["status"] == "done" else WITHHELD


def lanes(report: Report) -> dict[str, list[tuple[datetime, str]]]:
    """By source: when each run took effect or ended, and how it went."""
    ordered = sorted(report.runs, key=lambda run: (run["source"], _when(run)))
    return {
        source: [(_when(run), state(run)) for run in runs]
        for source, runs in groupby(ordered, key=lambda run: str(run["source"]))
    }


def gaps(report: Report) -> list[Gap]:
    """Times without a proven run that were much longer than usual, oldest first; the time up to the end counts."""
    return sorted(_gaps(report), key=lambda gap: (gap.begin, gap.source))


def _gaps(report: Report) -> Iterator[Gap]:
    before = {one.source: one.proven_at for one in report.evidence if one.moment == report.begin}
    for source, runs in lanes(report).items():
        proven = [moment for moment, went in runs if went == PROVEN]
        first = before.get(source)
        moments = [*([first] if first else []), *proven]
        usual = _usual(proven)
        for one, other in pairwise([*moments, report.end]):
            if usual and (other - one).total_seconds() > max(_SHORTEST, _SILENCE * usual):
                yield Gap(source, max(one, report.begin), other)


def _usual(moments: Sequence[datetime]) -> float:
    """The usual time between two of them, in seconds; 0 where that can't be told."""
    steps = [(other - one).total_seconds() for one, other in pairwise(moments)]
    return median(steps) if len(steps) > 1 else 0.0


def _number(moment: datetime, seconds: int) -> int:
    return int((moment - _EPOCH).total_seconds() // seconds)


def _when(run: Row) -> datetime:
    moment: datetime = run["effective_at"] or run["finished_at"]
    return moment
