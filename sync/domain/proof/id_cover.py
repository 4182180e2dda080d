"""Cover by ids: which part of a list that is paged by marker several answers together show.

The list is sorted by id, which is unique and never changes for an image. The answer to a marker m is the beginning of
the images with an id above m, at one moment. So it shows every image that existed at that moment with an id above m,
up to the id of its last row. Without a marker, it shows all up to its last row; and an answer that starts the list in
descending order shows all from its last row on.

Claim: if these intervals of all answers together hold every id, each image that existed during the whole reading is in
one of the answers, whatever was created or deleted meanwhile.

Proof: the id of the image lies in the interval of some answer. The image existed at the moment of that answer, so the
answer shows it.

Whether the marker's own image still exists plays no part, so any id may serve as a marker. What has to hold: the cloud
sorts ids as they are compared here. All known collations do so for lower-case UUIDs of one shape, because these have
digits, the letters a to f, and their hyphens at the same places. If every bound of every interval is such a UUID, the
claim holds for other ids as well: an image with another id stands, in the cloud's order, between two neighbouring
bounds, and the answer that covers the ids between these two shows it. It is seen, then, that ids can't be compared. So
ids are compared only while all that came have that shape; see ``sync.domain.proof.chain`` for all others.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from operator import lt
from typing import NamedTuple

from sync.domain.proof.ranges import Ranges

_BEGINNING, _END = "", "~"  # before and after every UUID
_NEXT = "\0"  # an id with this is the very next text: before every other id above it
_HEX = "[0-9a-f]"
_SHAPES = tuple(re.compile(shape) for shape in (_HEX + "{8}(?:-" + _HEX + "{4}){3}-" + _HEX + "{12}", _HEX + "{32}"))
_LISTS = tuple(re.compile(f"(?:{shape.pattern},)*") for shape in _SHAPES)  # a page of ids is matched in one step


class IdInterval(NamedTuple):
    """The ids above one and up to another.

    Attributes:
        after: the id above which it begins; None: at the beginning of the list.
        last: the last id, which it holds; None: it goes up to the end of the list.
        from_after: whether it also holds ``after`` itself, as an answer in descending order does.
    """

    after: str | None
    last: str | None
    from_after: bool = False


class IdGap(NamedTuple):
    """Ids that no interval covers.

    Attributes:
        start: the first place that is not covered.
        end: the first place behind it that is.
    """

    start: str
    end: str

    @property
    def marker(self) -> str | None:
        """The last id that is covered before it; None at the beginning of the list."""
        return self.start[: -len(_NEXT)] if self.start else None

    @property
    def at_end(self) -> bool:
        """Whether it reaches up to the end of the list."""
        return self.end == _END

    def __str__(self) -> str:
        """Describe the gap in words."""
        last = self.end.removesuffix(_NEXT)
        if self.at_end:
            return f"no answer covers the ids after {self.marker}" if self.start else "no answer covers any id"
        return "no answer covers the ids " + (f"between {self.marker} and {last}" if self.start else f"up to {last}")


class IdCover:
    """The ids in the intervals that were added."""

    def __init__(self) -> None:
        self._ranges: Ranges[str] = Ranges()

    def add(self, interval: IdInterval) -> None:
        """Add the ids of an interval."""
        start, end = interval.after, interval.last
        first = _BEGINNING if start is None else start if interval.from_after else start + _NEXT
        self._ranges.add(first, _END if end is None else end + _NEXT)

    def gaps(self) -> list[IdGap]:
        """Return what is not covered, in order."""
        return [IdGap(start, end) for start, end in self._ranges.gaps(_BEGINNING, _END)]

    def count_new(self, ids: Sequence[str]) -> int:
        """The number of these ids, in ascending order, that are not covered yet."""
        return sum(bisect_left(ids, gap.end) - bisect_left(ids, gap.start) for gap in self.gaps())


class Shape:
    """Whether all ids so far are lower-case UUIDs of one shape, so that they can be compared."""

    def __init__(self) -> None:
        self._possible = _LISTS

    def fits(self, ids: Sequence[str]) -> bool:
        """Take more ids, and say whether all ids so far can be compared."""
        text = "".join([f"{each}," for each in ids])
        alike = text.count(",") == len(ids)
        self._possible = tuple(shape for shape in self._possible if alike and shape.fullmatch(text))
        return bool(self._possible)


def ascending(ids: Sequence[str]) -> bool:
    """Whether ids that can be compared are in strictly ascending order."""
    return all(map(lt, ids, ids[1:]))


def agree(ids: Sequence[str]) -> bool:
    """Whether no id comes twice, and those that can be compared with each other are in ascending order."""
    alike = ([each for each in ids if shape.fullmatch(each)] for shape in _SHAPES)
    return len(set(ids)) == len(ids) and all(map(ascending, alike))
