"""Which rows join two pages, and when two readings together prove a list."""

from __future__ import annotations

import pytest
from listing_model import CLAIMS, Cloud, fingerprint, read, rows

from sync.domain.proof.anchors import anchor
from sync.domain.proof.scan import Page, Scan, ScanSummary, Verdict, prove


@pytest.mark.parametrize(
    ("first", "repair", "second"),
    [
        ("a0 b1 c2 d3 e9 f9", "c2 d3 e9 f9 g9 h9", "e9 f9 g9 h9 i9 j9"),  # d3 joins the left, nothing the right
        ("a0 b1 c2 d2 e2 f2", "c2 d2 e2 f2 g7 h8", "e2 f2 g7 h8 i9 j9"),  # g7 joins the right, nothing the left
    ],
)
def test_a_repairing_page_must_join_both_sides(first: str, repair: str, second: str) -> None:
    """A page centred on a seam proves nothing if it shares an anchor with one side only."""
    verdict = read_pages({0: first, 4: second, 2: repair, 8: "i9 j9 k10"})

    assert not verdict.complete
    assert verdict.repaired == 1


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
    """Two pages are joined only by a row that one of them shows between rows of different, readable times."""
    left, right = rows(first), rows(second)

    assert (anchor(left, right, 4) is not None) == joined


def test_one_steady_reading_is_no_proof_and_two_of_the_same_are() -> None:
    """A list longer than a page whose times are all equal is proven by two equal readings with the right total."""
    cloud = Cloud([0] * 120)
    first, seen = read(cloud, limit=50, overlap=10, window=4)
    again, seen_again = read(cloud, limit=50, overlap=10, window=4)

    proof, tally = prove(first, len(seen), fingerprint(seen))
    second_proof, _ = prove(again, len(seen_again), fingerprint(seen_again), tally)

    assert (proof.proven, proof.by) == (False, "")
    assert "only in this reading" in proof.reason
    assert (second_proof.proven, second_proof.by) == (True, "count")


@pytest.mark.parametrize(
    ("total", "distinct", "before", "reason"),
    [
        (5, 5, None, "only in this reading"),
        (5, 5, ScanSummary(steady=False, distinct=5, fingerprint=1), "only in this reading"),
        (5, 5, ScanSummary(steady=True, distinct=5, fingerprint=2), "other images"),
        (5, 5, ScanSummary(steady=True, distinct=4, fingerprint=1), "other images"),
        (5, 4, ScanSummary(steady=True, distinct=4, fingerprint=1), "not a steady total"),
        (None, 5, ScanSummary(steady=True, distinct=5, fingerprint=1), "not a steady total"),
    ],
)
def test_the_reason_names_what_a_proof_by_count_lacks(
    total: int | None, distinct: int, before: ScanSummary | None, reason: str
) -> None:
    """Anything less than two steady readings of the same images is no proof, and the reason says why."""
    verdict = Verdict(complete=False, reason="no anchor", anchors={}, repaired=0, total=total, doubts=())

    proof, _ = prove(verdict, distinct, 1, before)

    assert not proof.proven
    assert reason in proof.reason


@pytest.mark.parametrize("claim", ["missing", "one less", "one more", "never above a page"])
def test_a_total_known_to_be_wrong_proves_nothing_by_count(claim: str) -> None:
    """If `total` was seen to be wrong, no number of ids makes it steady."""
    verdict, seen = read(Cloud([0] * 120, claim=CLAIMS[claim]), limit=50, overlap=10)

    tallies = [prove(verdict, distinct, 0)[1] for distinct in range(len(seen) + 3)]

    assert not any(tally.steady for tally in tallies)


def test_a_total_that_rows_went_beyond_is_not_steady() -> None:
    """If rows came from beyond `total`, it is not steady, even if the list later ends there."""
    verdict = read_pages({0: "a0 b0 c0 d0 e0 f0", 4: "e0 f0 g0 h0 i0 j0", 2: "c0 d0 e0 f0 g0 h0", 8: "i0"}, total=9)

    assert max(verdict.anchors) + 1 == 9  # the last page holds one row
    assert verdict.total is None


def read_pages(pages: dict[int, str], total: int = 11) -> Verdict:
    """Read a list from pages in short notation, of up to six rows each."""
    scan = Scan(limit=6, overlap=2)
    while (offset := scan.ask()) is not None:
        scan.answer(Page(offset, rows(pages[offset]), total))
    return scan.verdict()
