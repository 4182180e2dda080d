"""Ranges of a line, joined, and what lies between them."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sync.domain.proof.ranges import Ranges

PLACES = st.integers(0, 12)
ADDED = st.lists(st.tuples(PLACES, PLACES), max_size=10)


@given(ADDED)
def test_the_gaps_are_the_places_in_no_range(added: list[tuple[int, int]]) -> None:
    """A place is in a gap exactly if no range that was added has it, and no two gaps touch."""
    ranges: Ranges[int] = Ranges()
    for start, end in added:
        ranges.add(start, end)
    gaps = ranges.gaps(0, 13)

    missing = [place for place in range(13) if not any(start <= place < end for start, end in added)]
    assert [place for start, end in gaps for place in range(start, end)] == missing
    assert all(left[1] < right[0] for left, right in itertools.pairwise(gaps))


@given(ADDED, PLACES, PLACES)
def test_places_are_held_if_each_of_them_is(added: list[tuple[int, int]], start: int, end: int) -> None:
    """Ranges hold a stretch of the line exactly if they hold each place of it."""
    ranges: Ranges[int] = Ranges()
    for first, last in added:
        ranges.add(first, last)

    if start < end:
        each = all(any(first <= place < last for first, last in added) for place in range(start, end))
        assert ranges.hold(start, end) == each
