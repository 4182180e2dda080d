"""One reading: what is asked for, when it ends, and what is proven of it."""

from __future__ import annotations

import weakref

import pytest
from listing_model import Cloud, at, chance, read

from sync.domain.anchors import anchor
from sync.domain.listing import Page, Row, Scan, Tally, Verdict, judge
from sync.errors import ContractError

CLAIMS = {
    "missing": lambda _true: None,
    "zero": lambda _true: 0,
    "one less": lambda true: true - 1,
    "half": lambda true: true // 2,
    "never above a page": lambda true: min(true, 50),
    "one more": lambda true: true + 1,
    "double": lambda true: true * 2,
    "huge": lambda _true: 10**12,
}


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
    assert (verdict.total, verdict.doubts, verdict.mended) == (count, (), 0)


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
    assert verdict.mended == 0


def test_ties_across_a_seam_are_mended_by_one_page() -> None:
    """A run of equal times as long as the overlap costs one page more, and the listing is proven."""
    cloud = Cloud([*range(30), *[35] * 25, *range(40, 90)], rng=chance(1))

    verdict, seen = read(cloud, limit=50, overlap=10)

    assert verdict.complete
    assert seen == set(cloud.rows)
    assert verdict.mended == 1
    assert cloud.requests == fewest(105, 50, 10) + 1


def test_ties_over_more_than_a_page_are_not_proven_and_mended_once() -> None:
    """Where mending fails the proof is off, and no further page is spent on it."""
    cloud = Cloud([0] * 400, rng=chance(1))

    verdict, _ = read(cloud, limit=50, overlap=10)

    assert not verdict.complete
    assert "no image joins the pages" in verdict.reason
    assert cloud.requests == fewest(400, 50, 10) + 1


@pytest.mark.parametrize(
    ("first", "mend", "second"),
    [
        ("a0 b1 c2 d3 e9 f9", "c2 d3 e9 f9 g9 h9", "e9 f9 g9 h9 i9 j9"),  # d3 joins the left, nothing the right
        ("a0 b1 c2 d2 e2 f2", "c2 d2 e2 f2 g7 h8", "e2 f2 g7 h8 i9 j9"),  # g7 joins the right, nothing the left
    ],
)
def test_a_mending_page_must_join_both_sides(first: str, mend: str, second: str) -> None:
    """A page centred on a seam that shares an anchor with one side only proves nothing."""
    verdict = read_written({0: first, 4: second, 2: mend, 8: "i9 j9 k10"})

    assert not verdict.complete
    assert verdict.mended == 1


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("a0 b1 c2 d3 e4 f5", "e4 f5 g6", True),
        ("a0 b1 c2 d3 e4 f5", "f5 g6 h7", False),  # f5 stands at the edge of both: something may tie with it
        ("a0 b1 c2 d3 e4 f4", "e4 f4 g4", False),
        ("a0 b1 c2 d3 e3 f4", "e3 f4 g4", False),
        ("a0 b1 c2 d3 e4 f5", "x4 f5 g6", True),
        ("a0 b1 c2 d3 e4 f?", "e4 f? g6", False),
        ("a0 b1 c2 d? e4 f5", "e4 f5 g?", False),
        ("a0 b1 c2 d3 e4 f5", "g6 h7 i8", False),
    ],
)
def test_an_anchor_stands_strictly_between_its_neighbours(first: str, second: str, joined: bool) -> None:  # noqa: FBT001 - a table
    """Two pages are joined by a row that one of them shows between two readable, different times, and by no other."""
    left, right = Page(0, rows(first), None), Page(4, rows(second), None)

    assert (anchor(left, right, 4) is not None) == joined


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


def test_one_steady_reading_is_no_proof_and_two_of_the_same_are() -> None:
    """A list of one time, longer than a page, is proven by two readings that saw the same as total says."""
    cloud = Cloud([0] * 120)
    first, seen = read(cloud, limit=50, overlap=10, window=4)
    again, seen_again = read(cloud, limit=50, overlap=10, window=4)

    proof, tally = judge(first, len(seen), fingerprint(seen))
    second_proof, _ = judge(again, len(seen_again), fingerprint(seen_again), tally)

    assert (proof.proven, proof.by) == (False, "")
    assert "only in this reading" in proof.reason
    assert (second_proof.proven, second_proof.by) == (True, "count")


@pytest.mark.parametrize(
    ("total", "distinct", "before", "reason"),
    [
        (5, 5, None, "only in this reading"),
        (5, 5, Tally(steady=False, distinct=5, fingerprint=1), "only in this reading"),
        (5, 5, Tally(steady=True, distinct=5, fingerprint=2), "other images"),
        (5, 5, Tally(steady=True, distinct=4, fingerprint=1), "other images"),
        (5, 4, Tally(steady=True, distinct=4, fingerprint=1), "not a steady total"),
        (None, 5, Tally(steady=True, distinct=5, fingerprint=1), "not a steady total"),
    ],
)
def test_what_a_proof_by_count_lacks_is_said(
    total: int | None, distinct: int, before: Tally | None, reason: str
) -> None:
    """Anything short of two steady readings of the same images is no proof, and the reason names it."""
    verdict = Verdict(complete=False, reason="no anchor", seams=(), mended=0, total=total, doubts=())

    proof, _ = judge(verdict, distinct, 1, before)

    assert not proof.proven
    assert reason in proof.reason


@pytest.mark.parametrize("claim", ["missing", "one less", "one more", "never above a page"])
def test_a_total_known_to_be_wrong_proves_nothing_by_count(claim: str) -> None:
    """Where total was seen to be wrong, no number of ids makes it steady."""
    verdict, seen = read(Cloud([0] * 120, claim=CLAIMS[claim]), limit=50, overlap=10)

    tallies = [judge(verdict, distinct, 0)[1] for distinct in range(len(seen) + 3)]

    assert not any(tally.steady for tally in tallies)


def test_a_total_that_rows_went_beyond_is_not_steady() -> None:
    """Where rows came from behind the total, the list ending there later does not make up for it."""
    verdict = read_written({0: "a0 b0 c0 d0 e0 f0", 4: "e0 f0 g0 h0 i0 j0", 2: "c0 d0 e0 f0 g0 h0", 8: "i0"}, total=9)

    assert verdict.seams[-1].offset + verdict.seams[-1].count == 9
    assert verdict.total is None


class Rows(list[Row]):
    """A list that can be watched for being forgotten."""

    __hash__ = object.__hash__


def fingerprint(seen: set[Row]) -> int:
    """Return the same for the same ids."""
    return hash(frozenset(row.id for row in seen))


def rows(text: str) -> list[Row]:
    """Return rows from their ids and minutes: "a0 b1"; "?" for a time that cannot be read."""
    return [Row(word[0], None if word[1:] == "?" else at(int(word[1:]))) for word in text.split()]


def read_written(pages: dict[int, str], total: int = 11) -> Verdict:
    """Read a list from written answers of up to six rows."""
    scan = Scan(limit=6, overlap=2)
    while (offset := scan.ask()) is not None:
        scan.answer(Page(offset, rows(pages[offset]), total))
    return scan.verdict()
