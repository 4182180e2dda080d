"""Which page to request next, so that it reaches over a gap in the cover."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sync.domain.proof.cover import END, Gap, Key, written
from sync.domain.proof.page import PageRequest, Piece

_LEAST_ROWS = 3  # of a page that covers the time of an image: that image, and one on each side
_MOST_TRIES = 24  # per gap; twelve halvings find any of 4,000 offsets, and twelve more allow for changes


@dataclass(slots=True)
class _Search:
    """The search for an offset at which a page begins before a gap and ends behind its first key.

    Where the images of a gap stand is known only roughly, as the list changes. So each page begins twice as far before
    that place as the one before it, until one ends too early; from then on the next offset is halfway between the two.

    Attributes:
        start: offset of the first image of the gap when it was last seen.
        offset: offset of the next page.
        high: the lowest offset at which a page began too late; at first ``start``.
        low: the highest offset at which a page began that ended too early, or None.
        tries: number of pages requested.
    """

    start: int
    offset: int
    high: int
    low: int | None = None
    tries: int = 0

    @property
    def hopeless(self) -> bool:
        """Whether no page reaches over the gap: more images share its first key than a page holds."""
        return self.tries >= _MOST_TRIES or (self.low is not None and self.high - self.low <= 1)

    def learn(self, piece: Piece, key: Key) -> None:
        self.tries += 1
        if piece.offset and (piece.first is None or piece.first >= key):
            self.high = piece.offset
        elif piece.last is not None and piece.last <= key:
            self.low = piece.offset
        halfway = None if self.low is None else (self.low + self.high + 1) // 2
        self.offset = max(2 * self.offset - self.start, 0) if halfway is None else halfway


class GapSearches:
    """The searches for all gaps of one reading.

    Args:
        most: number of pages that may be requested in all.

    Attributes:
        requests: number of pages requested so far.
    """

    def __init__(self, most: int) -> None:
        self.requests = 0
        self._most = most
        self._starts: dict[Key, int] = {}  # offset of the first image with a key, by an answer that ends in that key
        self._ends: dict[Key, int] = {}  # offset just after the last one, by an answer that begins in that key
        self._last = Piece(0, 0, None)  # the one that reached furthest
        self._searches: dict[Key, _Search] = {}
        self._asked: dict[PageRequest, Key] = {}

    def add(self, piece: Piece, request: PageRequest) -> None:
        """Take the answer to a request, whatever it was requested for."""
        if piece.interval is not None and not request.descending:
            self._starts[piece.interval.before] = piece.end - piece.tail
            self._ends[piece.interval.after] = piece.offset + piece.head
        if piece.count and piece.end > self._last.end and not request.descending:
            self._last = piece
        if (key := self._asked.pop(request, None)) is not None:
            self._searches[key].learn(piece, key)

    def next_requests(self, gaps: Iterable[Gap], overlap: int, reach: int) -> list[PageRequest]:
        """Return the pages to request now, one for each gap that is not hopeless.

        Args:
            gaps: what is not covered.
            overlap: number of rows before a gap at which the first page for it begins, at most.
            reach: rows that a page is expected to hold. A gap less than half of that after the previous one gets no
                page yet, as the previous one's may close it.
        """
        previous = -reach
        for gap in gaps:
            search = self._search(gap, overlap, reach)
            if search and search.offset >= previous + reach // 2 and self.requests < self._most:
                previous = search.offset
                self.requests += 1
                self._asked[PageRequest(previous)] = gap.first
        return list(self._asked)  # nothing else is in flight

    def describe(self, gap: Gap, reach: int) -> str:
        """Say in words what is not covered; ``reach`` is the number of rows that a page holds."""
        tied = self._tied(gap)
        if reach < _LEAST_ROWS:
            return f"no answer covers {written(gap.first)}, as pages hold no more than {reach} rows"
        if tied >= reach - 1:
            return f"{tied} images share {written(gap.first)}, too many for one page of {reach}"
        if gap.last == END - 1:
            return f"no answer covers the end of the list, from {written(gap.first)} on"
        return f"no answer covers {written(gap.first)}" + ("" if gap.first == gap.last else f" to {written(gap.last)}")

    def _tied(self, gap: Gap) -> int:
        """The number of images of a gap that all have one key, as far as it is known."""
        if gap.last == END - 1:
            end = self._last.end if self._last.last == gap.first else 0
        else:
            end = self._ends.get(gap.last, 0) if gap.first == gap.last else 0
        return max(end - self._starts.get(gap.first, end), 0)

    def _search(self, gap: Gap, overlap: int, reach: int) -> _Search | None:
        """The search for a gap, or None if no page can close it.

        None begins further left than the list, and none shows where the list ends.
        """
        start = self._starts.get(gap.first)
        if not start or gap.last == END - 1 or reach < _LEAST_ROWS:
            return None
        back = max(min(overlap, (reach - self._tied(gap)) // 2 - 1), 0)
        search = self._searches.setdefault(gap.first, _Search(start, max(start - 1 - back, 0), high=start))
        return None if search.hopeless else search
