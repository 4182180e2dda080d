"""One reading: what is asked for, when it ends, and what is proven of it."""

from __future__ import annotations

import weakref

import pytest
from listing_model import CLAIMS, Cloud, at, chance, read, rows

from sync.domain.proof.scan import Page, Row, Scan
from sync.errors import ContractError


def fewest(count: int, limit: int, overlap: int) -> int:
    """Return the least number of overlapping pages of which the last is shorter than the limit."""
    return 1 + max(0, (count - overlap) // (limit - overlap))


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("count", [*range(130), 2000])
def test_a_quiet_list_is_proven_with_the_fewest_requests(count: int, window: int) -> None:
    """A quiet list of any length is complete, and takes no request more than its pages."""
    cloud = Cloud(range(count))

    verdict, seen = read(cloud, limit=50, overlap=10, window=window, max_images=10_000)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert cloud.requests == fewest(count, 50, 10)
    assert (verdict.total, verdict.doubts, verdict.repaired) == (count, (), 0)


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (490, 1), (499, 1), (500, 2), (989, 2), (990, 3), (9_810, 21)])
def test_each_490_images_cost_one_request(count: int, requests: int) -> None:
    """With the limit of the API a page brings 490 images, and none is asked for what the one before it showed."""
    cloud = Cloud(range(count))

    verdict, _ = read(cloud, limit=500, overlap=10, window=4, max_images=100_000)

    assert verdict.complete
    assert cloud.requests == requests


def test_an_empty_list_with_total_0_is_complete() -> None:
    """Nothing listed and nothing announced is a complete listing."""
    verdict, seen = read(Cloud([]), limit=5, overlap=2)

    assert verdict.complete
    assert seen == set()


@pytest.mark.parametrize("total", [3, None])
def test_an_empty_list_without_total_0_is_not_complete(total: int | None) -> None:
    """Nothing listed proves nothing unless total says so too."""
    verdict, _ = read(Cloud([], claim=lambda _true: total), limit=5, overlap=2)

    assert not verdict.complete
    assert "first page is empty" in verdict.reason


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("count", [4, 10, 11, 12, 40, 49, 50, 51, 59, 60, 90, 91, 129, 450, 1001])
def test_a_wrong_total_is_named_and_does_not_stop_the_proof(count: int, claim: str) -> None:
    """A quiet list is read to its end and proven whatever total says; the doubt is told."""
    cloud = Cloud(range(count), claim=CLAIMS[claim])

    verdict, seen = read(cloud, limit=50, overlap=10, window=4)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert bool(verdict.doubts) == (CLAIMS[claim](count) != count)
    assert verdict.total == (None if verdict.doubts else count)
    assert cloud.requests <= fewest(count, 50, 10) + 5


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_images_and_a_total_too_large_are_not_proven(count: int) -> None:
    """Up to three images leave no room for an anchor; where total says there are more, it may be right."""
    verdict, _ = read(Cloud(range(count), claim=CLAIMS["one more"]), limit=50, overlap=10)

    assert not verdict.complete
    assert verdict.doubts


