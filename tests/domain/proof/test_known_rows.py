"""Rows that are kept to replace a refused marker."""

from __future__ import annotations

from marker_model import uid

from sync.domain.proof.known_rows import KnownRows


def page(first: int, count: int) -> list[str]:
    """Ids of a page."""
    return [uid(number) for number in range(first, first + count)]


def test_the_last_rows_of_a_page_are_kept_closest() -> None:
    """The last row is kept, the second, the fourth, the eighth from the end, and so on."""
    rows = KnownRows()
    rows.add(page(0, 100), None)

    assert [rows.before(uid(100), back) for back in (1, 2, 3, 4)] == [uid(99), uid(98), uid(96), uid(92)]
    assert rows.before(uid(99), 1) == uid(98)
    assert rows.before(uid(99), 7) is None
    assert len(rows) == 7


def test_rows_that_a_later_answer_lacks_are_forgotten() -> None:
    """A page shows which of the rows kept within it are gone."""
    rows = KnownRows()
    rows.add(page(0, 4), None)
    rows.add(page(10, 4), uid(3))
    rows.add([uid(12)], uid(3))

    assert [rows.before(uid(99), back) for back in (1, 2, 3)] == [uid(13), uid(12), uid(3)]


def test_a_million_images_leave_few_rows() -> None:
    """However long the list is, what is kept of it stays small, and reaches back to its beginning."""
    rows = KnownRows()
    for number in range(0, 1_000_000, 25):
        rows.add([uid(number), uid(number + 24)], uid(number - 1) if number else None)

    assert 30_000 < len(rows) <= 65_536
    assert rows.before(uid(1_000_000), 1) == uid(999_999)
    assert rows.before(uid(1_000_000), 30_000) is not None
    assert rows.before(uid(100_000), 1) is not None
