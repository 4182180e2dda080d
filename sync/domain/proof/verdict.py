"""The verdict on one reading of the image list, and when two readings together prove what one could not.

By anchors: see ``sync.domain.proof.anchors``; one reading is enough.

By count, for where more images than a page holds share one ``created_at``. A reading is *steady* if every answer gave
the same ``total``, the page that reached the end ended exactly there, no row came from behind it, and as many
distinct ids came. Two readings that are steady and saw the same set of ids S, one wholly after the other, prove the
list.

Why: let M be the moment of the last answer of the first reading. Each id in S was seen at or before M, and again
after M. An id that is gone does not come back meanwhile, so all of S existed at M. The list then had ``total`` images,
as many as S has; so S was the list at M, and whatever existed during both readings is in S. Order, ties and offsets
play no part.

It rests on two things that anchors do not need: ``total`` was right at M, and no id went and came back between the
two readings. One steady reading proves nothing: an image that was missed is made up for by one that was seen and then
deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one reading came to.

    Attributes:
        complete: an image that existed during the whole reading cannot be missing from it.
        reason: why, or why not, in words.
        anchors: the evidence: by the offset of each page the id of the row that joins it to the page before it, or "".
        mended: number of pages that were asked for to mend a seam.
        total: the one ``total`` that all answers gave and at which the list ended, or None.
        doubts: what in the answers does not fit together, in words.
    """

    complete: bool
    reason: str
    anchors: Mapping[int, str]
    mended: int
    total: int | None
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """What must be remembered of a reading to hold the next one against it.

    Attributes:
        steady: as many distinct ids came as every answer said there are.
        distinct: number of distinct ids.
        fingerprint: of the set of ids, whatever their order; 128 bits of a cryptographic digest or more.
    """

    steady: bool
    distinct: int
    fingerprint: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a listing is proven: what it lacks was not there the whole time.

    Attributes:
        proven: it is.
        by: what proves it, or "".
        reason: why, or why not, in words.
    """

    proven: bool
    by: Literal["anchors", "count", ""]
    reason: str


def prove(
    verdict: Verdict, distinct: int, fingerprint: int, before: ScanSummary | None = None
) -> tuple[Proof, ScanSummary]:
    """Say whether a reading is proven, and what to remember of it for the next.

    Args:
        verdict: on the scan.
        distinct: number of distinct ids that came.
        fingerprint: of the set of these ids, whatever their order.
        before: of the reading before it, of the same source; its last answer came before this one's first question.
    """
    tally = ScanSummary(verdict.total is not None and verdict.total == distinct, distinct, fingerprint)
    if verdict.complete:
        return Proof(proven=True, by="anchors", reason=verdict.reason), tally
    if lack := _lack(tally, before):
        return Proof(proven=False, by="", reason=f"{verdict.reason}; and {lack}"), tally
    same = f"two readings running saw the same {distinct} images, as many as there are by total"
    return Proof(proven=True, by="count", reason=same), tally


def _lack(tally: ScanSummary, before: ScanSummary | None) -> str:
    """What a proof by count lacks, or ""."""
    if not tally.steady:
        return f"the {tally.distinct} images that came are not a steady total"
    if before is None or not before.steady:
        return f"total says {tally.distinct} as well, but only in this reading"
    return "" if before == tally else "the reading before it saw other images"
