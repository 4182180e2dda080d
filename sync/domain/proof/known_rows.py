"""Some rows of each page of a list by marker: where a marker is refused, one of them replaces it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

_MOST = 1 << 16  # ids; a few MB, and enough for a row of each page of a million images


class KnownRows:
    """Ids of rows that were seen, in ascending order: of each page the last rows, and ever fewer further back."""

    def __init__(self) -> None:
        self._ids: list[str] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: Sequence[str], marker: str | None) -> None:
        """Take the rows of the answer to a marker; they replace all that were seen before in the same place."""
        low = 0 if marker is None else bisect_right(self._ids, marker)
        high = bisect_right(self._ids, ids[-1])
        places = [1 << n for n in range(len(ids).bit_length())]  # from the end
        self._ids[low:high] = [ids[-place] for place in reversed(places)]
        if len(self._ids) > _MOST:
            del self._ids[::2]

    def before(self, marker: str, back: int) -> str | None:
        """The row this many rows before a marker, or None if there is none: the beginning of the list."""
        place = bisect_left(self._ids, marker) - back
        return self._ids[place] if place >= 0 else None
