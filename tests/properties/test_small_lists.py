"""Small lists, read in every order of answers with changes at every place: none that lacks an image is proven.

The lists are long enough that three pages are in flight at once, the descending one among them, which so comes early in
some readings and late in others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from listing_changes import changer, every_order, placements
from listing_model import Cloud, chance, read

from sync.errors import ContractError

LISTS = {
    "seven": (1, 3, 5, 5, 7, 9, 11),
    "nine": (1, 3, 5, 7, 9, 11, 13, 15, 17),
    "a pair at the seam": (1, 3, 5, 5, 7, 9, 11, 13, 15),
    "pairs": (1, 1, 3, 5, 5, 7, 9, 9, 11),
    "a tie of three": (1, 3, 5, 5, 5, 7, 9, 11, 13),
    "all in pairs": (1, 1, 3, 3, 5, 5, 7, 7, 9),
}
LEAST = {  # proven readings with one change, and with two
    "seven": (120, 3_000),
    "nine": (300, 15_000),
    "a pair at the seam": (300, 12_000),
    "pairs": (280, 8_000),
    "a tie of three": (40, 2_000),  # no page of four covers three images and one on each side
    "all in pairs": (700, 9_000),
}
GAPS = range(1, 4)  # in most readings no request is open after the fourth answer


@pytest.mark.parametrize("name", LISTS)
def test_no_change_hides_an_image_in_any_order(name: str) -> None:
    """No single change, wherever it happens, leads to a wrong proof in any order of answers."""
    counts = read_all(LISTS[name], changes=1, created=range(19))

    assert counts["wrong"] == 0
    assert counts["proven"] > LEAST[name][0]


@pytest.mark.long
@pytest.mark.parametrize("name", LISTS)
def test_no_two_changes_hide_an_image_in_any_order(name: str) -> None:
    """The same with two changes."""
    counts = read_all(LISTS[name], changes=2, created=range(max(LISTS[name]) + 2))

    assert counts["wrong"] == 0
    assert counts["proven"] > LEAST[name][1]


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "created"),
    [("nine", range(0, 19, 3)), ("a pair at the seam", (3, 5, 7, 9)), ("a tie of three", (3, 5, 6, 7))],
)
def test_no_three_changes_hide_an_image_in_any_order(name: str, created: Sequence[int]) -> None:
    """The same with three changes, of which each creation is at one of a few minutes."""
    counts = read_all(LISTS[name], changes=3, created=created)

    assert counts["wrong"] == 0
    assert counts["proven"] > 15_000


def read_all(minutes: Sequence[int], *, changes: int, created: Iterable[int]) -> Counter[str]:
    """Read a list once for each choice of changes and each order of answers, with ties in a new order in each."""
    counts: Counter[str] = Counter()
    for number, placement in enumerate(placements(len(minutes), changes, gaps=GAPS, minutes=tuple(created))):
        for pick in every_order():
            cloud = Cloud(minutes, chance(number))
            change = changer(cloud, placement)
            try:
                verdict, seen = read(cloud, limit=4, overlap=2, window=3, pick=pick, change=change)
            except ContractError:  # half a page created at the front, twice, looks like an ignored offset
                counts["refused"] += 1
                continue
            counts["proven" if verdict.complete else "not proven"] += 1
            counts["wrong"] += verdict.complete and not cloud.alive <= seen
    return counts
