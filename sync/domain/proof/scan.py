"""One reading of the image list, without I/O: which page to request next, and what the answers prove.

The first page is requested alone; it gives ``total`` and shows how many rows the cloud puts in a page. Later pages
overlap; several may be requested at a time and answered in any order. A seam without an anchor gets one more page,
centred on it.

The end: a page reaches the end of the list if it is shorter than requested AND ``total`` agrees. Both are needed, since
a page may have been cut short and ``total`` may be wrong. Once the two have disagreed, neither is believed; from then
on, a page reaches the end if it brings no more rows than the overlap, that is, nothing beyond the page before it. This
is sound as long as the cloud never cuts a page down to the overlap, and its very first irregularity is not a page that
is cut exactly where a wrong ``total`` says the list ends.
"""

from __future__ import annotations

from collections import deque

from sync.domain.proof.anchors import Page, Row
from sync.domain.proof.chain import Chain, Piece
from sync.domain.proof.verdict import Proof, ScanSummary, Verdict, prove
from sync.errors import ContractError

__all__ = ["Page", "Proof", "Row", "Scan", "ScanSummary", "Verdict", "prove"]

_MOST_ECHOES = 2  # repeats of the first page from which on the cloud is taken to ignore the offset
_MOST_LATER = 10  # consecutive repeats needed for that once the cloud has respected an offset


