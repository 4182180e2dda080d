"""One answer, as the proof sees it: its rows, and the piece of the list that they show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from operator import ge, le
from typing import NamedTuple

import msgspec

from sync.domain.proof.cover import BEGINNING, END, Interval, Key, key
from sync.domain.proof.id_cover import IdInterval


class Row(msgspec.Struct, frozen=True, gc=False):
    """The part of an image that the proof needs; a page of rows is decoded in one step.

    Attributes:
        id: its id.
        created_at: to the second, in UTC; None if it is not written as ``2024-05-01T00:00:00Z`` or with a fraction, as
            another way may be sorted otherwise by the cloud.
    """

    id: str
    created_at: datetime | None


class PageRequest(NamedTuple):
    """A request for a page.

    Attributes:
        offset: number of rows to skip.
        descending: whether the last image comes first; used only at the beginning.
        marker: id of the image after which the page begins, in lists by marker; None for the beginning.
        part: the part-list, where a list has several.
    """

    offset: int = 0
    descending: bool = False
    marker: str | None = None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Attributes:
        offset: as requested.
        rows: all its rows, in the order in which they came.
        total: the number of matching images according to the cloud; None if it is missing, negative or not a number.
        descending: whether the descending order was requested.
        marker, part: as requested.
    """

    offset: int
    rows: Sequence[Row]
    total: int | None
    descending: bool = field(default=False, kw_only=True)
    marker: str | None = field(default=None, kw_only=True)
    part: str = field(default="", kw_only=True)

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def request(self) -> PageRequest:
        """The request that it answers."""
        return PageRequest(self.offset, self.descending, self.marker, self.part)


@dataclass(frozen=True, slots=True)
class Piece:
    """The piece of the list that one answer shows, without its rows.

    Attributes:
        offset, count, total: as in the page.
        ordered: whether the rows are sorted as requested; rows without a readable time may stand at both edges.
        first, last: keys of the first and the last row with a readable time; None if there is none, or no order.
        interval: keys of which it shows every image; None if there is none.
        head, tail: number of rows up to the last one with the first key, and from the first one with the last key on.
        ties: the most rows that have one key, or no readable time, in a row.
        undated_first: whether its first row has no readable time.
        ids: ids of which it shows every image, in a list by marker; None if there are none, or they can't be compared.
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
    undated_first: bool = False
    ids: IdInterval | None = None

    @property
    def end(self) -> int:
        """Offset just after its last row."""
        return self.offset + self.count


def piece_of(page: Page) -> Piece:
    """Return the piece of the list that an answer shows.

    Rows without a readable time say nothing of where they stand: the edge of an answer is not the end of the list. So
    its interval lies between rows that have one.
    """
    times = [row.created_at for row in page.rows]
    known = [time for time in times if time is not None]
    if not known:
        return Piece(page.offset, page.count, page.total, ordered=True, undated_first=bool(times))
    undated, undated_last = times.index(known[0]), times[::-1].index(known[-1])
    if undated + len(known) + undated_last < len(times) or not _sorted(known, descending=page.descending):
        return Piece(page.offset, page.count, page.total)
    first, last = key(known[0]), key(known[-1])
    return Piece(
        page.offset,
        page.count,
        page.total,
        ordered=True,
        first=first,
        last=last,
        interval=_interval(page, first, last),
        head=undated + _leading(known, first),
        tail=undated_last + _leading(reversed(known), last),
        ties=max(undated, undated_last, *Counter(map(key, known)).values()),
        undated_first=undated > 0,
    )


def _interval(page: Page, first: Key, last: Key) -> Interval | None:
    """The keys of which an ordered answer shows every image."""
    if page.descending:  # if all keys are equal, the order can't be seen
        interval = Interval(last, END if first > last else last)
    else:
        interval = Interval(first if page.offset else BEGINNING, last)
    return interval if interval.before - interval.after > 1 else None


def _leading(times: Iterable[datetime], of: Key) -> int:
    """The number of times at the beginning that have this key."""
    return sum(1 for _ in takewhile(lambda time: key(time) == of, times))


def _sorted(times: list[datetime], *, descending: bool) -> bool:
    """Whether times are in order, to the second."""
    in_order = ge if descending else le
    if all(map(in_order, times, times[1:])):
        return True
    seconds = [time.replace(microsecond=0) for time in times]
    return all(map(in_order, seconds, seconds[1:]))
