"""Search a second list for the images that the first one lacks."""

from __future__ import annotations

from array import array

from sync.domain.answer import Answer
from sync.domain.comparison import Comparison, fingerprint
from sync.domain.guard import Candidates, Limits, guard
from sync.domain.proof.verdict import Proof


class Search:
    """Looks for given images in a list that may be read several times; needs 8 bytes of memory per row.

    Args:
        wanted: ids to look for.
        first: comparison of the first list; the images that are found are added to it.

    Attributes:
        found: the wanted ids that came in any reading.
    """

    def __init__(self, wanted: frozenset[str], first: Comparison) -> None:
        self._wanted, self._first = wanted, first
        self.found: frozenset[str] = frozenset()
        self._without_id = 0  # records of this reading without a readable id
        self._ids = array("q")  # Python's hash of each id that came in this reading

    def begin(self) -> None:
        """Begin a reading; the images found in earlier ones still count."""
        self._ids, self._without_id = array("q"), 0

    def add_page(self, answer: Answer) -> None:
        """Take one answer of the reading."""
        self._ids.extend(hash(row.id) for row in answer.rows)
        self._without_id += sum(not row.id for row in answer.rows)
        wanted = answer.only(self._wanted)
        if wanted.images:
            self.found |= {row.id for row in wanted.rows}
            self._first.add_page(wanted)

    @property
    def lacking(self) -> frozenset[str]:
        """The wanted ids that never came."""
        return self._wanted - self.found

    @property
    def distinct(self) -> int:
        """The number of different ids in this reading."""
        return len(set(self._ids))

    def fingerprint(self) -> int:
        """128 bits, equal for readings of one process that saw the same set of ids."""
        return fingerprint(set(self._ids))

    def doubt(self, proof: Proof, limits: Limits) -> str:
        """Why this list is no evidence that an image is gone, or "": it must be proven, and agree with the first list.

        Args:
            proof: of this list.
            limits: how many images it may lack that the first list shows: as many as one run may delete.
        """
        if not proof.proven:
            return f"the second list is not proven complete: {proof.reason}"
        if self._without_id:
            return f"the second list has records without a readable id: {self._without_id}"
        lost, distinct = self._first.lost(set(self._ids)), self._first.distinct
        if guard(Candidates(live=distinct, gone=lost, listed=self.distinct), limits):
            return f"the second list lacks {lost} of {distinct} images that the first one shows"
        return ""
