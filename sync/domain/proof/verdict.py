"""The verdict on one reading of the image list, and how two readings together can prove what one could not.

By anchors: one reading is enough; see ``sync.domain.proof.anchors``.

By count, for lists in which more images than a page holds share one ``created_at``. A reading is *steady* if every
answer gave the same ``total``, the page that reached the end ended exactly there, no row came from beyond it, and the
number of distinct ids is ``total``. Two steady readings that saw the same set of ids S, one wholly after the other,
prove the list.

Proof: let M be the moment of the last answer of the first reading. Each id in S was seen at or before M, and again
after M. An id that is gone does not come back meanwhile, so all of S existed at M. The list then had ``total`` images,
as many as S has; so S was the whole list at M, and every image that existed during both readings is in S. Order, ties
and offsets play no part.

This rests on two assumptions that anchors do not need: ``total`` was right at M, and no id disappeared and came back
between the two readings. One steady reading proves nothing: it may have missed one image and seen another that was
then deleted, and the count would still match.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one reading.

    Attributes:
        complete: whether the reading holds every image that existed during all of it, proven by anchors.
        reason: why it is complete or is not, in words.
        anchors: the evidence: by the offset of each page the id of the row that joins it to the page before it, or "".
        repaired: number of pages that were requested to repair a seam.
        total: the one ``total`` that all answers gave and at which the list ended, or None.
        doubts: contradictions in the answers, in words.
    """

    complete: bool
    reason: str
    anchors: Mapping[int, str]
    repaired: int
    total: int | None
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """The part of a reading that is kept to compare the next one with it.

    Attributes:
        steady: whether as many distinct ids came as every answer said there are.
        distinct: number of distinct ids.
        fingerprint: of the set of ids, in whatever order; 128 bits of a cryptographic digest or more.
    """

    steady: bool
    distinct: int
    fingerprint: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a listing is proven complete: any image that it lacks did not exist the whole time.

    Attributes:
        proven: whether it is.
        by: the kind of proof, or "" if there is none.
        reason: why it is proven or is not, in words.
    """

    proven: bool
    by: Literal["anchors", "count", ""]
    reason: str


def prove(
    verdict: Verdict, distinct: int, fingerprint: int, before: ScanSummary | None = None
) -> tuple[Proof, ScanSummary]:
    """Decide whether a reading is proven complete, alone or together with the one before it.

    Args:
        verdict: on this reading.
        distinct: number of distinct ids that came.
        fingerprint: of the set of these ids, in whatever order.
        before: summary of the previous reading of the same source, all of whose answers came before this one's first
            request.

    Returns:
        The proof, and the summary of this reading for the next one.
    """
    summary = ScanSummary(verdict.total is not None and verdict.total == distinct, distinct, fingerprint)
    if verdict.complete:
        return Proof(proven=True, by="anchors", reason=verdict.reason), summary
    if lack := _lack(summary, before):
        return Proof(proven=False, by="", reason=f"{verdict.reason}; and {lack}"), summary
    same = f"two consecutive readings saw the same {distinct} images, as many as total says"
    return Proof(proven=True, by="count", reason=same), summary


def _lack(summary: ScanSummary, before: ScanSummary | None) -> str:
    """What a proof by count lacks, or ""."""
    if not summary.steady:
        return f"the {summary.distinct} images that came are not a steady total"
    if before is None or not before.steady:
        return f"total says {summary.distinct} too, but only in this reading"
    return "" if before == summary else "the previous reading saw other images"
