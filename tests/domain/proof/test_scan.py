"""One reading of a list: which pages it requests, when it ends, and what is proven by it."""

from __future__ import annotations

import weakref

import pytest
from listing_model import CLAIMS, Cloud, at, chance, read, rows

from sync.domain.proof.scan import Page, Row, Scan
from sync.errors import ContractError


def fewest_pages(count: int, limit: int, overlap: int) -> int:
    """The least number of overlapping pages of which the last is shorter than the limit."""
    return 1 + max(0, (count - overlap) // (limit - overlap))


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("count", [*range(130), 2000])
def test_a_quiet_list_is_proven_with_the_fewest_requests(count: int, window: int) -> None:
    """An unchanging list of any length is complete after one request per page."""
    cloud = Cloud(range(count))

    verdict, seen = read(cloud, limit=50, overlap=10, window=window, max_images=10_000)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert cloud.requests == fewest_pages(count, 50, 10)
    assert (verdict.total, verdict.doubts, verdict.repaired) == (count, (), 0)


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (490, 1), (499, 1), (500, 2), (989, 2), (990, 3), (9_810, 21)])
def test_each_490_images_cost_one_request(count: int, requests: int) -> None:
    """With the API's limit of 500 and an overlap of 10, each page brings 490 new images."""
    cloud = Cloud(range(count))

    verdict, _ = read(cloud, limit=500, overlap=10, window=4, max_images=100_000)

    assert verdict.complete
    assert cloud.requests == requests


def test_an_empty_list_with_total_0_is_complete() -> None:
    """An empty list with total 0 is complete."""
    verdict, seen = read(Cloud([]), limit=5, overlap=2)

    assert verdict.complete
    assert seen == set()


@pytest.mark.parametrize("total", [3, None])
def test_an_empty_list_without_total_0_is_not_complete(total: int | None) -> None:
    """An empty list proves nothing unless its total is 0."""
    verdict, _ = read(Cloud([], claim=lambda _true: total), limit=5, overlap=2)

    assert not verdict.complete
    assert "first page is empty" in verdict.reason


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("count", [4, 10, 11, 12, 40, 49, 50, 51, 59, 60, 90, 91, 129, 450, 1001])
def test_a_wrong_total_is_named_and_does_not_stop_the_proof(count: int, claim: str) -> None:
    """An unchanging list is proven whatever `total` says, and a wrong total is reported as a doubt."""
    cloud = Cloud(range(count), claim=CLAIMS[claim])

    verdict, seen = read(cloud, limit=50, overlap=10, window=4)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert bool(verdict.doubts) == (CLAIMS[claim](count) != count)
    assert verdict.total == (None if verdict.doubts else count)
    assert cloud.requests <= fewest_pages(count, 50, 10) + 5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_images_and_a_total_too_large_are_not_proven(count: int) -> None:
    """Up to three images leave no room for an anchor, so a larger total may be right."""
    verdict, _ = read(Cloud(range(count), claim=CLAIMS["one more"]), limit=50, overlap=10)

    assert not verdict.complete
    assert verdict.doubts


