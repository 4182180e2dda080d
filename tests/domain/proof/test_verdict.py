"""When two readings together prove a list, and what takes a proof away."""

from __future__ import annotations

import pytest
from listing_model import CLAIMS, Cloud, Seen, read

from sync.domain.proof.page import Page, PageRequest
from sync.domain.proof.scan import Scan
from sync.domain.proof.verdict import Verdict, prove


class Ids:
    """The ids of a reading, as their number and a fingerprint."""

    def __init__(self, distinct: int, fingerprint: int = 1) -> None:
        self.distinct, self._fingerprint = distinct, fingerprint

    def fingerprint(self) -> int:
        """Return the fingerprint."""
        return self._fingerprint


def test_one_steady_reading_is_no_proof_and_two_of_the_same_are() -> None:
    """A list longer than a page whose times are all equal is proven by two equal readings with the right total."""
    cloud = Cloud([0] * 120)
    first, seen = read(cloud, limit=50, overlap=10, window=4)
    again, seen_again = read(cloud, limit=50, overlap=10, window=4)

    proof, tally = prove(first, Seen(row.id for row in seen))
    second_proof, _ = prove(again, Seen(row.id for row in seen_again), tally)

    assert (proof.proven, proof.by) == (False, "")
    assert "only one reading" in proof.reason
    assert (second_proof.proven, second_proof.by) == (True, "count")


@pytest.mark.parametrize(
    ("total", "distinct", "before", "reason"),
    [
        (5, 5, None, "only one reading"),
        (5, 5, 2, "other images than the first"),
        (5, 4, 1, "4 images came, and total says 5"),
        (None, 5, 1, "the answers give no single total"),
    ],
)
def test_the_reason_names_what_a_proof_by_count_lacks(
    total: int | None, distinct: int, before: int | None, reason: str
) -> None:
    """Anything less than two steady readings of the same images is no proof, and the reason says why."""
    proof, _ = prove(Verdict(by="", reason="a gap", total=total), Ids(distinct), before)

    assert not proof.proven
    assert proof.reason.startswith("a gap; nor does counting prove it: ")
    assert reason in proof.reason


@pytest.mark.parametrize(("by", "proven"), [("cover", False), ("whole", True), ("", False)])
def test_an_image_that_moved_takes_the_proof_by_cover_away(by: str, proven: bool) -> None:  # noqa: FBT001 - a table
    """If an image changed its created_at, the order proves nothing; one answer that holds the whole list still does."""
    proof, _ = prove(Verdict(by=by, reason="covered", total=None), Ids(5), order_doubt="image a moved")  # type: ignore[arg-type]

    assert proof.proven == proven
    assert (
        proven
        or proof.reason
        == "image a moved; nor does counting prove it: 5 images came, and the answers give no single total"
    )


def test_two_counts_prove_a_list_in_which_an_image_moved() -> None:
    """A proof by count needs no order."""
    before = 1

    proof, _ = prove(Verdict(by="cover", reason="covered", total=5), Ids(5), before, order_doubt="image a moved")

    assert proof.by == "count"


@pytest.mark.parametrize("claim", ["missing", "one less", "one more", "never above a page"])
def test_a_total_known_to_be_wrong_proves_nothing_by_count(claim: str) -> None:
    """If `total` was seen to be wrong, no number of ids makes it steady."""
    verdict, seen = read(Cloud([0] * 120, claim=CLAIMS[claim]), limit=50, overlap=10)

    assert prove(verdict, Ids(len(seen)))[1] is None


def test_a_total_that_rows_went_beyond_is_not_steady() -> None:
    """If rows came from beyond `total`, it is not steady."""
    pages = {PageRequest(0): 6, PageRequest(4): 6, PageRequest(8): 3, PageRequest(2): 6}
    cloud, scan = Cloud([0] * 11), Scan(limit=6, overlap=2)
    while (request := scan.ask()) is not None:
        answer = cloud.answer(request, 6)
        scan.answer(Page(request.offset, answer.rows[: pages.get(request, 6)], 9, descending=request.descending))

    assert scan.verdict().total is None


@pytest.mark.parametrize("by", ["whole", "cover", "chain", ""])
def test_a_list_by_marker_is_not_counted(by: str) -> None:
    """Such a list has no total: its reason is that of its reading, and a changed created_at puts nothing in doubt."""
    verdict = Verdict(by=by, reason="as it is", total=None, by_marker=True)  # type: ignore[arg-type]

    proof, steady = prove(verdict, Ids(5), 1, order_doubt="an image moved")

    assert (proof.by, proof.reason, steady) == (by, "as it is", None)
