"""Which keys are covered: intervals joined, and the gaps between them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listing_model import at

from sync.domain.proof.cover import (
    BEGINNING,
    END,
    Cover,
    Gap,
    Interval,
    key,
    moment_of,
    written,
)


def covered(*intervals: tuple[int, int]) -> Cover:
    """The cover of some intervals."""
    cover = Cover()
    for after, before in intervals:
        cover.add(Interval(after, before))
    return cover


@pytest.mark.parametrize(
    ("intervals", "gaps"),
    [
        ([], [(BEGINNING + 1, END - 1)]),
        ([(BEGINNING, END)], []),
        ([(BEGINNING, 5), (4, END)], []),  # the right one begins strictly before the left one ends
        ([(BEGINNING, 5), (5, END)], [(5, 5)]),  # images created at 5 may stand between the two answers
        ([(BEGINNING, 5), (7, END)], [(5, 7)]),
        ([(BEGINNING, 3), (2, 5), (3, 9), (8, END)], []),
        ([(8, END), (3, 9), (2, 5), (BEGINNING, 3)], []),
        ([(BEGINNING, 3), (5, 8), (10, END)], [(3, 5), (8, 10)]),
        ([(BEGINNING, 3), (10, END), (2, 11)], []),
        ([(BEGINNING, END), (4, 5), (5, 5), (9, 2)], []),
        ([(BEGINNING, 5), (5, 6), (4, 5), (5, END)], [(5, 5)]),  # two intervals without a key in them
    ],
)
def test_the_gaps_are_what_no_interval_holds(intervals: list[tuple[int, int]], gaps: list[tuple[int, int]]) -> None:
    """Neighbours cover the keys between them only if they overlap by a key."""
    assert covered(*intervals).gaps() == [Gap(*gap) for gap in gaps]


@given(st.lists(st.tuples(st.integers(-1, 21), st.integers(-1, 21)), max_size=12))
def test_a_cover_is_the_union_of_its_intervals(intervals: list[tuple[int, int]]) -> None:
    """In whatever order intervals come, a key is covered exactly if one of them holds it."""
    gaps = covered(*intervals).gaps()

    for each in range(-1, 22):
        held = any(after < each < before for after, before in intervals)
        assert held != any(gap.first <= each <= gap.last for gap in gaps)
    assert all(left.last + 1 < right.first for left, right in pairwise(gaps))


@pytest.mark.parametrize(
    ("intervals", "start", "reached"),
    [
        ([], 3, False),
        ([(3, END)], 3, False),
        ([(2, END)], 3, True),
        ([(2, 5)], 3, False),
        ([(BEGINNING, 5), (4, END)], 3, True),
        ([(BEGINNING, 5), (5, END)], 3, False),
    ],
)
def test_the_end_is_reached_from_a_key(intervals: list[tuple[int, int]], start: int, reached: bool) -> None:  # noqa: FBT001 - a table
    """The end is reached from a key if it and all later ones are covered."""
    assert covered(*intervals).reaches_end_from(start) == reached


def test_keys_are_whole_seconds() -> None:
    """Fractions are cut off, so a cloud that sorts text, where 29.5Z comes before 29Z, has the same order."""
    early, late = datetime(2024, 1, 1, 0, 0, 29, tzinfo=UTC), datetime(2024, 1, 1, 0, 0, 29, 700_000, tzinfo=UTC)

    assert key(early) == key(late) == key(at(0)) + 29
    assert moment_of(key(late)) == early


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), at(0)])
def test_every_moment_has_a_key_within_the_list(moment: datetime) -> None:
    """No moment's key is outside of the list's ends, and keys are moments again."""
    assert BEGINNING < key(moment) < END
    assert moment_of(key(moment)) == moment.replace(microsecond=0)


def test_keys_are_written_for_readers() -> None:
    """A key is written as a time, or as one end of the list."""
    assert written(key(at(1))) == "2024-01-01T00:01:00Z"
    assert (written(BEGINNING + 1), written(END - 1)) == ("the first image", "the last image")
