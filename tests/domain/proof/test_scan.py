"""One reading of a list: which pages it requests, when it ends, and what is proven by it."""

from __future__ import annotations

import pytest
from listing_model import CLAIMS, Cloud, Seen, at, chance, read, rows

from sync.domain.proof.list_scan import ListScan
from sync.domain.proof.page import Page, PageRequest, Row
from sync.domain.proof.scan import Scan
from sync.domain.proof.verdict import Verdict, prove
from sync.errors import ContractError

FIRST, DESCENDING = PageRequest(0), PageRequest(0, descending=True)


def fewest_pages(count: int, limit: int, overlap: int) -> int:
    """The least number of pages: the first in descending order, and overlapping ones up to it."""
    return 1 if count < limit else 2 + max(0, -((2 * limit - overlap - count) // (limit - overlap)))


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("count", [*range(130), 2000])
def test_a_quiet_list_is_proven_with_the_fewest_requests(count: int, window: int) -> None:
    """An unchanging list of any length is complete after one request per page."""
    cloud = Cloud(range(count))

    verdict, seen = read(cloud, limit=50, overlap=10, window=window, max_images=10_000)

    assert verdict.by == ("whole" if count < 50 else "cover")
    assert seen == set(cloud.rows)
    assert fewest_pages(count, 50, 2) <= cloud.requests <= fewest_pages(count, 50, 10)
    assert (verdict.total, verdict.gap_requests) == (count, 0)


@pytest.mark.parametrize(
    ("count", "requests"),
    [(0, 1), (490, 1), (499, 1), (500, 2), (989, 2), (990, 2), (991, 3), (9_810, 20), (9_811, 21)],
)
def test_each_490_images_cost_one_request(count: int, requests: int) -> None:
    """With the API's limit of 500 and an overlap of 10, each page brings 490 new images."""
    cloud = Cloud(range(count))

    verdict, _ = read(cloud, limit=500, overlap=10, window=4, max_images=100_000)

    assert verdict.complete
    assert cloud.requests == requests


def test_an_empty_list_with_total_0_is_complete() -> None:
    """An empty list with total 0 is complete."""
    cloud = Cloud([])

    verdict, seen = read(cloud, limit=5, overlap=2)

    assert (verdict.by, seen, cloud.requests) == ("whole", set(), 1)


def test_an_empty_list_without_total_is_complete_if_it_is_empty_from_both_ends() -> None:
    """Without a usable total, the first page of either order must be empty."""
    cloud = Cloud([], claim=lambda _true: None)

    verdict, _ = read(cloud, limit=5, overlap=2)

    assert (verdict.by, cloud.requests) == ("whole", 2)
    assert verdict.reason.endswith("; at offset 0 there is no usable total")


def test_an_empty_page_says_nothing_of_a_list_that_is_not() -> None:
    """If the ascending order is empty and the descending one is not, nothing is proven."""
    scan = Scan(limit=6, overlap=2)
    scan.ask()
    scan.answer(Page(0, [], None))
    assert scan.ask() == DESCENDING
    scan.answer(Page(0, rows("c2 b1 a0"), None, descending=True))

    assert scan.done
    assert scan.verdict().reason.startswith("no answer covers the first image to 2024-01-01T00:00:00Z")


def test_an_empty_list_with_another_total_is_not_complete() -> None:
    """An empty list proves nothing if its total is not 0."""
    verdict, _ = read(Cloud([], claim=lambda _true: 3), limit=5, overlap=2)

    assert not verdict.complete
    assert "the first page is empty, though total says 3" in verdict.reason


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("count", [2, 30, 48, 50, 51, 90, 91, 200, 500])
@pytest.mark.parametrize("window", [1, 4])
def test_a_wrong_total_is_reported_and_not_needed(count: int, claim: str, window: int) -> None:
    """Whatever `total` says, the list is proven by its rows, and the reason says what is wrong with `total`."""
    cloud = Cloud(range(count), claim=CLAIMS[claim])

    verdict, seen = read(cloud, limit=50, overlap=10, window=window)

    assert verdict.by == ("whole" if count < 50 and cloud.claim(count) == count else "cover")
    assert seen == set(cloud.rows)
    assert (prove(verdict, Seen(row.id for row in seen))[0].reason == f"{cloud.requests} answers cover the list") == (
        count >= 50 and cloud.claim(count) == count
    )
    assert cloud.requests <= fewest_pages(count, 50, 10) + 1 + window


def test_one_image_without_a_usable_total_is_not_proven() -> None:
    """A single time covers nothing beyond itself, so one image is believed to be all only if total says so."""
    verdict, _ = read(Cloud([3], claim=lambda _true: None), limit=5, overlap=2)

    assert verdict.reason.startswith("no answer covers the end of the list, from 2024-01-01T00:03:00Z on")


@pytest.mark.parametrize("page", ["c2 a0 b1", "a? b0 c?", "a? b? c?", "a1 b1 c1"])
def test_one_answer_that_holds_the_whole_list_proves_it_whatever_its_times(page: str) -> None:
    """Where one answer holds the whole list, neither order nor readable times are needed."""
    scan = Scan(limit=6, overlap=2)
    scan.ask()
    scan.answer(Page(0, rows(page), 3))

    assert scan.done
    assert scan.verdict().by == "whole"


@pytest.mark.parametrize("cap", [11, 12, 20, 30, 49])
@pytest.mark.parametrize("count", [12, 19, 20, 21, 48, 49, 50, 51, 60, 100, 317])
def test_a_short_page_is_not_the_end(count: int, cap: int) -> None:
    """If the cloud returns fewer rows than requested, the list is read to its end in steps of what came."""
    cloud = Cloud(range(count), cap=lambda: cap)

    verdict, seen = read(cloud, limit=50, overlap=10, window=4)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert cloud.requests <= fewest_pages(count, cap, min(10, cap // 2)) + 2


@pytest.mark.parametrize("cap", [1, 2])
def test_pages_too_small_to_cover_anything_are_read_and_prove_nothing(cap: int) -> None:
    """With one or two rows a page the whole list is still read, in a bounded number of requests."""
    cloud = Cloud(range(100), cap=lambda: cap)

    verdict, seen = read(cloud, limit=50, overlap=10)

    assert not verdict.complete
    assert seen == set(cloud.rows)
    assert cloud.requests <= 2 * 100 + 10


def test_a_cloud_that_puts_fewer_rows_in_a_page_from_some_page_on() -> None:
    """If pages become shorter while the list is read, later ones are requested in smaller steps."""
    cloud = Cloud(range(3000))
    cloud.cap = lambda: 50 if cloud.requests < 4 else 20

    verdict, seen = read(cloud, limit=50, overlap=10, max_images=10_000)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert verdict.gap_requests <= 2


@pytest.mark.parametrize("seed", range(20))
def test_pages_cut_at_random_leave_no_gap(seed: int) -> None:
    """Pages of random size in random order are completed without a gap."""
    rng = chance(seed)
    cloud = Cloud(range(300), cap=lambda: rng.randint(11, 50))

    verdict, seen = read(cloud, limit=50, overlap=10, window=4, pick=rng.randrange)

    assert verdict.complete
    assert seen == set(cloud.rows)


def test_a_cloud_that_stops_heeding_the_offset_is_recognised() -> None:
    """If the cloud starts to ignore the offset after some good pages, the scan soon fails."""
    cloud = Cloud(range(5000))
    scan = Scan(limit=50, overlap=10, max_images=20_000)

    def go_on() -> None:
        while (request := scan.ask()) is not None:
            cloud.heeds_offset = cloud.requests < 4
            scan.answer(cloud.answer(request, 50))

    with pytest.raises(ContractError, match="ignores the offset"):
        go_on()
    assert cloud.requests == 4 + 10


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("claim", ["missing", "one less", "one more", "huge"])
def test_a_cloud_that_ignores_the_offset_is_recognised_in_two_more_pages(claim: str, window: int) -> None:
    """If the cloud always returns the first page, the scan fails after two more pages in ascending order."""
    cloud = Cloud(range(220), claim=CLAIMS[claim], heeds_offset=False)

    with pytest.raises(ContractError, match="ignores the offset"):
        read(cloud, limit=50, overlap=10, window=window)

    assert cloud.requests <= 4


def test_nothing_is_complete_while_a_page_is_open() -> None:
    """The verdict waits for every requested page, since it may contradict the others."""
    scan = Scan(limit=6, overlap=2)
    letters = rows("a0 b1 c2 d3 e4 f5 g6 h7 i8")
    assert scan.ask() == FIRST
    scan.answer(Page(0, letters[:6], 12))
    assert (scan.ask(), scan.ask()) == (DESCENDING, PageRequest(4))

    scan.answer(Page(0, letters[:2:-1], 12, descending=True))
    early = scan.verdict()
    scan.answer(Page(4, letters[4:], 12))

    assert (early.complete, scan.done, scan.verdict().complete) == (False, True, True)


def test_an_endless_list_is_given_up() -> None:
    """A list that always has one more full page is read up to `max_images` and no further."""
    scan = Scan(limit=50, overlap=10, max_images=1000)
    requests = 0

    while (request := scan.ask()) is not None:
        places = range(10**6, 10**6 - 50, -1) if request.descending else range(request.offset, request.offset + 50)
        scan.answer(
            Page(0, [Row(str(n), at(n)) for n in places], None, descending=request.descending)
            if request.descending
            else Page(request.offset, [Row(str(n), at(n)) for n in places], None)
        )
        requests += 1

    assert scan.done
    assert requests == 26
    assert "was not reached in 26 pages" in scan.verdict().reason


def test_pages_that_make_no_headway_are_bounded() -> None:
    """Pages of only two rows of one time cost at most about twice as many requests as full ones."""
    cloud = Cloud([0] * 1000, cap=lambda: 2)

    verdict, _ = read(cloud, limit=50, overlap=10, max_images=1000)

    assert not verdict.complete
    assert cloud.requests == 2 * 1000 // 40 + 10


@pytest.mark.parametrize("order", ["desc", "id", "shuffled"])
def test_a_list_in_another_order_proves_nothing(order: str) -> None:
    """A page in another order covers nothing, nor do the others; the reason says so, and no gap is searched for."""
    cloud = Cloud(range(120), rng=chance(1), order=order)

    verdict, _ = read(cloud, limit=50, overlap=10, window=4)

    assert not verdict.complete
    assert "the images at offset 0 are not sorted by created_at as requested" in verdict.reason
    assert verdict.gap_requests == 0


def test_one_answer_in_another_order_spoils_all() -> None:
    """If one answer of many is not sorted as requested, the order of the others is no evidence either."""
    scan = Scan(limit=6, overlap=2)
    letters = rows("a0 b1 c2 d3 e4 f5 g6 h7 i8 j9 k10 l11")
    answers = {
        FIRST: Page(0, letters[:6], 12),
        DESCENDING: Page(0, letters[:5:-1], 12, descending=True),
        PageRequest(4): Page(4, [letters[5], letters[4], *letters[6:10]], 12),
        PageRequest(8): Page(8, letters[8:], 12),
        PageRequest(10): Page(10, letters[10:], 12),
    }
    while (request := scan.ask()) is not None:
        scan.answer(answers[request])

    assert scan.verdict().reason.startswith("the images at offset 4 are not sorted by created_at as requested")


def test_a_descending_order_that_is_ignored_is_told() -> None:
    """If the cloud always sorts ascending, the end of the list is not covered, and the reason says why."""
    cloud = Cloud(range(120), order="asc")

    verdict, seen = read(cloud, limit=50, overlap=10, window=4)

    assert not verdict.complete
    assert seen == set(cloud.rows)
    assert "no answer covers the end of the list" in verdict.reason
    assert "the cloud ignores the descending order" in verdict.reason
    assert verdict.gap_requests == 0


def test_a_descending_order_that_is_ignored_among_equal_times_proves_nothing() -> None:
    """A first page of equal times looks the same in both orders, so it says nothing about the end."""
    cloud = Cloud([*[0] * 60, *range(10, 40)], order="asc")

    verdict, _ = read(cloud, limit=50, overlap=10)

    assert not verdict.complete


@pytest.mark.parametrize("where", ["first", "last"])
def test_images_without_a_time_at_one_end_are_proven(where: str) -> None:
    """Images without a readable time have a place if they all stand at one end, within the page that reaches it."""
    letters = rows("a0 b1 c2 d3 e4 f5 g6 h7")
    listed = [*rows("x? y?"), *letters] if where == "first" else [*letters, *rows("x? y?")]

    assert _read_as_listed(listed).by == "cover"


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        ("a0 b1 x? c2 d3 e4 f5 g6 h7", "not sorted"),
        ("x? a0 b1 c2 d3 e4 f5 g6 y?", "without a readable created_at stand at both ends"),
        ("s? t? u? v? w? x? y? z? a0 b1", "no answer covers the first image"),
        ("a0 b1 s? t? u? v? w? x? y? z?", "no answer covers the end of the list"),
    ],
)
def test_images_without_a_time_elsewhere_prove_nothing(listed: str, reason: str) -> None:
    """Images without a readable time among others, at both ends, or over more than a page leave a doubt."""
    assert reason in _read_as_listed(rows(listed)).reason


def _read_as_listed(listed: list[Row]) -> Verdict:
    scan = Scan(limit=6, overlap=2)
    while (request := scan.ask()) is not None:
        shown = listed[::-1] if request.descending else listed
        page = Page(request.offset, shown[request.offset :][:6], len(listed), descending=request.descending)
        scan.answer(page)
    return scan.verdict()


def test_ties_across_a_seam_cost_one_page_more() -> None:
    """Equal times across the whole overlap of two pages cost one more page, and the list is proven."""
    cloud = Cloud([*range(30), *[35] * 25, *range(40, 90)], rng=chance(1))

    verdict, seen = read(cloud, limit=50, overlap=10)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert cloud.requests <= fewest_pages(105, 50, 10) + 1


def test_the_overlap_grows_with_equal_times() -> None:
    """Where ten images share each time, pages overlap by more than ten rows, and no gap is left."""
    cloud = Cloud([n // 10 for n in range(2000)], rng=chance(1))

    verdict, _ = read(cloud, limit=100, overlap=10, max_images=10_000)

    assert (verdict.by, verdict.gap_requests) == ("cover", 0)
    assert cloud.requests <= 1 + 2000 // (100 - 16)


def test_gap_requests_are_bounded() -> None:
    """With no requests for gaps left, a gap stays open, and the rest of the list is read."""
    cloud = Cloud([*range(60), *[70] * 40, *range(80, 200)])

    verdict, seen = read(cloud, limit=50, overlap=10, max_gap_requests=0)

    assert (verdict.complete, verdict.gap_requests) == (False, 0)
    assert seen == set(cloud.rows)
    assert verdict.reason == "no answer covers 2024-01-01T01:10:00Z"
    assert read(cloud, limit=50, overlap=10, max_gap_requests=1)[0].complete


def test_a_list_that_moved_far_between_two_pages_is_searched_for_the_rest() -> None:
    """If many images before it went between two pages, the rows that were skipped are found."""
    cloud = Cloud(range(1000))

    def change(answers: int) -> None:
        if answers == 8:
            for _ in range(150):
                cloud.delete(0)

    verdict, seen = read(cloud, limit=50, overlap=10, change=change)

    assert verdict.complete
    assert cloud.alive <= seen
    assert 1 <= verdict.gap_requests <= 12


def test_ties_over_more_than_a_page_are_not_proven() -> None:
    """If more images than fit into a page share one time, the list is read to its end and not proven."""
    cloud = Cloud([0] * 400, rng=chance(1))

    verdict, _ = read(cloud, limit=50, overlap=10)

    assert verdict.reason == "400 images share 2024-01-01T00:00:00Z, too many for one page of 50"
    assert verdict.total == 400
    assert verdict.gap_requests == 0


@pytest.mark.parametrize("place", [0, 1, 5, 50, 70, 79, 80, 99, 110, 119])
@pytest.mark.parametrize("window", [1, 4])
def test_one_image_without_a_time_anywhere_hides_no_other(place: int, window: int) -> None:
    """Wherever one image without a readable time stands, also at the edge of an answer, no dated one is missed."""
    listed = [Row(str(n), None if n == place else at(n)) for n in range(120)]
    scan, asked, seen = Scan(limit=20, overlap=4), [], set()
    while True:
        while len(asked) < window and (request := scan.ask()) is not None:
            asked.append(request)
        if not asked:
            break
        request = asked.pop()
        shown = (listed[::-1] if request.descending else listed)[request.offset :][:20]
        seen |= {row.id for row in shown}
        scan.answer(Page(request.offset, shown, len(listed), descending=request.descending))

    assert not scan.verdict().complete or len(seen) >= 119
    assert scan.verdict().complete or "not sorted by created_at" in scan.verdict().reason


def test_a_refused_offset_ends_the_reading() -> None:
    """A page by offset has no replacement, unlike one by marker."""
    scan: ListScan = Scan(limit=6, overlap=2)
    scan.ask()

    with pytest.raises(ContractError, match="refuses the page at offset 4: no"):
        scan.refused(PageRequest(4), "no")
