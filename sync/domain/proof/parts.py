"""One reading of a list in parts, such as hidden and visible images, one wholly after the other.

An image may move from one part to another while the list is read. If the parts are read hidden, visible, hidden, and
each of the three readings is proven complete, no image is missing that existed all the time and moved at most once:
one that becomes visible was hidden during all of the first reading, or visible during all of the second; one that is
hidden was visible during all of the second, or hidden during all of the third. So each reading stands alone: what the
first and the third cover together proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.domain.proof.marker import MarkerScan
from sync.domain.proof.page import Page, PageRequest, Piece
from sync.domain.proof.verdict import Verdict

_BY_STRENGTH = ("", "chain", "cover", "whole")


class PartsScan:
    """Reads the parts in order; used like ``MarkerScan``.

    Args:
        scans: one for each reading of a part, in order.
    """

    def __init__(self, scans: Sequence[MarkerScan]) -> None:
        self._scans, self._now = scans, 0

    def ask(self) -> PageRequest | None:
        """The page to request now, or None if there is none until more answers come."""
        self._move_on()
        return self._scans[self._now].ask()

    @property
    def done(self) -> bool:
        """Whether all parts are read."""
        self._move_on()
        return self._scans[self._now].done

    def answer(self, page: Page) -> Piece:
        """Take the answer to a request, and return what it shows of its part.

        Raises:
            ContractError: the cloud ignores the marker, so the list cannot be read.
        """
        return self._scans[self._now].answer(page)

    def refused(self, request: PageRequest, reason: str) -> None:
        """Take the refusal of a marker, which says nothing about the list.

        Raises:
            ContractError: the request has no marker.
        """
        self._scans[self._now].refused(request, reason)

    def verdict(self) -> Verdict:
        """The verdict on all parts: proven only if each is."""
        verdicts = [scan.verdict() for scan in self._scans]
        reasons = [
            f"{scan.part}: {verdict.reason}" if scan.part else verdict.reason
            for scan, verdict in zip(self._scans, verdicts, strict=True)
        ]
        return Verdict(
            by=min((verdict.by for verdict in verdicts), key=_BY_STRENGTH.index),
            reason="; ".join(reasons),
            total=None,
            gap_requests=sum(verdict.gap_requests for verdict in verdicts),
            refused_markers=sum(verdict.refused_markers for verdict in verdicts),
            by_marker=True,
        )

    def _move_on(self) -> None:
        """Begin the next part once the current one is done."""
        while self._now + 1 < len(self._scans) and self._scans[self._now].done:
            self._now += 1
