"""What a second list says of the images that the first one lacks."""

from __future__ import annotations

from array import array

from sync.domain.answer import Answer
from sync.domain.comparison import Comparison
from sync.domain.guard import Candidates, Limits, guard
from sync.domain.image import raw_digest
from sync.domain.proof.verdict import Proof


class Search:
    """Looks for some images in a list that may be read several times; flat in memory but for 8 bytes a row.

    Args:
        wanted: ids to look for.
        first: the first list; gets the images that are found.

    Attributes:
        found: the ids among them that came in any reading.
    """

    def __init__(self, wanted: frozenset[str], first: Comparison) -> None:
        self._wanted, self._first = wanted, first
        self.found: frozenset[str] = frozenset()
        self._nameless = 0  # records of this reading without a readable id
        self._names = array("q")  # Python's hash of each id that came in this reading

    def begin(self) -> None:
        """Begin a reading; what was found before counts on."""
        self._names, self._nameless = array("q"), 0

    def add_page(self, answer: Answer) -> None:
        """Take one answer of the reading."""
        self._names.extend(hash(row.id) for row in answer.rows)
        self._nameless += sum(not row.id for row in answer.rows)
        there = answer.only(self._wanted)
        if there.images:
            self.found |= {row.id for row in there.rows}
            self._first.add_page(there)

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

    def doubt(self, proof: Proof, limits: Limits) -> str:
        """Why this list may not say that an image is gone, or "": it must be proven, and fit the first list.

        Args:
            proof: of this list.
            limits: as many images may have gone since the first list as may go in a run.
        """
        if not proof.proven:
            return f"the second list is not proven complete: {proof.reason}"
        if self._nameless:
            return f"the second list has records without a readable id: {self._nameless}"
        lost = self._first.lost(set(self._names))
        difference = Candidates(live=self._first.distinct, gone=lost, listed=self.distinct)
        reason = guard(difference, limits)
        return (
            f"the second list lacks {lost} of {self._first.distinct} images that the first one shows" if reason else ""
        )
