"""Read a list by marker page after page, without comparing ids, and prove it by the rows that pages share.

Claim: if each page shares a row with the one before it, the first page has no marker, and the first page of the
descending order shares a row with the chain, each image that existed during the whole reading is in one of the answers,
in whatever order the cloud sorts ids.

Proof: each answer is one contiguous piece of the list as it was at one moment, in an order that never changes. Two
pieces that share a row cover, together, all from the first row of either to the last row of either: a row's place in
the order is the same at both moments. So the chain covers the list from its beginning up to its last row, and the
descending page from one of these rows to the end.

To share rows, a page is requested with one of the last rows before it as its marker, but not the last one. One shared
row is enough, but several show whether the order is the same in both pages, and survive a deletion. The descending page
has to show two rows of the chain, or more, in reversed order: one would not show that it is descending.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from sync.domain.proof.effort import Effort
from sync.domain.proof.id_cover import agree
from sync.domain.proof.page import PageRequest
from sync.domain.proof.restarts import RestartCheck

_SHARED = 4  # rows that neighbouring pages share, and the descending page with the chain, where they are so long
_MOST_TRIES = 12  # consecutive pages that bring no new row
_MOST_CHAINS = 4  # begun at the beginning of the list, because no row before the last one was shared


class ByChain:
    """Requests one page after the other, and the descending page before and after.

    Args:
        limit: rows to request per page.
        part: the part-list.
        effort: counts what is requested beyond one page after the other.

    Attributes:
        kind: how it proves a list.
        broken: why no chain can prove the list, or "".
    """

    kind: Literal["chain"] = "chain"

    def __init__(self, *, limit: int, part: str, effort: Effort) -> None:
        self._most_rows, self._part, self._effort = 2 * limit, part, effort
        self._rows: list[str] = []  # the last ones of the chain, in the cloud's order
        self._place: int | None = None  # of the marker, among them; None: the beginning of the list
        self._tries, self._chains = 0, 1
        self._descending = PageRequest(descending=True, part=part)
        self._descending_wanted = True
        self._descending_rows: Sequence[str] = ()
        self._empty_after: str | None = None  # the last marker after which no row came
        self._last: str | None = None  # that marker, when the descending order was requested
        self._joined = False
        self._restarts = RestartCheck()
        self.broken = ""

    def next(self, in_flight: Collection[PageRequest]) -> PageRequest | None:
        """The page to request now, or None if there is none until more answers come."""
        if self._joined or self._tries >= _MOST_TRIES or (self._tries and self._effort.spent):
            return None
        waiting = self._descending in in_flight
        first_page_requested = in_flight or self._tries or self._place is not None
        if self._descending_wanted and first_page_requested and not waiting:
            return self._descending
        request = self._request()
        return None if request in in_flight or (waiting and self._tries) else request

    def _request(self) -> PageRequest:
        return PageRequest(marker=None if self._place is None else self._rows[self._place], part=self._part)

    def begin(self, request: PageRequest) -> None:
        """Note that a page is requested."""
        self._effort.gap_requests += self._tries > 0
        if request.descending:
            self._descending_wanted, self._last = False, self._empty_after

    def take(self, request: PageRequest, ids: Sequence[str]) -> None:
        """Take the answer to a request; one that was made before the chain began anew is ignored.

        Raises:
            ContractError: the cloud ignores the marker.
        """
        ids = [each for each in ids if each]  # records without a readable id have no place
        if not agree(ids[::-1] if request.descending else ids):
            self._take_disorder(request)
        elif request.descending:
            self._descending_rows = ids
            self._join()
        elif request == self._request():
            self._take_rows(ids)

    def refuse(self, request: PageRequest) -> None:
        """Replace a marker that the cloud refused."""
        self._effort.refused += 1
        if request == self._request():
            self._step_back()

    def lack(self) -> str:
        """Return the reason why there is no proof, or ""."""
        if self._joined:
            return ""
        if not self._rows:
            return "no image was seen in ascending order"
        return f"no page from the end of the list shares enough images with the pages up to {self._rows[-1]}"

    def _take_disorder(self, request: PageRequest) -> None:
        if not request.descending:
            self.broken = "the images are not sorted by id as requested"

    def _take_rows(self, ids: list[str]) -> None:
        if self._place is None:
            self._add(ids, 0)
            return
        before, after = set(self._rows[: self._place + 1]), self._rows[self._place + 1 :]
        known, shown = set(after), set(ids)
        shared = [each for each in ids if each in known]
        if not before.isdisjoint(ids):
            self._restarts.add(self._rows[self._place])
            self.refuse(self._request())
        elif shared != [each for each in after if each in shown]:
            self.broken = "two pages show the same images in different orders"
        elif shared:
            self._restarts.respected()
            self._add(ids[ids.index(shared[-1]) + 1 :], self._rows.index(shared[-1]) + 1)
        else:
            if not ids:
                self._empty_after, self._descending_wanted = self._rows[self._place], True
            self._step_back()

    def _add(self, ids: list[str], place: int) -> None:
        """Continue the chain at a place with new rows, if any came."""
        self._effort.new += len(ids)
        self._rows = [*self._rows[:place], *ids][-self._most_rows :]
        self._tries = 0 if ids else self._tries + 1
        self._descending_wanted |= not ids
        shared = max(min(_SHARED, self._effort.largest // 2) >> self._tries, 1)
        self._place = max(len(self._rows) - 1 - shared, 0) if self._rows else None
        self._join()

    def _step_back(self) -> None:
        """Request an earlier row, after which more rows may be shared; at last the list from its beginning."""
        self._tries += 1
        place = (self._place or 0) - (1 << self._tries) // 2
        if place >= 0:
            self._place = place
        elif self._chains < _MOST_CHAINS:
            self._chains, self._place, self._rows = self._chains + 1, None, []
        else:
            self.broken = "neighbouring pages share no image"

    def _join(self) -> None:
        """See whether the descending page reaches into the chain."""
        places = {each: n for n, each in enumerate(self._rows)}
        shared = [places[each] for each in self._descending_rows if each in places]
        alone = list(self._descending_rows) == self._rows == [self._last]  # no row came after it, and it still exists
        enough = len(shared) >= max(min(_SHARED, len(self._descending_rows)), 2)
        self._joined |= alone or (enough and all(map(int.__gt__, shared, shared[1:])))
