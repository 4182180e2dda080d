"""Read a list by marker that can't be proven, for the images that come."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from sync.domain.proof.effort import Effort
from sync.domain.proof.page import PageRequest


class Unproven:
    """Requests one page after the last row of another, until none comes.

    Args:
        part: the part-list.
        effort: counts the rows.
        reason: why the list can't be proven.

    Attributes:
        kind: how it proves a list: not at all.
        broken: always "", as nothing more can break.
    """

    kind: Literal[""] = ""

    def __init__(self, *, part: str, effort: Effort, reason: str) -> None:
        self._part, self._effort, self._reason = part, effort, reason
        self._marker: str | None = None
        self._used: set[str | None] = set()
        self.broken = ""

    def next(self, in_flight: Collection[PageRequest]) -> PageRequest | None:
        """The page to request now, or None at the end, or until more answers come."""
        request = PageRequest(marker=self._marker, part=self._part)
        return None if self._marker in self._used or request in in_flight else request

    def begin(self, request: PageRequest) -> None:
        """Note that a page is requested."""

    def take(self, request: PageRequest, ids: Sequence[str]) -> None:
        """Take the answer to a request."""
        if request.descending or request.marker != self._marker:
            return
        self._used.add(self._marker)
        self._effort.new += len(ids)
        self._marker = next((each for each in reversed(ids) if each), self._marker)

    def refuse(self, request: PageRequest) -> None:
        """End the reading at a marker that the cloud refused."""
        self._effort.refused += 1
        self._used.add(request.marker)

    def lack(self) -> str:
        """Why the list is not proven."""
        return self._reason
