"""Which marker to request next for each gap in a cover by ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sync.domain.proof.id_cover import IdGap
from sync.domain.proof.known_rows import KnownRows

_MOST_TRIES = 16  # per gap, that bring nothing; each step back is twice as far, so these pass over 65,000 known rows


@dataclass(slots=True)
class _Search:
    """The search for a marker that shows the first ids of a gap.

    Attributes:
        marker: the next marker to request; None: the beginning of the list.
        tries: number of markers that were refused, or after which no row came.
    """

    marker: str | None
    tries: int = 0


class MarkerSearches:
    """The searches for all gaps of one reading.

    The first marker is the last id before the gap. If it brings nothing, a row seen before takes its place: the one
    before it, then the second before that, then the fourth, and at last none, which is the beginning of the list. From
    there on, the last row of each answer is the next marker, until one lies in the gap.
    """

    def __init__(self) -> None:
        self.rows = KnownRows()
        self._searches: dict[str, _Search] = {}  # by start of their gaps

    def marker(self, gap: IdGap) -> str | None:
        """The marker to request for a gap; None: the beginning of the list."""
        search = self._searches.get(gap.start)
        return search.marker if search else gap.marker

    def hopeless(self, gap: IdGap) -> bool:
        """Whether no other marker is worth a request."""
        search = self._searches.get(gap.start)
        return search is not None and search.tries >= _MOST_TRIES

    def retries(self, marker: str | None) -> bool:
        """Whether a marker is one that takes the place of another."""
        return any(search.marker == marker for search in self._searches.values())

    def add(self, ids: Sequence[str], marker: str | None, gap: IdGap | None) -> None:
        """Take the rows of the answer to a marker that was requested for a gap, or for none."""
        self.rows.add(ids, marker)
        if gap is not None and gap.marker is not None and ids[-1] <= gap.marker:
            self._searches.setdefault(gap.start, _Search(None)).marker = ids[-1]

    def step_back(self, gap: IdGap) -> None:
        """Replace the marker for a gap."""
        search = self._searches.setdefault(gap.start, _Search(gap.marker))
        if search.marker is not None:
            search.marker = self.rows.before(search.marker, 1 << search.tries)
        search.tries += 1

    def give_up(self, gap: IdGap) -> None:
        """Request no more for a gap."""
        self._searches[gap.start] = _Search(self.marker(gap), _MOST_TRIES)

    def keep_only(self, gaps: Collection[IdGap]) -> None:
        """Forget the searches for all other gaps."""
        if self._searches:
            starts = {gap.start for gap in gaps}
            self._searches = {start: search for start, search in self._searches.items() if start in starts}
