"""One reading of the image list, without I/O: which page to request next, and what the answers prove.

The first page is requested alone; it gives ``total`` and shows how many rows the cloud puts in a page. Then come the
first page of the descending order, which covers the end of the list, and overlapping pages up to it; several may be
requested at a time and answered in any order. ``total`` only says how many pages to request before the answers to
earlier ones are there. What is not covered then is a gap, and gets further pages.

``total`` is believed in one case: the first page is shorter than requested, and its own ``total`` is its number of
rows. Then it is the whole list.
"""

from __future__ import annotations

from collections import deque

from sync.domain.proof.cover import Cover
from sync.domain.proof.echo import EchoCheck
from sync.domain.proof.gaps import GapSearches
from sync.domain.proof.page import Page, PageRequest, Piece, piece_of
from sync.domain.proof.verdict import Verdict
from sync.errors import ContractError

_DESCENDING = PageRequest(0, descending=True)
_MOST_DESCRIBED = 3  # gaps


class Scan:
    """One reading: ``ask`` and ``answer`` until ``done``, then ``verdict``. Not thread-safe: guard it with one lock.

    Args:
        limit: rows to request per page.
        overlap: rows that neighbouring pages share at least; less than ``limit``. It grows with the number of images
            that share one ``created_at``.
        max_images: no page beyond this offset is requested, and at most about twice as many pages as these images fill.
        max_gap_requests: pages that may be requested to close gaps.
    """

    def __init__(
        self, *, limit: int = 500, overlap: int = 10, max_images: int = 5_000_000, max_gap_requests: int = 500
    ) -> None:
        self._limit, self._max_images = limit, max_images
        self._overlap = self._min_overlap = overlap
        self._max_pages = 2 * max_images // (limit - overlap) + 10
        self._page_size = self._previous_count = limit  # rows expected in a page, and rows in the last answer
        self._asked = self._in_flight = 0
        self._first: Piece | None = None
        self._descending: Piece | None = None
        self._last, self._last_overlap = PageRequest(0), overlap  # the page at the highest offset
        self._last_piece: Piece | None = None  # its answer
        self._near_end = False  # whether an answer reached the end, so that no page is requested ahead
        self._cover = Cover()
        self._searches = GapSearches(max_gap_requests)
        self._queue = deque([PageRequest(0)])  # pages to request before any page ahead
        self._echo = EchoCheck()
        self._total = -1
        self._totals: set[int | None] = set()
        self._doubts: dict[str, str] = {}
        self._undated: set[bool] = set()  # orders, descending or not, that begin with images without a readable time
        self._broken = ""

    def ask(self) -> PageRequest | None:
        """The page to request now, or None if there is none until more answers come."""
        request = self._next()
        if request is None:
            return None
        if self._queue:
            self._queue.popleft()
        else:
            self._last, self._last_piece, self._last_overlap = request, None, self._overlap
        self._asked += 1
        self._in_flight += 1
        return request

    @property
    def done(self) -> bool:
        """Whether all requests are answered and none is left to make."""
        return not self._in_flight and self._next() is None

    def answer(self, page: Page) -> Piece:
        """Take the answer to a request, and return the piece of the list that it shows.

        Raises:
            ContractError: the cloud ignores the offset, so the list cannot be read.
        """
        self._in_flight -= 1
        piece = piece_of(page)
        self._check_order(piece, descending=page.descending)
        self._check_total(piece, "in descending order" if page.descending else f"at offset {page.offset}")
        if page.descending:
            self._descending = piece
        else:
            self._measure(piece)
            self._echo.check(page, self._overlap)
        if piece.interval is not None:
            self._cover.add(piece.interval)
        self._near_end |= not page.descending and self._reaches_end(piece)
        self._searches.add(piece, page.request)
        if not (self._in_flight or self._queue or self._whole or self._broken or self._walk()):
            self._queue.extend(self._searches.next_requests(self._cover.gaps(), self._overlap, self._page_size))
        return piece

    def refused(self, request: PageRequest, reason: str) -> None:
        """Take the refusal of a request: an offset can't be replaced by another one.

        Raises:
            ContractError: always.
        """
        raise ContractError(f"The cloud refuses the page at offset {request.offset}: {reason}")

    def verdict(self) -> Verdict:
        """The verdict on the reading, once it is done."""
        lack = self._lack()
        covered = "one answer holds the whole list" if self._whole else f"{self._asked} answers cover the list"
        return Verdict(
            by="" if lack else "whole" if self._whole else "cover",
            reason="; ".join([lack or covered, *self._doubts.values()]),
            total=self._total if len(self._totals) == 1 and "small" not in self._doubts and self._total >= 0 else None,
            gap_requests=self._searches.requests,
        )

    @property
    def _whole(self) -> bool:
        """Whether the first answer holds the whole list."""
        first, descending = self._first, self._descending
        if first is None or first.count == self._limit:
            return False
        if first.total == first.count:
            return True
        return first.count == 0 and first.total is None and descending is not None and descending.count == 0

    def _next(self) -> PageRequest | None:
        if self._whole or not self._echo.may_ask(self._in_flight):
            return None
        if self._queue:
            return self._queue[0]
        request = self._walk() if self._first else None
        return None if request is None or self._exhausted(request.offset) else request

    def _exhausted(self, offset: int) -> bool:
        return self._asked >= self._max_pages or offset >= self._max_images

    def _walk(self) -> PageRequest | None:
        """The page after the one at the highest offset; None at the end, or while it may not be needed.

        While answers are on their way, one of them may show the end. Until then ``total`` says how far to go, less the
        rows that the first page of the descending order covers.
        """
        piece = self._last_piece
        if piece is not None and self._reaches_end(piece):
            return None
        end = self._last.offset + self._page_size if piece is None else piece.end
        covered = 0 if self._broken else self._page_size - self._overlap
        if self._in_flight and (self._near_end or end >= self._total - covered):
            return None
        return PageRequest(max(end - self._overlap, self._last.offset + 1))

    def _reaches_end(self, piece: Piece) -> bool:
        """Whether an answer brought nothing new, or everything after it is covered."""
        if piece.count <= (self._last_overlap if piece.offset else 0):
            return True
        return not self._broken and piece.last is not None and self._cover.reaches_end_from(piece.last)

    def _measure(self, piece: Piece) -> None:
        """Learn how many rows the cloud puts in a page, and how many of them share one time."""
        if self._first is None:
            self._first = piece
            self._queue.extend(() if self._broken else (_DESCENDING,))
            # A short first page is the whole list, or as many rows as the cloud puts in a page.
            if piece.count != self._limit and (piece.count > self._overlap or self._total > piece.count):
                self._page_size = piece.count
        elif 0 < piece.count == self._previous_count and piece.end < self._total:
            self._page_size = min(self._page_size, piece.count)  # two in a row: the cloud puts fewer in a page now
        self._previous_count = piece.count
        self._overlap = min(max(self._overlap, piece.ties + self._min_overlap // 2), self._page_size // 2)
        if self._last.offset == piece.offset and self._last_piece is None:
            self._last_piece = piece

    def _check_order(self, piece: Piece, *, descending: bool) -> None:
        """Note whether the cloud sorted as requested."""
        if not (piece.ordered or descending):
            self._give_up(f"the images at offset {piece.offset} are not sorted by created_at as requested")
        elif not piece.ordered:
            self._doubts["order"] = "the cloud ignores the descending order, so the end of the list is not certain"
        elif descending and not piece.count and self._first is not None and self._first.count:
            self._doubts["order"] = "the first page is empty in descending order, so the end of the list is not certain"
        if piece.undated_first and piece.offset == 0:
            self._undated.add(descending)
        if len(self._undated) > 1:
            self._give_up("images without a readable created_at stand at both ends of the list")

    def _check_total(self, piece: Piece, where: str) -> None:
        """Note ``total``, and whether the rows contradict it."""
        self._totals.add(piece.total)
        if piece.total is None:
            self._doubts.setdefault("none", f"{where} there is no usable total")
            return
        self._total = piece.total
        if self._first is None and not piece.count and piece.total:
            self._give_up(f"the first page is empty, though total says {piece.total}")
        if piece.count and piece.end > piece.total:
            self._doubts.setdefault("small", f"{where} total says {piece.total}, but {piece.end} images are there")
        elif piece.count < self._limit and piece.end < piece.total:
            self._doubts.setdefault("short", f"{where} only {piece.count} images came, but total says {piece.total}")

    def _give_up(self, reason: str) -> None:
        """Note why the reading can't be proven by cover. It goes on: two equal counts may still prove the list."""
        self._broken = self._broken or reason

    def _lack(self) -> str:
        """What a proof lacks, or ""."""
        if self._whole:
            return ""
        if not self.done:
            return "the list was not read to its end"
        if self._broken:
            return self._broken
        if self._walk() is not None:
            return f"the end of the list was not reached in {self._asked} pages"
        gaps = self._cover.gaps()
        described = [self._searches.describe(gap, self._page_size) for gap in gaps[:_MOST_DESCRIBED]]
        more = [f"{len(gaps) - len(described)} more gaps"] if len(gaps) > len(described) else []
        return "; ".join(described + more)
