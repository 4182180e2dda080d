"""Read a list by marker at several places at a time, and prove it by a cover of ids."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from sync.domain.proof.effort import Effort
from sync.domain.proof.id_cover import IdCover, IdGap, IdInterval, ascending
from sync.domain.proof.marker_search import MarkerSearches
from sync.domain.proof.page import PageRequest
from sync.domain.proof.restarts import RestartCheck
from sync.domain.proof.starts import Starts

_MOST_DESCENDING = 32  # requests of the first page in descending order
_MOST_DESCRIBED = 3  # gaps


class ByCover:
    """Requests what the cover lacks: the page after the last id before each gap, and pages at known ids within.

    The first page of the descending order is requested early. If the list ends before it, because images were deleted,
    it is requested again. An empty page covers nothing. Where one comes although ids behind its marker are not covered,
    an earlier marker is tried, as if it had been refused.

    Args:
        limit: rows to request per page.
        starts: ids at which further chains of pages may begin; lower-case UUIDs of one shape.
        part: the part-list.
        effort: counts what is requested beyond the last id before each gap.

    Attributes:
        kind: how it proves a list.
        broken: why no cover can prove the list, or "".
    """

    kind: Literal["cover"] = "cover"

    def __init__(self, *, limit: int, starts: Sequence[str], part: str, effort: Effort) -> None:
        self._limit, self._part, self._effort = limit, part, effort
        self._starts = Starts(starts)
        self._cover = IdCover()
        self._searches = MarkerSearches()
        self._restarts = RestartCheck()
        self._descending = PageRequest(descending=True, part=part)
        self._descending_wanted, self._descending_asked = True, 0
        self._ignores_descending = False
        self._begun = False
        self._may_be_short = False  # whether the first page was short, so that the list may end with it
        self._empty_after: str | None = None  # the last marker after which no row came
        self._last: str | None = None  # that marker, when the descending order was requested
        self.broken = ""

    def next(self, in_flight: Collection[PageRequest]) -> PageRequest | None:
        """The page to request now, or None if there is none until more answers come."""
        return next(self._requests(in_flight), None)

    def _requests(self, in_flight: Collection[PageRequest]) -> Iterator[PageRequest]:
        gaps = self._cover.gaps()
        if gaps and self._begun and self._descending_wanted and self._descending not in in_flight:
            yield self._descending
        wait = self._descending in in_flight
        if wait and self._descending_asked > 1:
            return
        if not (wait and self._may_be_short):
            requests = (self._request(self._searches.marker(gap)) for gap in gaps if self._worth_asking(gap))
            yield from (request for request in requests if request not in in_flight)
        markers = sorted(request.marker for request in in_flight if request.marker is not None)
        if (start := self._starts.next(gaps, markers)) is not None:
            yield self._request(start)

    def _worth_asking(self, gap: IdGap) -> bool:
        if self._effort.spent and self._searches.retries(self._searches.marker(gap)):
            return False
        return not self._searches.hopeless(gap)

    def _request(self, marker: str | None) -> PageRequest:
        return PageRequest(marker=marker, part=self._part)

    def begin(self, request: PageRequest) -> None:
        """Note that a page is requested."""
        self._begun = True
        if request.descending:
            self._descending_wanted = False
            self._effort.gap_requests += self._descending_asked > 0
            self._descending_asked += 1
            self._last = self._empty_after
        else:
            self._effort.gap_requests += self._searches.retries(request.marker)
            self._starts.remove(request.marker)

    def take(self, request: PageRequest, ids: Sequence[str]) -> IdInterval | None:
        """Take the answer to a request, and return what it covers.

        Raises:
            ContractError: the cloud ignores the marker.
        """
        if request.descending:
            interval = self._take_descending(ids)
        elif not ids:
            self._take_empty(request.marker)
            return None
        elif not ascending(ids):
            self.broken = f"the images {_place(request.marker)} are not sorted by id as requested"
            return None
        elif request.marker is not None and ids[0] <= request.marker:
            if self._gap_of(request.marker):
                self._restarts.add(request.marker)
            self.refuse(request)
            return None
        else:
            interval = self._take_rows(request.marker, ids)
        if interval is not None:
            self._cover.add(interval)
            self._searches.keep_only(self._cover.gaps())
        return interval

    def refuse(self, request: PageRequest) -> None:
        """Replace a marker that the cloud refused; a known id from an earlier run needs no replacement."""
        self._effort.refused += 1
        if (gap := self._gap_of(request.marker)) is not None:
            self._searches.step_back(gap)

    def lack(self) -> str:
        """Return the reason why there is no proof, or ""."""
        gaps = self._cover.gaps()
        described = [str(gap) for gap in gaps[:_MOST_DESCRIBED]]
        described += [f"{len(gaps) - _MOST_DESCRIBED} more gaps"] if len(gaps) > _MOST_DESCRIBED else []
        if gaps and self._ignores_descending:
            described.append("the cloud ignores the descending order")
        return "; ".join(described)

    def _gap_of(self, marker: str | None) -> IdGap | None:
        """The gap for which a marker is the next to request."""
        return next((gap for gap in self._cover.gaps() if self._searches.marker(gap) == marker), None)

    def _take_rows(self, marker: str | None, ids: Sequence[str]) -> IdInterval:
        if marker is None:
            self._may_be_short = len(ids) < self._limit
        else:
            self._restarts.respected()
        self._effort.new += self._cover.count_new(ids)
        self._searches.add(ids, marker, self._gap_of(marker))
        return IdInterval(marker, ids[-1])

    def _take_empty(self, marker: str | None) -> None:
        """Take an answer without rows: it shows nothing, but the list may have become shorter meanwhile."""
        if marker is None:
            self._may_be_short = True
        else:
            self._empty_after = marker
        gap = self._gap_of(marker)
        if gap is not None and gap.at_end and self._ignores_descending:
            self._searches.give_up(gap)
        elif gap is not None:
            self._searches.step_back(gap)
            again = self._descending_asked < _MOST_DESCENDING and not self._effort.spent
            self._descending_wanted |= again

    def _take_descending(self, ids: Sequence[str]) -> IdInterval | None:
        """Take the first page of the descending order.

        A single row shows no order. It is the last image if no row came after it, and it still exists afterwards.
        """
        if not ids or (len(ids) == 1 and ids[0] != self._last):
            return None
        if not ascending(ids[::-1]):
            self._ignores_descending = True
            return None
        return IdInterval(ids[-1], None, from_after=True)


def _place(marker: str | None) -> str:
    return "of the first page" if marker is None else f"after {marker}"
