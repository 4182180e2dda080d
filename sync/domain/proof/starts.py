"""Ids at which chains of pages begin, so that a list by marker is read at several places at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import pairwise

from sync.domain.proof.id_cover import IdGap


class Starts:
    """Ids known from an earlier run, each of which may be requested once.

    Args:
        ids: best at equal steps through the list.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids = sorted(set(ids))

    def remove(self, marker: str | None) -> None:
        """Remove an id that is requested."""
        if marker in self._ids:
            self._ids.remove(marker)

    def next(self, gaps: Iterable[IdGap], in_flight: Iterable[str]) -> str | None:
        """The id in the middle of the longest stretch that is neither covered nor being read, or None.

        Args:
            gaps: what is not covered.
            in_flight: the markers that are requested, in order; each begins to be covered soon.
        """
        stretches = [stretch for gap in gaps for stretch in self._stretches(gap, in_flight)]
        longest = max(stretches, key=len, default=[])
        return longest[len(longest) // 2] if longest else None

    def _stretches(self, gap: IdGap, in_flight: Iterable[str]) -> list[list[str]]:
        inside = self._ids[bisect_left(self._ids, gap.start) : bisect_left(self._ids, gap.end)]
        edges = [0, *(bisect_right(inside, marker) for marker in in_flight), len(inside)]
        return [inside[low:high] for low, high in pairwise(edges)]
