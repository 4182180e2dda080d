"""How regularly a source was synced: how each run went, and the gaps without a proven run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from statistics import median
from typing import Any

Row = Mapping[Any, Any]
PROVEN, WITHHELD, FAILED, OTHER = "proven", "withheld", "failed", "other"
_SILENCE = 3  # a gap is longer than this many times the usual time between two proven runs, ...
_SHORTEST = 60.0  # ... and than this many seconds


@dataclass(frozen=True, slots=True)
class Gap:
    """A longer time than usual without a proven run.

    Attributes:
        source: name of the source.
        begin: when the last proven run before it took effect, or the begin of the report if that is later.
        end: when the next proven run took effect, or the end of the report.
    """

    source: str
    begin: datetime
    end: datetime


def when(run: Row) -> datetime:
    """When a run took effect; when it ended, if it did not."""
    moment: datetime = run["effective_at"] or run["finished_at"]
    return moment


def state(run: Row) -> str:
    """How a run went, in one of four words."""
    if run["status"] in ("skipped", "superseded"):
        return OTHER
    if run["effective_at"] is None:
        return FAILED
    return PROVEN if run["proven"] and run["status"] == "done" else WITHHELD


def by_source(runs: Sequence[Row]) -> dict[str, list[Row]]:
    """Runs by source, in the order of time."""
    ordered = sorted(runs, key=lambda run: (run["source"], when(run)))
    return {source: list(group) for source, group in groupby(ordered, key=lambda run: str(run["source"]))}


def proven_of(runs: Sequence[Row]) -> dict[str, list[datetime]]:
    """When proven runs took effect, by source; a run counts even if its deletions were held."""
    return {
        source: [when(run) for run in group if run["proven"] and run["effective_at"] is not None]
        for source, group in by_source(runs).items()
    }


def gaps(runs: Sequence[Row], begin: datetime, end: datetime, proven_before: Mapping[str, datetime]) -> list[Gap]:
    """Times without a proven run that were much longer than usual, oldest first; the time up to the end counts.

    Args:
        runs: the runs of the report.
        begin: begin of the report.
        end: end of the report.
        proven_before: by source, when the last proven run before the report took effect.
    """
    every = [
        Gap(source, max(left, begin), right)
        for source, proven in proven_of(runs).items()
        for left, right in _silences(proven, end, proven_before.get(source))
    ]
    return sorted(every, key=lambda gap: (gap.begin, gap.source))


def _silences(proven: Sequence[datetime], end: datetime, first: datetime | None) -> Iterator[tuple[datetime, datetime]]:
    moments = [*([first] if first else []), *proven]
    steps = [(right - left).total_seconds() for left, right in pairwise(moments)]
    if len(steps) > 1:  # a single step does not show what is usual
        longest = max(_SHORTEST, _SILENCE * median(steps))
        for left, right in pairwise([*moments, end]):
            if (right - left).total_seconds() > longest:
                yield left, right
