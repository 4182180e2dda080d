"""A list in parts, read one wholly after the other."""

from __future__ import annotations

import pytest
from marker_model import PARTS, MarkerCloud, read, scan_of, uid

from sync.domain.proof.page import PageRequest


def cloud_of(hidden: int, visible: int) -> MarkerCloud:
    """A cloud with these numbers of hidden and visible images."""
    return MarkerCloud({uid(number): "hidden" if number < hidden else "" for number in range(hidden + visible)})


def test_each_part_is_read_wholly_before_the_next() -> None:
    """No page of a part is requested before the part before it is proven or given up."""
    cloud = cloud_of(30, 90)

    verdict, seen = read(cloud, scan_of(20, parts=PARTS), limit=20)

    parts = [request.part for request in cloud.requests]
    assert parts == sorted(parts, key=PARTS.index)
    assert (verdict.by, seen) == ("cover", set(cloud.images))
    assert verdict.reason == (
        "hidden: 2 answers cover the list; 5 answers cover the list; hidden again: 2 answers cover the list"
    )


def test_an_empty_part_costs_two_requests() -> None:
    """Where nothing is hidden, both ends of the hidden part are empty, and the verdict is that of the other part."""
    cloud = cloud_of(0, 30)

    verdict, _ = read(cloud, scan_of(20, parts=PARTS), limit=20)

    assert verdict.by == "cover"
    assert [request.part for request in cloud.requests] == ["hidden"] * 2 + [""] * 2 + ["hidden again"] * 2
    assert read(cloud_of(0, 0), scan_of(20, parts=PARTS), limit=20)[0].by == "whole"


@pytest.mark.parametrize("unproven", PARTS)
def test_a_list_is_proven_only_if_each_part_is(unproven: str) -> None:
    """If a marker is refused for good in one part, the others are read, and the whole proves nothing."""
    cloud, scan = cloud_of(50, 50), scan_of(20, parts=PARTS)
    seen: set[str] = set()
    while (request := scan.ask()) is not None:
        if request.part == unproven and request.marker is not None:
            scan.refused(request, "403")
        else:
            answer = cloud.answer(request, 20)
            seen |= {row.id for row in answer.rows}
            scan.answer(answer)

    verdict = scan.verdict()
    assert (scan.done, verdict.by) == (True, "")
    assert f"{unproven}: no answer covers".removeprefix(": ") in verdict.reason
    assert verdict.refused_markers > 3
    assert verdict.gap_requests > 3
    assert {PageRequest(part=part) for part in PARTS} <= set(cloud.requests)


@pytest.mark.parametrize("moment", range(1, 20))
@pytest.mark.parametrize("number", [0, 9, 10, 19, 29])
def test_an_image_that_moves_once_is_seen(moment: int, number: int) -> None:
    """Whenever an image is hidden or shown while the list is read, one of the readings of the parts has it."""
    cloud = cloud_of(10, 20)

    verdict, seen = read(
        cloud, scan_of(5, parts=PARTS), limit=5, change=lambda answers: answers == moment and cloud.move(uid(number))
    )

    assert verdict.by in ("cover", "chain")
    assert uid(number) in seen


def test_what_two_readings_of_a_part_cover_together_proves_nothing() -> None:
    """An image that is hidden while the first part of the hidden list is not proven may be in neither reading."""
    cloud = cloud_of(40, 0)
    lost = uid(39)
    scan = scan_of(5, parts=PARTS, max_gap_requests=0)
    while (request := scan.ask()) is not None:
        first = request.part == "hidden"
        if first and request.marker and request.marker >= uid(14):
            scan.refused(request, "no")
        else:
            scan.answer(cloud.answer(request, 5))

    assert lost in cloud.images
    assert scan.verdict().by == ""
    assert scan.verdict().reason.endswith("hidden again: 9 answers cover the list")
