"""Which ids are covered, which are not, and which can be compared at all."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marker_model import uid

from sync.domain.proof.id_cover import IdCover, IdGap, IdInterval, Shape, agree, ascending


def place(number: int | None) -> str | None:
    """The id of a number, or None."""
    return None if number is None else uid(number)


def covered(*intervals: tuple[int | None, int | None, bool]) -> IdCover:
    """The cover of some intervals."""
    cover = IdCover()
    for after, last, from_after in intervals:
        cover.add(IdInterval(place(after), place(last), from_after))
    return cover


PAGES = [
    ([(None, 5, False), (5, 9, False), (9, None, True)], []),  # neighbours need no common row
    ([(9, None, True), (5, 9, False), (None, 5, False)], []),
    ([(None, 5, False), (6, None, True)], ["between 5 and 6"]),  # an id between two that follow each other
    ([(None, 5, False), (6, None, False)], ["between 5 and 6"]),
    ([(5, None, True)], ["up to 5"]),
    ([(None, 5, False)], ["after 5"]),
    ([(None, 3, False), (7, 9, False)], ["between 3 and 7", "after 9"]),
    ([(None, None, False)], []),
    ([], ["any id"]),
]


@pytest.mark.parametrize(("intervals", "gaps"), PAGES)
def test_the_gaps_are_the_ids_that_no_answer_shows(
    intervals: list[tuple[int | None, int | None, bool]], gaps: list[str]
) -> None:
    """A gap names the ids at its edges, and its marker is the last id before it."""
    found = [str(gap) for gap in covered(*intervals).gaps()]

    for number in range(10):
        found = [gap.replace(uid(number), str(number)) for gap in found]
    assert [gap.removeprefix("no answer covers ").removeprefix("the ids ") for gap in found] == gaps


def test_the_marker_of_a_gap_is_the_last_id_before_it() -> None:
    """A page after it shows the first ids of the gap; at the beginning of the list there is none."""
    gaps = covered((3, 5, False), (7, 8, True)).gaps()

    assert [gap.marker for gap in gaps] == [None, uid(5), uid(8)]
    assert [gap.at_end for gap in gaps] == [False, False, True]


@given(st.lists(st.tuples(st.none() | st.integers(0, 9), st.none() | st.integers(0, 9), st.booleans()), max_size=8))
def test_an_id_is_covered_if_one_interval_holds_it(intervals: list[tuple[int | None, int | None, bool]]) -> None:
    """That holds for ids between those at the edges too, whatever is added in whatever order."""
    gaps = covered(*intervals).gaps()

    def held(each: float) -> bool:
        return any(
            (after is None or after < each or (from_after and after == each)) and (last is None or each <= last)
            for after, last, from_after in intervals
        )

    for half in range(-1, 20):
        number = uid(half // 2) + ("5" if half % 2 else "")  # with a 5, it lies between two of the others
        lies_in_gap = any(gap.start <= number < gap.end for gap in gaps)
        assert lies_in_gap != held(half / 2), (half, gaps)


def test_only_rows_that_no_answer_covered_are_new() -> None:
    """Rows count once, however often they come."""
    cover = covered((None, 2, False), (6, 8, False))

    assert cover.count_new([uid(number) for number in range(1, 11)]) == 4 + 2  # 3 to 6, 9 and 10


UUIDS = ["00000000-0000-4000-8000-0000000000ff", "ffffffff-ffff-ffff-ffff-ffffffffffff"]


@pytest.mark.parametrize(
    ("ids", "fits"),
    [
        (UUIDS, True),
        ([each.replace("-", "") for each in UUIDS], True),
        ([], True),
        ([UUIDS[0], UUIDS[1].replace("-", "")], False),  # of two shapes
        ([UUIDS[1].upper()], False),
        ([UUIDS[0] + ","], False),
        ([",".join(UUIDS)], False),  # one id that looks like two
        ([UUIDS[0] + "\n"], False),
        ([UUIDS[0][:-1] + "٣"], False),
        ([UUIDS[0][:-1]], False),
        (["", *UUIDS], False),
        (["img-1"], False),
        (["{" + UUIDS[0] + "}"], False),
    ],
)
def test_only_lower_case_uuids_of_one_shape_can_be_compared(ids: list[str], fits: bool) -> None:  # noqa: FBT001 - a table
    """All other ids may be in another order for the cloud than for the job, whether they come at once or one by one."""
    one_by_one = Shape()

    assert Shape().fits(ids) == fits
    assert ([one_by_one.fits([each]) for each in ids] or [True])[-1] == fits


def test_an_odd_id_is_remembered() -> None:
    """Ids that could be compared by themselves can't be after one that could not."""
    shape = Shape()

    assert [shape.fits([each]) for each in (UUIDS[0], "img-1", UUIDS[0])] == [True, False, False]


def test_real_uuids_are_sorted_as_texts_like_their_numbers() -> None:
    """A cloud that stores UUIDs as numbers has the same order as one that stores texts."""
    ids = sorted(str(uuid4()) for _ in range(100))

    assert [UUID(each).int for each in ids] == sorted(UUID(each).int for each in ids)
    assert Shape().fits(ids)
    assert ascending(ids)


@pytest.mark.parametrize(
    ("ids", "right"),
    [
        (["b", "A", "c"], True),  # nothing is known of their order
        (["b", "A", "b"], False),  # twice
        ([UUIDS[0], "A", UUIDS[1]], True),
        ([UUIDS[1], "A", UUIDS[0]], False),
        ([UUIDS[1], UUIDS[0].replace("-", "")], True),  # of two shapes
    ],
)
def test_ids_that_can_be_compared_must_be_in_order_among_others_too(ids: list[str], right: bool) -> None:  # noqa: FBT001 - a table
    """Of ids that can't be compared, only a repetition shows that something is wrong."""
    assert agree(ids) == right


def test_equal_ids_are_not_ascending() -> None:
    """An id that comes twice in one answer spoils the order."""
    assert (ascending([uid(1), uid(2)]), ascending([uid(1), uid(1)]), ascending([])) == (True, False, True)


def test_a_gap_is_written_with_ids_only() -> None:
    """No character that marks the edge of a gap comes into a sentence."""
    assert "\0" not in str(IdGap(uid(1) + "\0", uid(2) + "\0"))