@pytest.mark.parametrize("cap", [11, 12, 20, 30, 49])
@pytest.mark.parametrize("count", [1, 10, 11, 12, 19, 20, 21, 48, 49, 50, 51, 60, 100, 317])
def test_a_cut_page_is_not_the_end(count: int, cap: int) -> None:
    """A cloud that gives fewer rows than asked is read to its end, stepping by what came."""
    cloud = Cloud(range(count), cap=lambda: cap)

    verdict, seen = read(cloud, limit=50, overlap=10, window=4)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert cloud.requests <= fewest(count, cap, min(10, cap // 2)) + 2


def test_a_doubt_undoes_an_end_believed_before_it() -> None:
    """A page that passed for the end is asked beyond once another answer shows that total cannot be trusted."""
    scan = Scan(limit=6, overlap=2)
    letters = rows("a0 b1 c2 d3 e4 f5 g6 h7 i8 j9 k10 l11")
    assert scan.ask() == 0
    scan.answer(Page(0, letters[:6], 11))
    assert (scan.ask(), scan.ask()) == (4, 8)

    scan.answer(Page(8, letters[8:11], 11))
    believed = scan.ask()
    scan.answer(Page(4, letters[4:10], None))

    assert (believed, scan.ask()) == (None, 9)


def test_a_cloud_that_stops_heeding_the_offset_is_recognised() -> None:
    """Also after some good pages, the first page again and again is an error, soon."""
    cloud = Cloud(range(5000))
    scan = Scan(limit=50, overlap=10)

    def go_on() -> None:
        while (offset := scan.ask()) is not None:
            cloud.heeds_offset = cloud.requests < 3
            scan.answer(cloud.answer(offset, 50))

    with pytest.raises(ContractError, match="ignores the offset"):
        go_on()
    assert cloud.requests == 3 + 10


def test_nothing_is_complete_while_a_question_is_open() -> None:
    """An answer still to come may undo what the others say, so the verdict waits for it."""
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
    """A cloud that cuts each page elsewhere, and answers in any order, is read without a gap."""
    rng = chance(seed)
    cloud = Cloud(range(300), cap=lambda: rng.randint(11, 50))

    verdict, seen = read(cloud, limit=50, overlap=10, window=4, pick=rng.randrange)

    assert verdict.complete
    assert seen == set(cloud.rows)


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("claim", ["missing", "one less", "one more", "huge"])
def test_a_cloud_that_ignores_the_offset_is_recognised_in_two_more_requests(claim: str, window: int) -> None:
    """The first page again and again is an error, not an endless list."""
    cloud = Cloud(range(120), claim=CLAIMS[claim], heeds_offset=False)

    with pytest.raises(ContractError, match="ignores the offset"):
        read(cloud, limit=50, overlap=10, window=window)

    assert cloud.requests <= 3


def test_an_endless_list_is_given_up() -> None:
    """A cloud that always has one more full page is read up to the number of images allowed, and no further."""
    scan = Scan(limit=50, overlap=10, max_images=1000)
    requests = 0

    while (offset := scan.ask()) is not None:
        scan.answer(Page(offset, [Row(str(place), at(place)) for place in range(offset, offset + 50)], None))
        requests += 1

    assert scan.done
    assert requests == 25
    assert "was not reached in 25 pages" in scan.verdict().reason


def test_pages_that_make_no_headway_are_bounded() -> None:
    """A cloud that cuts every page to two rows of one time gets no more than twice the pages that are due."""
    cloud = Cloud([0] * 1000, cap=lambda: 2)

    verdict, _ = read(cloud, limit=50, overlap=10, max_images=1000)

    assert not verdict.complete
    assert cloud.requests == 2 * 1000 // 40 + 10


@pytest.mark.parametrize("order", ["desc", "id", "shuffled"])
def test_a_cloud_that_does_not_sort_as_asked_proves_nothing(order: str) -> None:
    """Where a page is out of order there are no anchors, and the reason says so."""
    cloud = Cloud(range(120), rng=chance(1), order=order)

    verdict, _ = read(cloud, limit=50, overlap=10, window=4)

    assert not verdict.complete
    assert "not sorted by created_at" in verdict.reason
    assert verdict.repaired == 0


def test_ties_across_a_seam_are_repaired_by_one_page() -> None:
    """A run of equal times as long as the overlap costs one page more, and the listing is proven."""
    cloud = Cloud([*range(30), *[35] * 25, *range(40, 90)], rng=chance(1))

    verdict, seen = read(cloud, limit=50, overlap=10)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert verdict.repaired == 1
    assert cloud.requests == fewest(105, 50, 10) + 1


def test_ties_over_more_than_a_page_are_not_proven_and_repaired_once() -> None:
    """Where the repair fails the proof is off, and no further page is spent on it."""
    cloud = Cloud([0] * 400, rng=chance(1))

    verdict, _ = read(cloud, limit=50, overlap=10)

    assert not verdict.complete
    assert "no image joins the pages" in verdict.reason
    assert cloud.requests == fewest(400, 50, 10) + 1


def test_rows_are_forgotten_once_their_seams_are_decided() -> None:
    """However long the list, the scan holds the rows of a handful of pages."""
    scan = Scan(limit=50, overlap=10)
    alive: weakref.WeakSet[Rows] = weakref.WeakSet()
    most = 0

    while (offset := scan.ask()) is not None:
        page = Rows(Row(str(place), at(place)) for place in range(offset, min(offset + 50, 20_000)))
        alive.add(page)
        scan.answer(Page(offset, page, 20_000))
        most = max(most, len(alive))
    del page

    assert scan.verdict().complete
    assert most <= 3


class Rows(list[Row]):
    """A list that can be watched for being forgotten."""

    __hash__ = object.__hash__
