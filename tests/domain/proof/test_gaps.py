"""Which page is requested to close a gap, and when none can."""

from __future__ import annotations

import pytest
from listing_model import Cloud, at, chance, read, rows

from sync.domain.proof.cover import END, Gap, key
from sync.domain.proof.gaps import GapSearches
from sync.domain.proof.page import Page, PageRequest, piece_of


def searches_after(page: str, offset: int, most: int = 100) -> GapSearches:
    """The searches of a reading that has seen one page."""
    searches = GapSearches(most)
    answer = Page(offset, rows(page), None)
    searches.add(piece_of(answer), answer.request)
    return searches


def gap(minute: int) -> Gap:
    """The gap of the images of one minute."""
    return Gap(key(at(minute)), key(at(minute)))


def test_the_first_page_begins_before_the_images_of_the_gap() -> None:
    """The page begins `overlap` rows before the row that stands before the first image of the gap."""
    searches = searches_after("a0 b1 c2 d2", 100)

    assert searches.next_requests([gap(2)], overlap=5, reach=20) == [PageRequest(102 - 1 - 5)]


def test_a_page_that_begins_too_late_is_followed_by_earlier_ones() -> None:
    """While pages begin within the gap, the next ones begin further left, by twice as many rows each time."""
    searches, asked = searches_after("a0 b1 c2 d2", 1000), []
    for _ in range(4):
        (request,) = searches.next_requests([gap(2)], overlap=5, reach=20)
        asked.append(request.offset)
        searches.add(piece_of(Page(request.offset, rows("x2 y2 z3"), None)), request)

    assert asked == [1001 - back for back in (5, 11, 23, 47)]


def test_a_page_that_ends_too_early_is_followed_by_later_ones_until_none_is_left() -> None:
    """If no page ends behind the gap, not even one that begins right before it, more images than fit share one time."""
    searches, asked = searches_after("a0 b1 c2 d2", 1000), []
    while requests := searches.next_requests([gap(2)], overlap=5, reach=20):
        asked.append(requests[0].offset)
        searches.add(piece_of(Page(asked[-1], rows("a0 b1 c2 d2"), None)), requests[0])

    assert asked == [1001 - back for back in (5, 2, 0)]


def test_between_too_early_and_too_late_the_middle_is_tried() -> None:
    """The search halves the rows between a page that began too late and one that ended too early."""
    searches = searches_after("a0 b1 c2 d2", 1000)
    for page in ("c2 d3", "c2 d3", "a0 b1"):
        (request,) = searches.next_requests([gap(2)], overlap=5, reach=20)
        searches.add(piece_of(Page(request.offset, rows(page), None)), request)

    assert searches.next_requests([gap(2)], overlap=5, reach=20) == [PageRequest(1001 - 17)]  # between 11 and 23


def test_a_search_in_a_list_that_never_holds_still_ends() -> None:
    """If every page begins too late, however far left it is requested, the search gives up."""
    searches, count = searches_after("a0 b1 c2 d2", 10**9), 0
    while requests := searches.next_requests([gap(2)], overlap=5, reach=20):
        count += 1
        searches.add(piece_of(Page(requests[0].offset, rows("c2 d3"), None)), requests[0])

    assert count == 24


def test_no_page_is_requested_for_the_end_or_below_the_first_image() -> None:
    """No page in ascending order shows where the list ends, and none begins before the first row."""
    searches = searches_after("a2 b2", 0)

    assert searches.next_requests([Gap(key(at(2)), END - 1)], overlap=5, reach=20) == []
    assert searches.next_requests([gap(2)], overlap=5, reach=20) == []  # the first image has this time
    assert searches.next_requests([gap(1)], overlap=5, reach=20) == []  # nothing is known below it


def test_gaps_side_by_side_are_closed_one_after_the_other() -> None:
    """A gap that the page for the one before may close gets no page of its own yet."""
    searches = searches_after("a0 b1 c2 d2", 100)
    answer = Page(101, rows("c2 d3 e4 f4"), None)
    searches.add(piece_of(answer), answer.request)

    assert len(searches.next_requests([gap(2), gap(4)], overlap=5, reach=20)) == 1


def test_the_number_of_pages_is_bounded() -> None:
    """No more pages are requested than allowed, for all gaps together."""
    searches = searches_after("a0 b1 c2 d2", 1000, most=2)
    for _ in range(2):
        (request,) = searches.next_requests([gap(2)], overlap=5, reach=20)
        searches.add(piece_of(Page(request.offset, rows("c2 d3"), None)), request)

    assert searches.next_requests([gap(2)], overlap=5, reach=20) == []
    assert searches.requests == 2


@pytest.mark.parametrize("tied", range(40, 60))
def test_a_group_of_equal_times_up_to_a_page_less_two_is_covered(tied: int) -> None:
    """A page covers a group only if it also shows a row before and a row behind it."""
    cloud = Cloud([*range(200), *[300] * tied, *range(400, 600)], rng=chance(1))

    verdict, seen = read(cloud, limit=50, overlap=10)

    assert verdict.complete == (tied <= 48)
    if verdict.complete:
        assert seen == set(cloud.rows)
        assert verdict.gap_requests <= 1
    else:
        assert verdict.reason == f"{tied} images share 2024-01-01T05:00:00Z, too many for one page of 50"


def test_a_group_that_is_too_large_is_counted_at_the_end_as_well() -> None:
    """The reason names the time and the number of images also if nothing comes after them."""
    verdict, _ = read(Cloud([*range(120), *[300] * 77], rng=chance(1)), limit=50, overlap=10)

    assert verdict.reason == "77 images share 2024-01-01T05:00:00Z, too many for one page of 50"


def test_gaps_that_stay_open_are_described() -> None:
    """At most three gaps are described, and the others counted."""
    tied = [minute for minute in range(0, 1000, 100) for _ in range(60)]

    verdict, _ = read(Cloud(sorted([*range(-50, 0), *tied, *range(1100, 1200)])), limit=50, overlap=10)

    assert verdict.reason.count("60 images share") == 3
    assert verdict.reason.endswith("; 7 more gaps")
