"""One reading of the image list, without I/O: which page to ask for next, and what the answers prove.

The first page is asked for alone; it tells ``total`` and how many rows the cloud gives. Further pages overlap, may be
asked for several at a time and answered in any order. A seam without an anchor gets one more page centred on it.

The end: a page reaches it if it is shorter than asked AND ``total`` says so. Two grounds, since a page may have been
cut and ``total`` may lie. Once the two were seen to disagree, neither is believed; then a page reaches the end that
brings no more rows than the overlap, that is nothing beyond the page before it. This holds as long as the cloud never
cuts a page down to the overlap, and does not, in its very first oddity, cut a page exactly where a wrong ``total``
says the list ends.
"""

from __future__ import annotations

from collections import deque

from sync.domain.proof.anchors import Page, Row
from sync.domain.proof.chain import Chain, Piece
from sync.domain.proof.verdict import Proof, ScanSummary, Verdict, prove
from sync.errors import ContractError

__all__ = ["Page", "Proof", "Row", "Scan", "ScanSummary", "Verdict", "prove"]

_MOST_ECHOES = 2  # pages that repeat the first one before the cloud is taken to ignore the offset, ...
_MOST_LATER = 10  # ... and so many running if it has heeded the offset before


class Scan:
    """Ask, answer, and in the end the verdict. Not safe for threads: keep one lock around it.

    Args:
        limit: rows to ask for in a page.
        overlap: rows that neighbouring pages share; less than ``limit``.
        max_images: no page is asked for beyond this offset, and at most about twice the pages that so many images take.
    """

    def __init__(self, *, limit: int = 500, overlap: int = 10, max_images: int = 5_000_000) -> None:
        self._limit, self._overlap, self._max_images = limit, overlap, max_images
        self._max_pages = 2 * max_images // (limit - overlap) + 10
        self._reach = limit  # rows that a page is expected to bring
        self._chain = Chain(near=overlap + 2)
        self._queue: deque[int] = deque()
        self._asked = self._flying = self._echoes = 0
        self._first: frozenset[str] | None = None  # ids of the first page
        self._heeded = False  # another page differed from it
        self._totals: set[int | None] = set()
        self._total = -1
        self._ends: list[int] = []
        self._doubts: dict[str, str] = {}
        self._broken = ""

    def ask(self) -> int | None:
        """Return the offset of a page to ask for now, or None where there is none until more answers come."""
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
        """Whether all questions are answered and there is none left."""
        if self._flying:
            return False
        offset = self._next()
        return offset is None or self._exhausted(offset)

    def answer(self, page: Page) -> None:
        """Take the answer to a question.

        Raises:
            ContractError: the cloud ignores the offset, so that the list cannot be read.
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
        """Judge the reading once it is done."""
        lack = self._lack()
        reason = lack or f"{len(self._chain)} pages up to the end of the list, each joined to the next"
        return Verdict(
            complete=not lack,
            reason="; ".join([reason, *self._doubts.values()]),
            anchors={piece.offset: piece.anchor for piece in self._chain},
            mended=sum(piece.mend for piece in self._chain),
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
        """Learn from the first page how many rows the cloud gives."""
        self._first = frozenset(row.id for row in page.rows)
        if not first.count and first.total != 0:
            self._give_up("the first page is empty, though total is not 0")
        if first.count != self._limit and (first.count > self._overlap or self._total > first.count):
            self._reach = first.count
            self._overlap = min(self._overlap, first.count // 2)

    def _heed_echo(self, piece: Piece, page: Page) -> None:
        """Hold later pages against the first: a cloud that ignores the offset never comes to an end."""
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
        """Note where page and total disagree; from the first time on fewer pages pass for the end."""
        trusted, where = not self._doubts, f"at offset {piece.offset}"
        if piece.total is None:
            self._doubts.setdefault("none", f"{where} came no usable total")
        elif piece.count and piece.end > piece.total:
            self._doubts.setdefault("small", f"{where} total says {piece.total}, but {piece.end} images are there")
        elif piece.count < self._limit and piece.end < piece.total:
            self._doubts.setdefault("short", f"{where} came only {piece.count} images, but total says {piece.total}")
        if trusted and self._doubts:
            self._ends = [offset for offset in self._ends if self._reaches_end(self._chain[offset])]

    def _reaches_end(self, piece: Piece) -> bool:
        if piece.end == 0:
            return True
        if self._doubts:
            return piece.count <= self._overlap
        return piece.count < self._limit  # and total says so too, else there would be doubt

    def _settle(self) -> None:
        """Ask for what open seams lack: images that did not come, or a page centred on the seam."""
        for offset in sorted(self._chain.open):
            left, right = self._chain.before(offset), self._chain[offset]
            if self._end is not None and left.offset >= self._end:
                continue
            if left.end - right.offset < self._overlap:
                self._insert(left.end - self._overlap, mend=left.mend or right.mend)
            elif self._broken:
                self._chain.open.discard(offset)
            elif left.mend or right.mend or right.offset - left.offset == 1:
                self._give_up(f"no image joins the pages at offsets {left.offset} and {right.offset} for certain")
            else:
                centred = (left.end + right.offset - self._reach) // 2
                self._insert(min(max(centred, left.offset + 1), right.offset - 1), mend=True)

    def _insert(self, offset: int, *, mend: bool) -> None:
        self._chain.add(offset, mend=mend)
        self._queue.append(offset)

    def _give_up(self, reason: str) -> None:
        """Go on reading, but look for anchors no more."""
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
        """The one total of all answers, if the list ended there and nowhere else."""
        end = self._end
        if end is None or len(self._totals) != 1 or "small" in self._doubts:
            return None
        return self._total if self._chain[end].end == self._total else None