@pytest.mark.parametrize("cap", [11, 12, 20, 30, 49])
@pytest.mark.parametrize("count", [1, 10, 11, 12, 19, 20, 21, 48, 49, 50, 51, 60, 100, 317])
def test_a_short_page_is_not_the_end(count: int, cap: int) -> None:
    """If the cloud returns fewer rows than requested, the list is read to its end in steps of what came."""
    cloud = Cloud(range(count), cap=lambda: cap)

    verdict, seen = read(cloud, limit=50, overlap=10, window=4)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert cloud.requests <= fewest_pages(count, cap, min(10, cap // 2)) + 2


def test_a_doubt_about_total_extends_the_reading() -> None:
    """If a later page shows that `total` is wrong, the reading continues after the page that seemed the last."""
    scan = Scan(limit=6, overlap=2)
    letters = rows("a0 b1 c2 d3 e4 f5 g6 h7 i8 j9 k10 l11")
    assert scan.ask() == 0
    scan.answer(Page(0, letters[:6], 11))
    assert (scan.ask(), scan.ask()) == (4, 8)

    scan.answer(Page(8, letters[8:11], 11))
    next_before_the_doubt = scan.ask()
    scan.answer(Page(4, letters[4:10], None))

    assert (next_before_the_doubt, scan.ask()) == (None, 9)


def test_a_cloud_that_stops_heeding_the_offset_is_recognised() -> None:
    """If the cloud starts to ignore the offset after some good pages, the scan soon fails."""
    cloud = Cloud(range(5000))
    scan = Scan(limit=50, overlap=10)

    def go_on() -> None:
        while (offset := scan.ask()) is not None:
            cloud.heeds_offset = cloud.requests < 3
            scan.answer(cloud.answer(offset, 50))

    with pytest.raises(ContractError, match="ignores the offset"):
        go_on()
    assert cloud.requests == 3 + 10


def test_nothing_is_complete_while_a_page_is_open() -> None:
    """The verdict waits for every requested page, since it may contradict the others."""
    scan = Scan(limit=6, overlap=2)
    letters = rows("a0 b1 c2 d3 e4 f5 g6 h7 i8")
    assert scan.ask() == 0
    scan.answer(Page(0, letters[:6], 11))
    assert (scan.ask(), scan.ask()) == (4, 8)

    scan.answer(Page(4, letters[4:], 9))
    early = scan.verdict()
    scan.answer(Page(8, letters[8:], 9))

    assert (early.complete, scan.done, scan.verdict().complete) == (False, True, True)


@pytest.mark.parametrize("seed", range(20))
def test_pages_cut_at_random_leave_no_gap(seed: int) -> None:
    """Pages of random size in random order are joined without a gap."""
    rng = chance(seed)
    cloud = Cloud(range(300), cap=lambda: rng.randint(11, 50))

    verdict, seen = read(cloud, limit=50, overlap=10, window=4, pick=rng.randrange)

    assert verdict.complete
    assert seen == set(cloud.rows)


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("claim", ["missing", "one less", "one more", "huge"])
def test_a_cloud_that_ignores_the_offset_is_recognised_in_two_more_requests(claim: str, window: int) -> None:
    """If the cloud always returns the first page, the scan fails after two more requests."""
    cloud = Cloud(range(120), claim=CLAIMS[claim], heeds_offset=False)

    with pytest.raises(ContractError, match="ignores the offset"):
        read(cloud, limit=50, overlap=10, window=window)

    assert cloud.requests <= 3


def test_an_endless_list_is_given_up() -> None:
    """A list that always has one more full page is read up to `max_images` and no further."""
    scan = Scan(limit=50, overlap=10, max_images=1000)
    requests = 0

    while (offset := scan.ask()) is not None:
        scan.answer(Page(offset, [Row(str(place), at(place)) for place in range(offset, offset + 50)], None))
        requests += 1

    assert scan.done
    assert requests == 25
    assert "was not reached in 25 pages" in scan.verdict().reason


def test_pages_that_make_no_headway_are_bounded() -> None:
    """Pages of only two rows of one time cost at most about twice as many requests as full ones."""
    cloud = Cloud([0] * 1000, cap=lambda: 2)

    verdict, _ = read(cloud, limit=50, overlap=10, max_images=1000)

    assert not verdict.complete
    assert cloud.requests == 2 * 1000 // 40 + 10


@pytest.mark.parametrize("order", ["desc", "id", "shuffled"])
def test_a_list_in_another_order_proves_nothing(order: str) -> None:
    """A page in another order has no anchors, and the reason says so."""
    cloud = Cloud(range(120), rng=chance(1), order=order)

    verdict, _ = read(cloud, limit=50, overlap=10, window=4)

    assert not verdict.complete
    assert "not sorted by created_at" in verdict.reason
    assert verdict.repaired == 0


def test_ties_across_a_seam_are_repaired_by_one_page() -> None:
    """Equal times across the whole overlap of two pages cost one more page, and the list is proven."""
    cloud = Cloud([*range(30), *[35] * 25, *range(40, 90)], rng=chance(1))

    verdict, seen = read(cloud, limit=50, overlap=10)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert verdict.repaired == 1
    assert cloud.requests == fewest_pages(105, 50, 10) + 1


def test_ties_over_more_than_a_page_are_not_proven_and_repaired_once() -> None:
    """If a repair fails, the list is not proven, and no further page is requested for it."""
    cloud = Cloud([0] * 400, rng=chance(1))

    verdict, _ = read(cloud, limit=50, overlap=10)

    assert not verdict.complete
    assert "no image joins the pages" in verdict.reason
    assert cloud.requests == fewest_pages(400, 50, 10) + 1


def test_rows_are_forgotten_once_their_seams_are_decided() -> None:
    """However long the list is, the scan keeps the rows of at most three pages."""
    scan = Scan(limit=50, overlap=10)
    alive: weakref.WeakSet[Rows] = weakref.WeakSet()
    most_alive = 0

    while (offset := scan.ask()) is not None:
        page = Rows(Row(str(place), at(place)) for place in range(offset, min(offset + 50, 20_000)))
        alive.add(page)
        scan.answer(Page(offset, page, 20_000))
        most_alive = max(most_alive, len(alive))
    del page

    assert scan.verdict().complete
    assert most_alive <= 3


class Rows(list[Row]):
    """A list that supports weak references."""

    __hash__ = object.__hash__
