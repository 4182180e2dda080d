"""A list that can't be proven is still read to its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.domain.proof.effort import Effort
from sync.domain.proof.page import PageRequest
from sync.domain.proof.unproven import Unproven

ENDS: dict[str, Callable[[int], list[str]]] = {
    "with an empty page": lambda page: ["a", "b"][: page % 3 and 2] if page < 3 else [],
    "with the same page again": lambda _page: ["a", "b"],
    "in a circle": lambda page: [str(page % 3)],
    "without ids": lambda _page: ["", ""],
}


@pytest.mark.parametrize("end", ENDS)
def test_the_reading_ends(end: str) -> None:
    """An empty page, or one that ends in a marker that was used before, is the last."""
    way, requests = Unproven(part="", effort=Effort(2, 100, 5), reason="unsorted"), 0
    while (request := way.next(())) is not None:
        requests += 1
        assert way.next({request}) is None
        way.take(request, ENDS[end](requests))

    assert requests <= 5
    assert way.lack() == "unsorted"


def test_a_refused_marker_ends_it() -> None:
    """Nothing is proven, so no other marker is tried."""
    way = Unproven(part="", effort=Effort(2, 100, 5), reason="unsorted")
    way.take(PageRequest(), ["a", "b"])
    request = way.next(())
    way.refuse(PageRequest(marker="b"))

    assert (request, way.next(())) == (PageRequest(marker="b"), None)


def test_answers_to_other_requests_are_passed_over() -> None:
    """Pages that were requested before the list turned out to be unsorted move nothing."""
    way = Unproven(part="", effort=Effort(2, 100, 5), reason="unsorted")
    way.take(PageRequest(descending=True), ["z"])
    way.take(PageRequest(marker="q"), ["r"])

    assert way.next(()) == PageRequest()
