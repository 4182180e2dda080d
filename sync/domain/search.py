"""What a second list says of the images that the first one lacks."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from sync.domain.answer import Answer
from sync.domain.image import raw_digest


class Search:
    """Looks for some images in a list that may be read several times; flat in memory but for 8 bytes a row.

    Args:
        wanted: ids to look for.
        take: gets each answer, cut down to these images.

    Attributes:
        found: the ids among them that came in any reading.
    """

    def __init__(self, wanted: frozenset[str], take: Callable[[Answer], None]) -> None:
        self._wanted, self._take = wanted, take
        self.found: frozenset[str] = frozenset()
        self._names = array("q")  # Python's hash of each id that came in this reading

    def begin(self) -> None:
        """Begin a reading; what was found before counts on."""
        self._names = array("q")

    def add_page(self, answer: Answer) -> None:
        """Take one answer of the reading."""
        self._names.extend(hash(row.id) for row in answer.page.rows)
        there = answer.only(self._wanted)
        if there.images:
            self.found |= {row.id for row in there.page.rows}
            self._take(there)

    @property
    def lacking(self) -> frozenset[str]:
        """The ids that never came."""
        return self._wanted - self.found

    @property
    def distinct(self) -> int:
        """The number of different ids in this reading."""
        return len(set(self._names))

    def fingerprint(self) -> int:
        """The same for two readings of one process that saw the same set of ids; 128 bits."""
        return int.from_bytes(raw_digest(array("q", sorted(set(self._names))).tobytes()))
