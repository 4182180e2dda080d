"""One reading of a list by marker: what it requests, when it ends, and what is proven by it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from marker_model import MarkerCloud, as_bytes, read, uid, without_case

from sync.domain.proof.id_cover import IdInterval
from sync.domain.proof.marker import MarkerScan
from sync.domain.proof.page import Page, PageRequest, Row
from sync.errors import ContractError

FIRST, DESCENDING = PageRequest(), PageRequest(descending=True)


def cloud_of(numbers: Sequence[int], shape: str = "uuid", **more: object) -> MarkerCloud:
    """A cloud with these images."""
    return MarkerCloud({uid(number, shape): "" for number in numbers}, **more)  # type: ignore[arg-type]


def page(request: PageRequest, *ids: str) -> Page:
    """An answer with these images."""
    return Page(
        0,
        [Row(each, None) for each in ids],
        None,
        descending=request.descending,
        marker=request.marker,
        part=request.part,
    )


def starts_of(count: int, chains: int) -> list[str]:
    """Ids at equal steps."""
    return [uid(count * n // (chains + 1)) for n in range(1, chains + 1)]


@pytest.mark.parametrize(
    ("count", "requests"), [(0, 2), (1, 4), (2, 2), (20, 2), (39, 2), (40, 3), (299, 15), (300, 16)]
)
@pytest.mark.parametrize("shape", ["uuid", "hex"])
def test_a_quiet_list_is_proven_with_the_fewest_requests(count: int, requests: int, shape: str) -> None:
    """The descending page takes the place of the last one; one image alone shows no order, so it is asked for again."""
    cloud = cloud_of(range(count), shape)

    verdict, seen = read(cloud, MarkerScan(limit=20), limit=20)

    assert verdict.by == ("cover" if count else "whole")
    assert (seen, len(cloud.requests)) == (set(cloud.images), requests)
    assert (verdict.total, verdict.refused_markers, verdict.by_marker) == (None, 0, True)
    assert verdict.reason == (f"{requests} answers cover the list" if count else "the list is empty from both ends")


@pytest.mark.parametrize("chains", [1, 3, 15])
@pytest.mark.parametrize("window", [1, 4])
def test_chains_from_known_ids_cost_a_few_requests(chains: int, window: int) -> None:
    """Several pages are read at a time, without a request that the same list read in order would not need, but few."""
    cloud = cloud_of(range(2000))

    verdict, seen = read(cloud, MarkerScan(limit=20, starts=starts_of(2000, chains)), limit=20, window=window)

    assert verdict.by == "cover"
    assert seen == set(cloud.images)
    assert len(cloud.requests) <= 100 + chains + 1


def test_requests_are_made_ahead_at_known_ids() -> None:
    """Before the first answer comes, the end of the list and the middle of its stretches are requested."""
    scan = MarkerScan(limit=20, starts=starts_of(400, 3))

    assert [scan.ask() for _ in range(6)] == [
        FIRST,
        DESCENDING,
        PageRequest(marker=uid(200)),
        PageRequest(marker=uid(100)),
        PageRequest(marker=uid(300)),
        None,
    ]
    assert not scan.done


def test_a_part_list_is_named_in_each_request() -> None:
    """The requests of a part-list carry its name."""
    scan = MarkerScan(limit=20, part="hidden")

    assert (scan.ask(), scan.ask()) == (PageRequest(part="hidden"), PageRequest(0, descending=True, part="hidden"))


def test_after_a_short_first_page_the_descending_one_is_awaited() -> None:
    """The list may end with a short page, so nothing more is requested before the other end is known."""
    scan = MarkerScan(limit=20)
    scan.ask(), scan.ask()
    scan.answer(page(FIRST, uid(1), uid(2)))
    waiting = scan.ask()
    scan.answer(page(DESCENDING, uid(2), uid(1)))

    assert (waiting, scan.done, scan.verdict().by) == (None, True, "cover")


def test_evidence_of_an_answer_is_what_it_covers() -> None:
    """A page covers from its marker to its last row, the descending one from its last row on, an empty one nothing."""
    scan = MarkerScan(limit=2, starts=[uid(5)])
    known = PageRequest(marker=uid(5))
    scan.ask(), scan.ask(), scan.ask()

    assert scan.answer(page(FIRST, uid(1), uid(3))).ids == IdInterval(None, uid(3))
    assert scan.answer(page(DESCENDING, uid(9), uid(8))).ids == IdInterval(uid(8), None, from_after=True)
    assert scan.answer(page(known, uid(6), uid(7))).ids == IdInterval(uid(5), uid(7))
    assert scan.answer(page(PageRequest(marker=uid(3)))).ids is None


def test_an_empty_list_is_covered_as_a_whole() -> None:
    """The answer that shows the other end empty too is the evidence for all ids."""
    scan = MarkerScan(limit=2)
    scan.ask(), scan.ask()

    assert scan.answer(page(FIRST)).ids is None
    assert scan.answer(page(DESCENDING)).ids == IdInterval(None, None)


def test_an_end_that_was_empty_once_must_be_so_again() -> None:
    """If images come and go, the list is empty only if both ends are after the last image that came."""
    scan = MarkerScan(limit=2)
    scan.ask(), scan.ask()
    scan.answer(page(FIRST))
    scan.answer(page(DESCENDING, uid(6), uid(5)))
    again = scan.ask()
    scan.answer(page(DESCENDING))

    assert (again, scan.done, scan.verdict().complete) == (DESCENDING, False, False)


def test_a_list_that_becomes_empty_is_covered() -> None:
    """If the only image is deleted meanwhile, both ends are empty at last; no answer held the whole list."""
    cloud = cloud_of([5])

    verdict, _ = read(cloud, MarkerScan(limit=2), limit=2, change=lambda answers: answers == 1 and cloud.delete(uid(5)))

    assert (verdict.by, verdict.reason) == (
        "cover",
        "the list is empty from both ends; 1 marker was refused and replaced (no such image)",
    )


@pytest.mark.parametrize("first_empty", [True, False])
def test_a_list_with_one_empty_end_is_not_empty(first_empty: bool) -> None:  # noqa: FBT001 - a table
    """An image after a known id contradicts an empty end, however often that comes."""
    scan, requests = MarkerScan(limit=2, starts=[uid(5)]), 0
    while (request := scan.ask()) is not None:
        requests += 1
        empty = first_empty or request.marker != uid(5) if request.marker else first_empty != request.descending
        scan.answer(page(request) if empty and request.marker != uid(5) else page(request, uid(6)))

    assert not scan.verdict().complete
    assert requests < 100


@pytest.mark.parametrize("cap", [1, 2, 7, 19])
def test_a_short_page_is_not_the_end(cap: int) -> None:
    """If the cloud returns fewer rows than requested, the list is read and proven all the same."""
    cloud = cloud_of(range(100), cap=lambda: cap)

    verdict, seen = read(cloud, MarkerScan(limit=20, starts=starts_of(100, 3)), limit=20, window=4)

    assert verdict.by == "cover"
    assert seen == set(cloud.images)
    assert len(cloud.requests) <= 100 // cap + 8


@pytest.mark.parametrize("lost", ["refused", "tolerated", "restart", "empty"])
def test_a_lost_marker_is_replaced(lost: str) -> None:
    """If the image that serves as marker is deleted, a row before it takes its place, whatever the cloud does then."""
    cloud = cloud_of(range(100), lost=lost)

    def delete_the_last(answers: int) -> None:
        if answers == 3:
            for number in range(38, 40):
                cloud.delete(uid(number))

    verdict, seen = read(cloud, MarkerScan(limit=20), limit=20, change=delete_the_last)

    assert verdict.by == "cover"
    assert cloud.alive <= seen
    assert (verdict.refused_markers > 1) == (lost in ("refused", "restart"))
    assert ("markers were refused and replaced" in verdict.reason) == (lost in ("refused", "restart"))
    assert ("(no such image)" in verdict.reason) == (lost == "refused")


def test_a_reading_goes_on_from_the_beginning_if_all_markers_are_lost() -> None:
    """If every image that was seen is deleted, the list is read from its beginning again."""
    cloud = cloud_of(range(3000))

    def delete_most(answers: int) -> None:
        if answers == 60:
            for number in range(2, 1500):
                cloud.delete(uid(number))

    verdict, seen = read(cloud, MarkerScan(limit=20), limit=20, change=delete_most)

    assert verdict.by == "cover"
    assert cloud.alive <= seen
    assert verdict.refused_markers <= 12
    assert verdict.gap_requests <= 20


def test_a_known_id_that_is_gone_is_dropped() -> None:
    """An id from an earlier run needs no replacement, and is no sign of a cloud that ignores the marker."""
    for lost in ("refused", "restart", "empty"):
        cloud = cloud_of(range(0, 300, 2), lost=lost)
        gone = [uid(number) for number in range(1, 299, 20)]

        verdict, seen = read(cloud, MarkerScan(limit=20, starts=gone), limit=20, window=4)

        assert (verdict.by, verdict.gap_requests) == ("cover", 0)
        assert seen == set(cloud.images)


@pytest.mark.parametrize("shape", ["uuid", "odd"])
@pytest.mark.parametrize("window", [1, 4])
def test_a_cloud_that_ignores_the_marker_is_recognised(shape: str, window: int) -> None:
    """If every page is the first one again, the scan soon fails; known ids are tried before."""
    cloud = cloud_of(range(100), heeds_marker=False)
    if shape == "odd":
        cloud.insert("00-odd")

    with pytest.raises(ContractError, match="ignores the marker"):
        read(cloud, MarkerScan(limit=20, starts=starts_of(100, 3)), limit=20, window=window)

    assert len(cloud.requests) <= 2 + 4 + 3 + 4


def test_a_marker_that_is_refused_for_good_ends_the_reading() -> None:
    """If every marker is refused, nothing is proven, and the number of requests is bounded."""
    cloud = cloud_of(range(100))
    scan, requests = MarkerScan(limit=20), 0
    while (request := scan.ask()) is not None:
        requests += 1
        if request.marker is None:
            scan.answer(cloud.answer(request, 20))
        else:
            scan.refused(request, "403")

    verdict = scan.verdict()
    assert (verdict.complete, scan.done) == (False, True)
    assert verdict.reason.startswith(f"no answer covers the ids between {uid(19)} and {uid(80)}; ")
    assert "markers were refused and replaced (403)" in verdict.reason
    assert requests < 50


def test_the_beginning_of_the_list_can_not_be_refused() -> None:
    """A request without a marker that is refused is an error of its own."""
    scan = MarkerScan(limit=20)
    scan.ask()

    with pytest.raises(ContractError, match="refuses the beginning of the list: not here"):
        scan.refused(FIRST, "not here")


def test_the_descending_page_is_requested_again_if_the_list_became_shorter() -> None:
    """If all images of the descending page are deleted, the end of the list lies before them."""
    cloud = cloud_of(range(100))

    def delete_the_end(answers: int) -> None:
        if answers == 2:
            for number in range(65, 100):
                cloud.delete(uid(number))

    verdict, _ = read(cloud, MarkerScan(limit=20), limit=20, change=delete_the_end)

    assert verdict.by == "cover"
    assert cloud.requests.count(DESCENDING) == 2
    assert verdict.gap_requests >= 1


def test_a_repeated_descending_page_is_awaited() -> None:
    """It may close the gap, so no other marker is tried before it has come."""
    scan = MarkerScan(limit=2)
    scan.ask(), scan.ask()
    scan.answer(page(DESCENDING, uid(9), uid(8)))
    scan.answer(page(FIRST, uid(1), uid(2)))
    after = scan.ask()
    scan.answer(page(PageRequest(marker=uid(2))))

    assert (after, scan.ask(), scan.ask()) == (PageRequest(marker=uid(2)), DESCENDING, None)
    scan.answer(page(DESCENDING, uid(2), uid(1)))
    assert (scan.done, scan.verdict().by) == (True, "cover")


@pytest.mark.parametrize("shape", ["uuid", "odd"])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_a_cloud_that_ignores_the_descending_order_leaves_the_end_open(shape: str, count: int) -> None:
    """Without a page from the other end, nothing shows where the list ends; a single image has no order."""
    cloud = cloud_of(range(count), heeds_descending=False)
    if shape == "odd":
        cloud.insert("ODD")

    verdict, seen = read(cloud, MarkerScan(limit=20), limit=20)

    assert verdict.complete == (count == 1 and shape == "uuid")
    assert seen == set(cloud.images)
    if count > 1 and shape == "uuid":
        assert verdict.reason == (
            f"no answer covers the ids after {uid(count - 1)}; the cloud ignores the descending order"
        )
        assert len(cloud.requests) <= 6


def test_a_single_row_in_descending_order_must_outlive_the_empty_page_after_it() -> None:
    """A cloud that ignores the order, puts one row in a page, and answers a lost marker with nothing, proves nothing."""
    cloud = cloud_of(range(5), heeds_descending=False, cap=lambda: 1, lost="empty")

    verdict, seen = read(
        cloud, MarkerScan(limit=20), limit=20, change=lambda answers: answers == 2 and cloud.delete(uid(0))
    )

    assert not verdict.complete or cloud.alive <= seen


@pytest.mark.parametrize("window", [1, 4])
def test_a_list_in_another_order_proves_nothing(window: int) -> None:
    """If a page is not sorted by id, the list is read to its end, and the reason says so."""
    cloud = cloud_of(range(1000), order=lambda each: (each[7::-1],))

    verdict, seen = read(cloud, MarkerScan(limit=20, starts=starts_of(1000, 3)), limit=20, window=window)

    assert not verdict.complete
    assert "not sorted by id as requested" in verdict.reason
    assert seen == set(cloud.images)
    assert len(cloud.requests) <= 50 + 8


def test_an_odd_id_in_the_middle_begins_a_chain() -> None:
    """What was covered counts no more; all is read again, page after page, and proven by shared rows."""
    cloud = cloud_of(range(1000), order=without_case)
    scan = MarkerScan(limit=20, starts=starts_of(1000, 3))

    def add_an_odd_one(answers: int) -> None:
        if answers == 10:
            cloud.insert(uid(900)[:-2] + "FE")

    verdict, seen = read(cloud, scan, limit=20, window=4, change=add_an_odd_one)

    assert verdict.by == "chain"
    assert seen == set(cloud.images)


def test_known_ids_that_can_not_be_compared_are_not_used() -> None:
    """The server ignores case: by bytes, a page after BB would seem to cover what lies between ab and cc."""
    images = [uid(0xAA), uid(0xAB), uid(0xBB).replace("bb", "BB"), uid(0xCC), uid(0xCD)]
    cloud = MarkerCloud(dict.fromkeys(images, ""), order=without_case)

    verdict, seen = read(cloud, MarkerScan(limit=2, starts=[images[2]]), limit=2, window=4)
    scan = MarkerScan(limit=2, starts=[images[2]])

    assert (verdict.by, seen) == ("chain", set(images))
    assert [scan.ask() for _ in range(3)] == [FIRST, DESCENDING, None]


def test_nothing_is_complete_while_a_page_is_open() -> None:
    """The verdict waits for every requested page."""
    scan = MarkerScan(limit=2, starts=[uid(1)])
    known = PageRequest(marker=uid(1))
    assert [scan.ask(), scan.ask(), scan.ask()] == [FIRST, DESCENDING, known]
    scan.answer(page(FIRST, uid(1), uid(2)))
    scan.answer(page(DESCENDING, uid(3), uid(2)))
    early = scan.verdict()
    scan.answer(page(known, uid(2), uid(3)))

    assert (early.complete, early.reason) == (False, "the list was not read to its end")
    assert (scan.done, scan.verdict().by) == (True, "cover")


@pytest.mark.parametrize("size", [1, 2, 20])
@pytest.mark.parametrize("odd", [False, True])
def test_an_endless_list_is_given_up(size: int, odd: bool) -> None:  # noqa: FBT001 - a table
    """A list that always goes on is read up to `max_images`, and no further."""
    scan, requests, born = MarkerScan(limit=20, max_images=400, max_gap_requests=10), 0, 0
    last = "A" if odd else ""
    while (request := scan.ask()) is not None:
        requests += 1
        if request.descending:
            scan.answer(page(request, uid(10**6) + last, uid(10**6 - 1) + last))
            continue
        shared = [uid(born) + last] if odd and request.marker and size > 1 else []
        ids = [uid(born + n) + last for n in range(1, size + 1 - len(shared))]
        born += len(ids)
        scan.answer(page(request, *shared, *ids))

    verdict = scan.verdict()
    assert (scan.done, verdict.complete) == (True, False)
    assert requests <= 2 * 400 // min(size, 2) + 40
    if not odd:
        assert verdict.reason == f"the end of the list was not reached in {requests} pages"


def test_gap_requests_are_bounded() -> None:
    """No more pages than allowed are requested to replace markers; 0 allows none."""
    cloud = cloud_of(range(100))
    for most in (0, 3):
        scan, requests = MarkerScan(limit=20, max_gap_requests=most), 0
        while (request := scan.ask()) is not None:
            requests += 1
            if request.marker is None:
                scan.answer(cloud.answer(request, 20))
            else:
                scan.refused(request, "no")

        assert (scan.verdict().gap_requests, requests) == (most, 3 + most)


def test_the_reason_names_at_most_three_gaps() -> None:
    """Of many gaps, the first three are described."""
    scan = MarkerScan(limit=2, starts=[uid(10 * n) for n in range(1, 8)])
    while (request := scan.ask()) is not None:
        known = (
            request.marker is not None and request.marker[6:8] in "0a 14 1e 28 32 3c 46" and request.marker[7] != " "
        )
        if request.marker is None:
            scan.answer(page(request, *([uid(99), uid(98)] if request.descending else [uid(1), uid(2)])))
        elif known:
            number = int(request.marker[:8], 16)
            scan.answer(page(request, uid(number + 1), uid(number + 2)))
        else:
            scan.refused(request, "no")

    reason = scan.verdict().reason
    assert reason.count("between") == 3
    assert "; 5 more gaps; " in reason


def test_records_without_a_readable_id_are_passed_over() -> None:
    """An id that is no text is as odd as others; the chain goes on from rows that have one."""
    scan, listed = MarkerScan(limit=3), [uid(1), "", uid(2), "", "", uid(3), ""]
    while (request := scan.ask()) is not None:
        rows = listed[::-1] if request.descending else listed
        start = 0 if request.marker is None else rows.index(request.marker) + 1
        scan.answer(page(request, *rows[start : start + 5]))

    assert scan.verdict().by == "chain"


def test_the_order_of_bytes_is_not_assumed_of_odd_ids() -> None:
    """Ids of any kind are proven in the order of bytes as in any other."""
    for order in (as_bytes, without_case):
        cloud = MarkerCloud({f"Image {number} {'aBc'[number % 3]}": "" for number in range(100)}, order=order)

        verdict, seen = read(cloud, MarkerScan(limit=20), limit=20, window=4)

        assert (verdict.by, seen) == ("chain", set(cloud.images))
        assert len(cloud.requests) <= 9


def test_known_ids_of_another_shape_are_not_compared_with_the_images() -> None:
    """A cloud may sort UUIDs with and without hyphens otherwise than by their bytes: then no known id is a marker."""
    cloud = cloud_of(range(200), "hex", order=without_case)

    verdict, seen = read(cloud, MarkerScan(limit=20, starts=starts_of(200, 3)), limit=20, window=4)

    assert (verdict.by, seen) == ("chain", set(cloud.images))
