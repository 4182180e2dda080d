"""The piece of the list that one answer shows, and of which keys it shows every image."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations, combinations_with_replacement

import pytest
from listing_model import at, rows

from sync.domain.proof.cover import BEGINNING, END, key
from sync.domain.proof.page import Page, Row, piece_of


def minute(number: int) -> int:
    """The key of a minute."""
    return key(at(number))


COVERS = [
    ("a0 b1 c2", 0, False, (BEGINNING, minute(2))),  # a page that starts the list covers all that is older
    ("a0 b1 c2", 7, False, (minute(0), minute(2))),
    ("a0 b0 c2 d2", 7, False, (minute(0), minute(2))),
    ("a1 b1 c1", 7, False, None),  # other images of the same time may stand before and after
    ("a1 b1 c1", 0, False, (BEGINNING, minute(1))),
    ("a1", 7, False, None),
    ("", 0, False, None),
    ("", 7, False, None),
    ("a2 b1", 7, False, None),  # not sorted as requested
    ("c2 b1 a0", 0, True, (minute(0), END)),  # a first page in descending order covers all that is newer
    ("c2 b1 a1", 0, True, (minute(1), END)),
    ("a1 b1 c1", 0, True, None),  # the order may be the other one
    ("a0 b1 c2", 0, True, None),
    ("", 0, True, None),
    ("a? b0 c1", 0, False, (BEGINNING, minute(1))),
    ("a? b0 c1", 7, False, (minute(0), minute(1))),  # the edge of an answer is not the end of the list
    ("a0 b1 c?", 7, False, (minute(0), minute(1))),
    ("a0 b1 c?", 0, False, (BEGINNING, minute(1))),
    ("a? b0 c?", 7, False, None),
    ("c? b1 a0", 0, True, (minute(0), END)),
    ("c2 b1 a?", 0, True, (minute(1), END)),
    ("a0 b? c1", 7, False, None),
    ("a? b?", 0, False, None),
    ("a? b?", 0, True, None),
]


@pytest.mark.parametrize(("page", "offset", "descending", "interval"), COVERS)
def test_an_answer_covers_what_lies_between_its_edges(
    page: str,
    offset: int,
    descending: bool,  # noqa: FBT001 - a table
    interval: tuple[int, int] | None,
) -> None:
    """An answer shows every image between the times of its edges, without these; and beyond where the list ends."""
    piece = piece_of(Page(offset, rows(page), None, descending=descending))

    assert piece.interval == interval


@pytest.mark.parametrize(
    ("page", "descending", "ordered"),
    [
        ("a0 b0 c1", False, True),
        ("a1 b0", False, False),
        ("a1 b0 c0", True, True),
        ("a0 b1", True, False),
        ("a0 b? c1", False, False),
        ("a? b? c1", False, True),
        ("c1 b?", True, True),
        ("a? b?", False, True),
        ("", False, True),
    ],
)
def test_the_order_is_checked(page: str, descending: bool, ordered: bool) -> None:  # noqa: FBT001 - a table
    """Times must be in the order requested; images without one may stand together at an end."""
    assert piece_of(Page(5, rows(page), None, descending=descending)).ordered == ordered


def test_times_are_compared_by_the_second() -> None:
    """A server that sorts text puts 29.5Z before 29Z: within a second, any order is right."""
    base = datetime(2024, 1, 1, tzinfo=UTC)
    mixed = [
        Row("a", base),
        Row("b", base + timedelta(seconds=29, milliseconds=500)),
        Row("c", base.replace(second=29)),
    ]

    piece = piece_of(Page(5, [*mixed, Row("d", base.replace(second=31))], None))

    assert piece.ordered
    assert piece.interval == (key(base), key(base) + 31)
    assert not piece_of(Page(5, [*mixed, Row("d", base.replace(second=28))], None)).ordered


@pytest.mark.parametrize(
    ("page", "head", "tail", "ties"),
    [
        ("a0 b1 c2", 1, 1, 1),
        ("a0 b0 c1 d2 e2 f2", 2, 3, 3),
        ("a0 b1 c1 d1 e1 f2", 1, 1, 4),
        ("a1 b1", 2, 2, 2),
        ("a? b? c1 d2", 3, 1, 2),
        ("a0 b1 c? d? e?", 1, 4, 3),
    ],
)
def test_equal_times_are_counted(page: str, head: int, tail: int, ties: int) -> None:
    """A piece knows how many rows share a time at its edges, with those beyond without one, and anywhere."""
    piece = piece_of(Page(5, rows(page), None))

    assert (piece.head, piece.tail, piece.ties) == (head, tail, ties)


SECONDS = {  # in the order in which a cloud sorts them
    "as moments": (29.0, 29.5, 29.7, 30.0, 30.5),
    "as text": (29.5, 29.7, 29.0, 30.5, 30.0),
}


@pytest.mark.parametrize("order", SECONDS)
@pytest.mark.parametrize("undated", [0, 1, 2])
def test_no_answer_covers_an_image_that_it_lacks(order: str, undated: int) -> None:
    """Of every list of up to five images and every part of it, all images with a key in the interval are shown.

    Images without a readable time may stand anywhere: at the edge of an answer they do not show the end of the list.
    """
    answers = covering = 0
    for listed in _lists(SECONDS[order], undated):
        ends = len(listed) + 1
        parts = [(start, end, False) for start in range(ends) for end in range(start, ends)]
        for start, end, descending in [*parts, *((0, end, True) for end in range(ends))]:
            for ignored in (False, True) if descending else (False,):
                answer = (listed[::-1] if descending and not ignored else listed)[start:end]
                interval = piece_of(Page(start, answer, None, descending=descending)).interval
                lacking = [key(row.created_at) for row in listed if row not in answer and row.created_at]
                answers += 1
                covering += interval is not None

                assert interval is None or not any(interval.after < each < interval.before for each in lacking), (
                    listed,
                    answer,
                    descending,
                    interval,
                )

    assert 0 < covering < answers


def _lists(seconds: tuple[float, ...], undated: int) -> Iterator[list[Row]]:
    """Every list of up to five images, of which some have no readable time and stand anywhere."""
    for size in range(6 - undated):
        for chosen in combinations_with_replacement(seconds, size):
            times = [at(0) + timedelta(seconds=second) for second in chosen]
            for places in combinations(range(size + undated), undated):
                dated = iter(times)
                whole = [None if place in places else next(dated) for place in range(size + undated)]
                yield [Row(str(number), time) for number, time in enumerate(whole)]
