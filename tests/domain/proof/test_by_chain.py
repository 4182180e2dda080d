"""A list whose ids can't be compared is read page after page, and proven by the rows that pages share."""

from __future__ import annotations

import pytest
from marker_model import MarkerCloud, read, without_case

from sync.domain.proof.marker import MarkerScan
from sync.domain.proof.page import Page, Row


def cloud_of(count: int, **more: object) -> MarkerCloud:
    """A cloud with images that are no UUIDs."""
    names = [f"{'iI'[number % 2]}mage-{number:04}" for number in range(count)]
    return MarkerCloud(dict.fromkeys(names, ""), **{"order": without_case, **more})  # type: ignore[arg-type]


def nth(cloud: MarkerCloud, place: int) -> str:
    """The image at a place, in the cloud's order."""
    return sorted(cloud.images, key=cloud.order)[place]


@pytest.mark.parametrize(
    ("count", "requests"), [(0, 2), (1, 5), (2, 2), (20, 2), (36, 2), (37, 3), (52, 3), (53, 4), (292, 18)]
)
@pytest.mark.parametrize("window", [1, 4])
def test_a_quiet_list_costs_four_rows_per_page_more(count: int, requests: int, window: int) -> None:
    """Neighbouring pages share four rows, and so does the descending page with the chain."""
    cloud = cloud_of(count)

    verdict, seen = read(cloud, MarkerScan(limit=20), limit=20, window=window)

    assert verdict.by == ("chain" if count else "whole")
    assert seen == set(cloud.images)
    assert len(cloud.requests) <= requests + (window > 1)


@pytest.mark.parametrize("lost", ["refused", "tolerated", "restart", "empty"])
@pytest.mark.parametrize("deleted", [1, 2, 3, 15])
def test_a_lost_marker_or_row_is_replaced(lost: str, deleted: int) -> None:
    """If the marker or the shared row is deleted, pages after earlier rows share another one."""
    cloud = cloud_of(100, lost=lost)

    def delete_the_last(answers: int) -> None:
        if answers == 3:
            for place in range(38, 38 - deleted, -1):
                cloud.delete(nth(cloud, place))

    verdict, seen = read(cloud, MarkerScan(limit=20), limit=20, change=delete_the_last)

    assert verdict.by == "chain"
    assert cloud.alive <= seen


def test_a_page_that_was_cut_shortly_behind_a_new_image() -> None:
    """The chain goes on from that page's last row; rows behind it that came before may follow, or be gone."""
    cloud = cloud_of(30)
    cloud.cap = lambda: 2 if len(cloud.requests) == 3 else 6

    def insert(answers: int) -> None:
        if answers == 2:
            cloud.insert("image-0003 and a half")

    verdict, seen = read(cloud, MarkerScan(limit=6), limit=6, change=insert)

    assert verdict.by == "chain"
    assert seen == set(cloud.images)


def test_the_descending_page_is_requested_again_at_the_end() -> None:
    """If what it showed is deleted, the chain reaches its end without a common row; a second one closes it."""
    cloud = cloud_of(100)

    def delete_the_end(answers: int) -> None:
        if answers == 2:
            for _ in range(35):
                cloud.delete(nth(cloud, -1))

    verdict, _ = read(cloud, MarkerScan(limit=20), limit=20, change=delete_the_end)

    assert verdict.by == "chain"
    assert sum(request.descending for request in cloud.requests) == 2


def test_pages_of_one_row_share_none() -> None:
    """They are read to the end, and prove nothing."""
    cloud = cloud_of(30, cap=lambda: 1)

    verdict, seen = read(cloud, MarkerScan(limit=20), limit=20)

    assert not verdict.complete
    assert verdict.reason == "neighbouring pages share no image"
    assert seen == set(cloud.images)


def test_pages_of_two_rows_are_enough() -> None:
    """A page with one shared row and one new row makes headway."""
    cloud = cloud_of(30, cap=lambda: 2)

    verdict, seen = read(cloud, MarkerScan(limit=20), limit=20)

    assert (verdict.by, seen) == ("chain", set(cloud.images))


def test_a_descending_page_in_ascending_order_closes_nothing() -> None:
    """Two rows in the same order as in the chain show that the cloud ignored the descending order."""
    cloud = cloud_of(30, heeds_descending=False)

    verdict, seen = read(cloud, MarkerScan(limit=20), limit=20)

    assert not verdict.complete
    assert verdict.reason.startswith(
        "no page from the end of the list shares enough images with the pages up to Image-0029"
    )
    assert seen == set(cloud.images)


def test_pages_in_different_orders_prove_nothing() -> None:
    """If two pages show the same images in different orders, what they have in common says nothing."""
    scan, listed = MarkerScan(limit=6), [*"ABCDEF"]
    while (request := scan.ask()) is not None:
        rows = [*"NMLKJI"] if request.descending else listed if request.marker is None else [*"EDFGH"]
        scan.answer(
            Page(0, [Row(each, None) for each in rows], None, descending=request.descending, marker=request.marker)
        )

    assert scan.verdict().reason == "two pages show the same images in different orders"


def test_an_id_that_comes_twice_in_a_page_proves_nothing() -> None:
    """An image has one place in the list."""
    cloud, scan = cloud_of(10), MarkerScan(limit=20)
    while (request := scan.ask()) is not None:
        page = cloud.answer(request, 20)
        scan.answer(
            page if request.descending else type(page)(0, [*page.rows, *page.rows[:1]], None, marker=page.marker)
        )

    assert scan.verdict().reason == "the images are not sorted by id as requested"
