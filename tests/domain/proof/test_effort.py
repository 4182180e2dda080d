"""How much a reading of a list by marker may take."""

from __future__ import annotations

import pytest

from sync.domain.proof.effort import Effort


@pytest.mark.parametrize(
    ("effort", "exhausted"),
    [
        (Effort(50, 1000, 5, pages=54), False),
        (Effort(50, 1000, 5, pages=55), True),  # two thousand images, and five and ten pages
        (Effort(50, 1000, 5, pages=55, largest=20), False),  # pages are smaller than requested
        (Effort(50, 1000, 5, pages=115, largest=20), True),
        (Effort(50, 1000, 5, pages=20, new=1000), False),
        (Effort(50, 1000, 5, pages=20, new=1001), True),
    ],
)
def test_pages_are_bounded_by_their_size(effort: Effort, exhausted: bool) -> None:  # noqa: FBT001 - a table
    """A list of as many images as allowed is read even in small pages, and no longer one."""
    assert effort.exhausted == exhausted


def test_pages_for_gaps_have_a_bound_of_their_own() -> None:
    """No more than allowed are requested."""
    assert [Effort(50, 1000, 2, gap_requests=count).spent for count in (0, 1, 2)] == [False, False, True]
