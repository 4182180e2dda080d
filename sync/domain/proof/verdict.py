"""The verdict on one reading of the image list, and how two readings together can prove what one could not.

One reading is enough if one answer holds the whole list, or if its answers cover the list (see
``sync.domain.proof.cover``). A cover proves nothing if the ``created_at`` of an image was seen to change.

A list that is paged by marker is sorted by id, and proven by cover or by a chain of pages
(``sync.domain.proof.marker``), in each of its parts if it has several.

By count, for lists in which more images than a page holds share one ``created_at``. A reading is *steady* if every
answer gave the same ``total``, no row came from beyond it, and the number of distinct ids is ``total``. Two steady
readings that saw the same set of ids S, one wholly after the other, prove the list.

Proof: let M be the moment of the last answer of the first reading. Each id in S was seen at or before M, and again
after M. An id that is gone does not come back meanwhile, so all of S existed at M. The list then had ``total`` images,
as many as S has; so S was the whole list at M, and every image that existed during both readings is in S. Order, ties
and offsets play no part.

This rests on two assumptions that the cover does not need: ``total`` was right at M, and no id disappeared and came
back between the two readings. One steady reading proves nothing: it may have missed one image and seen another that was
then deleted, and the count would still match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["whole", "cover", "chain", "count", ""]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one reading.

    Attributes:
        by: how the reading alone proves that it holds every image that existed during all of it, or "".
        reason: why it does or does not, in words.
        total: the one ``total`` that all answers gave, or None.
        gap_requests: number of pages that were requested to close gaps.
        refused_markers: number of markers that the cloud refused, or answered from the beginning of the list.
        by_marker: whether the list is paged by marker, and so sorted by id: it has no ``total`` to count by, and a
            changed ``created_at`` does not put its order in doubt.
    """

    by: Literal["whole", "cover", "chain", ""]
    reason: str
    total: int | None
    gap_requests: int = 0
    refused_markers: int = 0
    by_marker: bool = False

    @property
    def complete(self) -> bool:
        """Whether the reading alone is a proof."""
        return bool(self.by)


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a listing is proven complete: any image that it lacks did not exist the whole time.

    Attributes:
        by: the kind of proof, or "" if there is none.
        reason: why it is proven or is not, in words.
    """

    by: Kind
    reason: str

    @property
    def proven(self) -> bool:
        """Whether there is a proof."""
        return bool(self.by)


class Ids(Protocol):
    """The ids that came in a reading."""

    @property
    def distinct(self) -> int:
        """Number of distinct ids."""

    def fingerprint(self) -> int:
        """Return 128 bits, equal for readings of one process that saw the same set of ids."""


def prove(verdict: Verdict, ids: Ids, before: int | None = None, *, order_doubt: str = "") -> tuple[Proof, int | None]:
    """Decide whether a reading is proven complete, alone or together with the one before it.

    Args:
        verdict: on this reading.
        ids: that came in it.
        before: fingerprint of the previous reading of the same source, if that was steady; all its answers came before
            this one's first request.
        order_doubt: why the order of the list proves nothing, in words, or "".

    Returns:
        The proof, and the fingerprint of this reading if it is steady but not proven, so that another one may prove it.
    """
    if verdict.by_marker:
        return Proof(verdict.by, verdict.reason), None
    distinct = ids.distinct
    steady = verdict.total == distinct
    if verdict.by == "whole" or (verdict.by and not order_doubt):
        wrong = "" if steady or verdict.total is None else f"; total says {verdict.total}, but {distinct} images came"
        return Proof(verdict.by, verdict.reason + wrong), None
    fingerprint = ids.fingerprint() if steady else None
    if verdict.total is None:
        lack = f"{distinct} images came, and the answers give no single total"
    elif not steady:
        lack = f"{distinct} images came, and total says {verdict.total}"
    elif before is None:
        lack = f"only one reading saw {distinct} images, as its total says"
    elif before != fingerprint:
        lack = "the second reading saw other images than the first"
    else:
        return Proof("count", f"two consecutive readings saw the same {distinct} images, as many as total says"), None
    return Proof("", f"{order_doubt or verdict.reason}; nor does counting prove it: {lack}"), fingerprint
