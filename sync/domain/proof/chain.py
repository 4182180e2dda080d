"""The pages of one reading in the order of their offsets, and which neighbours are joined by an anchor.

Rows are kept only until the seams on both sides of them are decided, so memory does not grow with the list.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sync.domain.proof.anchors import Page, Row, anchor


@dataclass(slots=True)
class Piece:
    """One page: first requested, then answered, then joined to its neighbours.

    Attributes:
        offset: as requested.
        repair: whether it was requested to repair a seam.
        answered: whether its answer came.
        count: number of rows that came.
        total: as the answer gave it, or None.
        anchor: id of the row that joins it to the piece before it, or "".
        rows: the answer's rows, until both its seams are decided.
        ahead: whether it is joined to the piece after it.
    """

    offset: int
    repair: bool = False
    answered: bool = False
    count: int = 0
    total: int | None = None
    anchor: str = ""
    rows: Sequence[Row] | None = None
    ahead: bool = False

    @property
    def end(self) -> int:
        """Offset just after its last row."""
        return self.offset + self.count


class Chain:
    """Pieces in the order of their offsets.

    Args:
        near: number of rows on each side of a seam to search first for an anchor.

    Attributes:
        open: offsets of answered pieces that share no anchor with the answered piece before them.
    """

    def __init__(self, near: int) -> None:
        self.open: set[int] = set()
        self._near = near
        self._pieces: dict[int, Piece] = {}
        self._offsets: list[int] = []
        self._joining = True

    def __iter__(self) -> Iterator[Piece]:
        return (self._pieces[offset] for offset in self._offsets)

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, offset: int) -> Piece:
        return self._pieces[offset]

    @property
    def last(self) -> Piece:
        """The piece with the highest offset."""
        return self._pieces[self._offsets[-1]]

    def before(self, offset: int) -> Piece:
        """The piece before the one at this offset."""
        return self._pieces[self._offsets[bisect_left(self._offsets, offset) - 1]]

    def add(self, offset: int, *, repair: bool = False) -> None:
        """Add the piece of a page that is requested; if it comes between two neighbours, their seam is gone."""
        insort(self._offsets, offset)
        self._pieces[offset] = Piece(offset, repair)
        place = bisect_left(self._offsets, offset)
        self.open.difference_update(self._offsets[place + 1 : place + 2])

    def answer(self, page: Page) -> Piece:
        """Take an answer and try to join it to its neighbours, if these were answered."""
        piece = self._pieces[page.offset]
        piece.answered, piece.count, piece.total = True, page.count, page.total
        piece.rows = page.rows if self._joining else None
        place = bisect_left(self._offsets, page.offset)
        around = [self._pieces[offset] for offset in self._offsets[max(place - 1, 0) : place + 2]]
        for left, right in pairwise(around):
            if left.answered and right.answered:
                self._join(left, right)
        return piece

    def give_up(self) -> None:
        """Stop joining pieces, and forget all rows."""
        self._joining = False
        for piece in self:
            piece.rows = None

    def joined(self, end: int) -> bool:
        """Whether all pieces up to the one at offset ``end`` are joined, each to the one before it."""
        return all(piece.anchor for piece in self if 0 < piece.offset <= end)

    def _join(self, left: Piece, right: Piece) -> None:
        shared = anchor(left.rows, right.rows, self._near) if left.rows and right.rows else None
        if shared is None:
            self.open.add(right.offset)
            return
        right.anchor, left.ahead = shared, True
        for piece in (left, right):
            if piece.ahead and (piece.anchor or piece.offset == 0):
                piece.rows = None
