"""How regularly a source was looked at: how each run went, and where a proven one was missing for too long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from statistics import median
from typing import Any

Row = Mapping[Any, Any]
PROVEN, WITHHELD, FAILED, OTHER = "proven", "withheld", "failed", "other"
_SILENCE = 3  # times the usual time between two proven runs is a gap, ...
_SHORTEST = 60.0  # ... if it is longer than this, in seconds


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a proven run that was longer than usual."""

    source: str
    begin: datetime
    end: datetime


def when(run: Row) -> datetime:
    """When a run took effect, or ended without."""
    moment: datetime = run["effective_at"] or run["finished_at"]
    return moment


def state(run: Row) -> str:
    """How a run went, in one of four words."""
    if run["status"] in ("skipped", "superseded"):
        return OTHER
    if run["effective_at"] is None:
        return FAILED
    return PROVEN if run["proven"] and run["status"] == "done" else WITHHELD


def lanes(runs: Sequence[Row]) -> dict[str, list[tuple[datetime, str]]]:
    """By source: when each run took effect or ended, and how it went."""
    ordered = sorted(runs, key=lambda run: (run["source"], when(run)))
    return {
        source: [(when(run), state(run)) for run in group]
        for source, group in groupby(ordered, key=lambda run: str(run["source"]))
    }


def gaps(runs: Sequence[Row], begin: datetime, end: datetime, proven_before: Mapping[str, datetime]) -> list[Gap]:
    """Times without a proven run that were much longer than usual, oldest first; the time up to the end counts.

    Args:
        runs: of that time.
        begin: of the time that is looked at.
        end: of it.
        proven_before: by source, when the last proven run before it took effect.
    """
    found = [
        Gap(source, max(one, begin), other)
        for source, proven in proven_of(runs).items()
        for one, other in _silences(proven, end, proven_before.get(source))
    ]
    return sorted(found, key=lambda gap: (gap.begin, gap.source))


def proven_of(runs: Sequence[Row]) -> dict[str, list[datetime]]:
    """By source: when its proven runs took effect; one that held deletions back looked at the cloud all the same."""
    ordered = sorted(runs, key=lambda run: (run["source"], when(run)))
    return {
        source: [when(run) for run in group if run["proven"] and run["effective_at"] is not None]
        for source, group in groupby(ordered, key=lambda run: str(run["source"]))
    }


def _silences(proven: Sequence[datetime], end: datetime, first: datetime | None) -> Iterator[tuple[datetime, datetime]]:
    moments = [*([first] if first else []), *proven]
    steps = [(other - one).total_seconds() for one, other in pairwise(moments)]
    if len(steps) > 1:  # else no one can tell what is usual
        longest = max(_SHORTEST, _SILENCE * median(steps))
        for one, other in pairwise([*moments, end]):
            if (other - one).total_seconds() > longest:
                yield one, other
