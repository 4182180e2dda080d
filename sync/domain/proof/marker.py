"""One reading of a list that is paged by marker, without I/O: what to request next, and what the answers prove.

The list is sorted by id, and has neither offsets nor ``total``. A short page is not its end, nor is a refused marker:
an image that serves as one may be gone. It is read in one of three ways:

1. By a cover of ids, at several places at a time (``sync.domain.proof.by_cover``).
2. By a chain of pages that share rows, if ids can't be compared (``sync.domain.proof.by_chain``). If that shows only
   in the middle of the reading, what was covered so far counts no more, and a chain begins.
3. Only to its end, if it can't be proven (``sync.domain.proof.unproven``).
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.domain.proof.by_chain import ByChain
from sync.domain.proof.by_cover import ByCover
from sync.domain.proof.effort import Effort
from sync.domain.proof.id_cover import IdInterval, Shape
from sync.domain.proof.page import Page, PageRequest, Piece
from sync.domain.proof.unproven import Unproven
from sync.domain.proof.verdict import Verdict
from sync.errors import ContractError


class MarkerScan:
    """One reading: ``ask``, then ``answer`` or ``refused``, until ``done``; then ``verdict``. Not thread-safe.

    Args:
        limit: rows to request per page.
        starts: ids known from an earlier run, best at equal steps; pages after them are read at the same time.
        max_images: number of images after which the list is given up; it also limits the number of pages.
        max_gap_requests: pages that may be requested to close gaps.
        part: the part-list.

    Attributes:
        part: the part-list.
    """

    def __init__(
        self,
        *,
        limit: int,
        starts: Sequence[str] = (),
        max_images: int = 5_000_000,
        max_gap_requests: int = 500,
        part: str = "",
    ) -> None:
        self.part, self._limit = part, limit
        self._effort = Effort(limit, max_images, max_gap_requests)
        self._in_flight: set[PageRequest] = set()
        self._shape = Shape()
        self._empty: set[bool] = set()  # orders, descending or not, whose first page was empty when last seen
        self._any_rows = self._any_later_rows = False  # whether an image came, and whether one came after a marker
        self._refusal = ""
        self._way: ByCover | ByChain | Unproven
        if self._shape.fits(starts):
            self._way = ByCover(limit=limit, starts=starts, part=part, effort=self._effort)
        else:
            self._way = ByChain(limit=limit, part=part, effort=self._effort)

    def ask(self) -> PageRequest | None:
        """The page to request now, or None if there is none until more answers come."""
        request = self._next()
        if request is not None:
            self._way.begin(request)
            self._effort.pages += 1
            self._in_flight.add(request)
        return request

    @property
    def done(self) -> bool:
        """Whether all requests are answered and none is left to make."""
        return not self._in_flight and self._next() is None

    def answer(self, page: Page) -> Piece:
        """Take the answer to a request, and return what it shows of the list.

        Raises:
            ContractError: the cloud ignores the marker, so the list cannot be read.
        """
        request, ids = page.request, [row.id for row in page.rows]
        self._in_flight.discard(request)
        self._effort.largest = max(self._effort.largest, len(ids))
        self._any_rows |= bool(ids)
        self._note_end(request, empty=not ids)
        interval = IdInterval(None, None) if self._whole else self._take(request, ids)
        return Piece(page.offset, page.count, None, ids=interval)

    def refused(self, request: PageRequest, reason: str) -> None:
        """Take the refusal of a marker, which says nothing about the list.

        Args:
            request: the request.
            reason: what the cloud said.

        Raises:
            ContractError: the request has no marker.
        """
        if request.marker is None:
            raise ContractError(f"The cloud refuses the beginning of the list: {reason}")
        self._in_flight.discard(request)
        self._refusal = reason
        self._way.refuse(request)
        self._change_way()

    def verdict(self) -> Verdict:
        """The verdict on the reading, once it is done."""
        lack, refused = self._lack(), self._effort.refused
        shown = "the list is empty from both ends" if self._whole else f"{self._effort.pages} answers cover the list"
        replaced = f"{refused} {'marker was' if refused == 1 else 'markers were'} refused and replaced"
        replaced += f" ({self._refusal})" if self._refusal else ""
        return Verdict(
            by="" if lack else "whole" if self._whole and not self._any_rows else self._way.kind,
            reason="; ".join([lack or shown, *([replaced] if refused else [])]),
            total=None,
            gap_requests=self._effort.gap_requests,
            refused_markers=refused,
            by_marker=True,
        )

    @property
    def _whole(self) -> bool:
        """Whether the list is empty: the first page of either order is, and nothing says otherwise."""
        return len(self._empty) > 1 and not self._any_later_rows

    def _next(self) -> PageRequest | None:
        return None if self._whole or self._effort.exhausted else self._way.next(self._in_flight)

    def _note_end(self, request: PageRequest, *, empty: bool) -> None:
        """Note whether the list is empty from one end; images that were there before may have been deleted."""
        if not empty:
            self._empty.clear()
        elif request.marker is None:
            self._empty.add(request.descending)

    def _take(self, request: PageRequest, ids: Sequence[str]) -> IdInterval | None:
        if not self._shape.fits(ids) and isinstance(self._way, ByCover):
            self._effort.new = 0
            self._way = ByChain(limit=self._limit, part=self.part, effort=self._effort)
        new = self._effort.new
        interval = self._way.take(request, ids)
        self._any_later_rows |= request.marker is not None and self._effort.new > new
        self._change_way()
        return interval

    def _change_way(self) -> None:
        """Go on without a proof, if there can't be one."""
        if self._way.broken:
            self._way = Unproven(part=self.part, effort=self._effort, reason=self._way.broken)

    def _lack(self) -> str:
        """Return the reason why there is no proof, or ""."""
        if self._whole:
            return ""
        if not self.done:
            return "the list was not read to its end"
        lack = self._way.lack()
        if lack and self._effort.exhausted:
            return f"the end of the list was not reached in {self._effort.pages} pages"
        return lack
