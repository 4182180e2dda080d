"""One answer, as the proof sees it: its rows, and the piece of the list that they show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from operator import ge, le
from typing import Annotated, NamedTuple

import msgspec

from sync.domain.proof.cover import BEGINNING, END, UNREADABLE_FIRST, UNREADABLE_LAST, Interval, Key, key


class Row(msgspec.Struct, frozen=True, gc=False):
    """The part of an image that the proof needs; a page of rows is decoded in one step.

    Attributes:
        id: its id.
        created_at: with a time zone; None if it cannot be read.
    """

    id: str
    created_at: Annotated[datetime, msgspec.Meta(tz=True)] | None


class PageRequest(NamedTuple):
    """A request for a page.

    Attributes:
        offset: number of rows to skip.
        descending: whether the newest image comes first; used only with offset 0.
    """

    offset: int
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Attributes:
        offset: as requested.
        rows: all its rows, in the order in which they came.
        total: the number of matching images according to the cloud; None if it is missing, negative or not a number.
        descending: whether the descending order was requested.
    """

    offset: int
    rows: Sequence[Row]
    total: int | None
    descending: bool = field(default=False, kw_only=True)

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def request(self) -> PageRequest:
        """The request that it answers."""
        return PageRequest(self.offset, self.descending)


@dataclass(frozen=True, slots=True)
class Piece:
    """The piece of the list that one answer shows, without its rows.

    Attributes:
        offset, count, total: as in the page.
        ordered: whether the rows are sorted as requested; rows without a readable time may stand at one end.
        first, last: keys of the first and the last row; None if it has no row with a readable time, or is not ordered.
        interval: keys of which it shows every image; None if there is none.
        head, tail: number of rows that have the first key, and the last.
        ties: the most rows that have one time.
    """

    offset: int
    count: int
    total: int | None
    ordered: bool = False
    first: Key | None = None
    last: Key | None = None
    interval: Interval | None = None
    head: int = 0
    tail: int = 0
    ties: int = 0

    @property
    def end(self) -> int:
        """Offset just after its last row."""
        return self.offset + self.count


def piece_of(page: Page) -> Piece:
    """Return the piece of the list that an answer shows."""
    times = [row.created_at for row in page.rows]
    known = [time for time in times if time is not None]
    if not known:
        return Piece(page.offset, page.count, page.total, ordered=True)
    unread_first, unread_last = times.index(known[0]), times[::-1].index(known[-1])
    if unread_first + len(known) + unread_last < len(times) or not _sorted(known, descending=page.descending):
        return Piece(page.offset, page.count, page.total)
    low, high = (UNREADABLE_LAST, UNREADABLE_FIRST) if page.descending else (UNREADABLE_FIRST, UNREADABLE_LAST)
    first = low if unread_first else key(known[0])
    last = high if unread_last else key(known[-1])
    return Piece(
        page.offset,
        page.count,
        page.total,
        ordered=True,
        first=first,
        last=last,
        interval=_interval(page, first, last),
        head=unread_first or _run(known, first),
        tail=unread_last or _run(reversed(known), last),
        ties=max(unread_first, unread_last, *Counter(known).values()),
    )


def _interval(page: Page, first: Key, last: Key) -> Interval | None:
    """The keys of which an ordered answer shows every image."""
    if page.descending:  # if all keys are equal, the order can't be seen
        interval = Interval(last, END if first > last else last)
    else:
        interval = Interval(first if page.offset else BEGINNING, last)
    return interval if interval.before - interval.after > 1 else None


def _run(times: Iterable[datetime], of: Key) -> int:
    """The number of times at the beginning that have this key."""
    return sum(1 for _ in takewhile(lambda time: key(time) == of, times))


def _sorted(times: list[datetime], *, descending: bool) -> bool:
    """Whether times are in order, to the second."""
    in_order = ge if descending else le
    if all(map(in_order, times, times[1:])):
        return True
    seconds = [time.replace(microsecond=0) for time in times]
    return all(map(in_order, seconds, seconds[1:]))