class Scan:
    """One reading: ``ask`` and ``answer`` until ``done``, then ``verdict``. Not thread-safe: guard it with one lock.

    Args:
        limit: rows to request per page.
        overlap: rows that neighbouring pages share; less than ``limit``.
        max_images: no page beyond this offset is requested, and at most about twice as many pages as these images fill.
    """

    def __init__(self, *, limit: int = 500, overlap: int = 10, max_images: int = 5_000_000) -> None:
        self._limit, self._overlap, self._max_images = limit, overlap, max_images
        self._max_pages = 2 * max_images // (limit - overlap) + 10
        self._reach = limit  # rows that a page is expected to hold
        self._chain = Chain(near=overlap + 2)
        self._queue: deque[int] = deque()
        self._asked = self._flying = self._echoes = 0
        self._first: frozenset[str] | None = None  # ids of the first page
        self._heeded = False  # whether another page differed from it, so the cloud respects the offset
        self._totals: set[int | None] = set()
        self._total = -1
        self._ends: list[int] = []
        self._doubts: dict[str, str] = {}
        self._broken = ""

    def ask(self) -> int | None:
        """The offset of a page to request now, or None if there is none until more answers come."""
        offset = self._next()
        if offset is None or self._exhausted(offset):
            return None
        if self._queue:
            self._queue.popleft()
        else:
            self._chain.add(offset)
        self._asked += 1
        self._flying += 1
        return offset

    @property
    def done(self) -> bool:
        """Whether all requests are answered and none is left to make."""
        if self._flying:
            return False
        offset = self._next()
        return offset is None or self._exhausted(offset)

    def answer(self, page: Page) -> None:
        """Take the answer to a request.

        Raises:
            ContractError: the cloud ignores the offset, so the list cannot be read.
        """
        self._flying -= 1
        if not page.ordered:
            self._give_up(f"the images at offset {page.offset} are not sorted by created_at as asked")
        piece = self._chain.answer(page)
        self._totals.add(page.total)
        self._total = self._total if page.total is None else page.total
        if piece.offset == 0:
            self._meet(piece, page)
        self._heed_echo(piece, page)
        self._heed_doubt(piece)
        if self._reaches_end(piece):
            self._ends.append(piece.offset)
        self._settle()

    def verdict(self) -> Verdict:
        """The verdict on the reading, once it is done."""
        lack = self._lack()
        reason = lack or f"{len(self._chain)} pages up to the end of the list, each joined to the next"
        return Verdict(
            complete=not lack,
            reason="; ".join([reason, *self._doubts.values()]),
            anchors={piece.offset: piece.anchor for piece in self._chain},
            repaired=sum(piece.repair for piece in self._chain),
            total=self._steady_total(),
            doubts=tuple(self._doubts.values()),
        )

    def _next(self) -> int | None:
        if not self._chain:
            return 0
        if not self._chain[0].answered or (not self._heeded and self._flying + self._echoes >= _MOST_ECHOES):
            return None
        if self._queue:
            return self._queue[0]
        if self._end is not None:
            return None
        last = self._chain.last
        if last.answered:
            return last.end - self._overlap
        full = last.offset + self._reach
        return full - self._overlap if full <= self._total else None

    def _exhausted(self, offset: int) -> bool:
        return self._asked >= self._max_pages or offset >= self._max_images

    @property
    def _end(self) -> int | None:
        """Offset of the first page known to reach the end."""
        return min(self._ends, default=None)

    def _meet(self, first: Piece, page: Page) -> None:
        """Learn from the first page how many rows the cloud puts in a page."""
        self._first = frozenset(row.id for row in page.rows)
        if not first.count and first.total != 0:
            self._give_up("the first page is empty, though total is not 0")
        if first.count != self._limit and (first.count > self._overlap or self._total > first.count):
            self._reach = first.count
            self._overlap = min(self._overlap, first.count // 2)

    def _heed_echo(self, piece: Piece, page: Page) -> None:
        """Compare later pages with the first: with a cloud that ignores the offset, the reading would never end."""
        if self._first is None or piece.offset < max(self._chain[0].count - self._overlap, 1):
            return
        again = len(self._first.intersection(row.id for row in page.rows))
        if 2 * again <= piece.count + self._overlap:
            self._heeded, self._echoes = True, 0
            return
        self._echoes += 1
        if self._echoes == (_MOST_LATER if self._heeded else _MOST_ECHOES):
            raise ContractError(
                f"The cloud answers offset {piece.offset} with the first page again: it ignores the offset, "
                "so the list cannot be read. Report it to the operator of the cloud."
            )

    def _heed_doubt(self, piece: Piece) -> None:
        """Note where page and total disagree; from the first time on, the test for the end is stricter."""
        trusted, where = not self._doubts, f"at offset {piece.offset}"
        if piece.total is None:
            self._doubts.setdefault("none", f"{where} there is no usable total")
        elif piece.count and piece.end > piece.total:
            self._doubts.setdefault("small", f"{where} total says {piece.total}, but {piece.end} images are there")
        elif piece.count < self._limit and piece.end < piece.total:
            self._doubts.setdefault("short", f"{where} only {piece.count} images came, but total says {piece.total}")
        if trusted and self._doubts:
            self._ends = [offset for offset in self._ends if self._reaches_end(self._chain[offset])]

    def _reaches_end(self, piece: Piece) -> bool:
        if piece.end == 0:
            return True
        if self._doubts:
            return piece.count <= self._overlap
        return piece.count < self._limit  # and total agrees, or there would be a doubt

    def _settle(self) -> None:
        """Queue what open seams lack: the images of a gap, or a page centred on the seam."""
        for offset in sorted(self._chain.open):
            left, right = self._chain.before(offset), self._chain[offset]
            if self._end is not None and left.offset >= self._end:
                continue
            if left.end - right.offset < self._overlap:
                self._insert(left.end - self._overlap, repair=left.repair or right.repair)
            elif self._broken:
                self._chain.open.discard(offset)
            elif left.repair or right.repair or right.offset - left.offset == 1:
                self._give_up(f"no image joins the pages at offsets {left.offset} and {right.offset} for certain")
            else:
                centred = (left.end + right.offset - self._reach) // 2
                self._insert(min(max(centred, left.offset + 1), right.offset - 1), repair=True)

    def _insert(self, offset: int, *, repair: bool) -> None:
        self._chain.add(offset, repair=repair)
        self._queue.append(offset)

    def _give_up(self, reason: str) -> None:
        """Go on reading, but stop looking for anchors."""
        if not self._broken:
            self._broken = reason
            self._chain.give_up()

    def _lack(self) -> str:
        """What a proof lacks, or ""."""
        end = self._end
        if not self.done or self._next() is not None or end is None:
            return f"the end of the list was not reached in {self._asked} pages"
        first = self._chain[0]
        if end == 0 and (first.count or first.total == 0):
            return ""  # one answer held the whole list
        return self._broken or ("" if self._chain.joined(end) else "the pages are not all joined")

    def _steady_total(self) -> int | None:
        """The one total of all answers, if the list ended exactly there; else None."""
        end = self._end
        if end is None or len(self._totals) != 1 or "small" in self._doubts:
            return None
        return self._total if self._chain[end].end == self._total else None
