"""Ranges of an ordered line, joined wherever they touch or overlap."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Generic, TypeVar

P = TypeVar("P", int, str)


class Ranges(Generic[P]):
    """The places in the ranges that were added; a range holds its start, but not its end."""

    def __init__(self) -> None:
        self._starts: list[P] = []  # ranges neither overlap nor touch
        self._ends: list[P] = []

    def add(self, start: P, end: P) -> None:
        """Add the places from a start up to an end; none if the end does not lie behind the start."""
        if start >= end:
            return
        low, high = bisect_left(self._ends, start), bisect_right(self._starts, end)  # ranges that it touches
        if low < high:
            start, end = min(start, self._starts[low]), max(end, self._ends[high - 1])
        self._starts[low:high], self._ends[low:high] = [start], [end]

    def gaps(self, start: P, end: P) -> list[tuple[P, P]]:
        """Return the ranges between that are missing, in order, on a line from ``start`` to ``end``."""
        starts, ends = [start], self._starts.copy()
        starts.extend(self._ends)
        ends.append(end)
        gaps: list[tuple[P, P]] = list(zip(starts, ends, strict=True))
        return [(first, last) for first, last in gaps if first < last]

    def hold(self, start: P, end: P) -> bool:
        """Whether every place from a start up to an end is in the ranges."""
        n = bisect_right(self._starts, start) - 1
        return n >= 0 and self._ends[n] >= end
