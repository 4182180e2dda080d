"""Anchors: how two answers of a list that keeps changing are joined without losing an image.

What is assumed: an answer is one contiguous piece of the list as it stood at one moment, sorted by ``created_at``.
Images of one ``created_at`` stand in any order, another one each time. The ``created_at`` of an image does not
change.

What is claimed: take answers P0 .. Pk, read at any moments in any order. P0 starts at offset 0, Pk held the last
image of its moment, and each P(i-1) and Pi share an anchor Ri. Then an image X that existed during the whole reading
is in one of them, whatever was created or deleted meanwhile.

Why: Ri is alone in one of its two answers, so at that moment no other image had its ``created_at``. X existed then;
so X is Ri, and was seen, or has another ``created_at``. Let Rj be the first anchor younger than X. The one before it,
R(j-1), is not younger, so it is older. At the moment of P(j-1) X stood between the two, and P(j-1), contiguous and
holding both, holds X. Where there is no anchor before Rj, P0 starts with the list; where no anchor is younger, Pk
reaches its end.

Hence the strict signs in ``_older``: with a tie beside it, X could stand before the anchor in one answer and behind
it in the other, and be in neither. Offsets but 0 play no part, nor does ``total``: neither holds still while the list
changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import le
from typing import Annotated

import msgspec


class Row(msgspec.Struct, frozen=True, gc=False):
    """What the proof needs of one image; a page of them is decoded in one step.

    Attributes:
        id: its id.
        created_at: with a time zone; None where it cannot be read: such a row is no anchor, nor is one beside it.
    """

    id: str
    created_at: Annotated[datetime, msgspec.Meta(tz=True)] | None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Attributes:
        offset: as asked.
        rows: all its rows, in the order in which they came.
        total: the number of all matches, as the cloud gives it; None where it is missing, negative or no number.
    """

    offset: int
    rows: Sequence[Row]
    total: int | None

    @property
    def count(self) -> int:
        """Number of rows that came."""
        return len(self.rows)

    @property
    def first_id(self) -> str | None:
        """Id of the first row, or None where there is none."""
        return self.rows[0].id if self.rows else None

    @property
    def last_id(self) -> str | None:
        """Id of the last row, or None where there is none."""
        return self.rows[-1].id if self.rows else None

    @property
    def ordered(self) -> bool:
        """Whether ``created_at`` never falls, as was asked for."""
        times = [row.created_at for row in self.rows if row.created_at is not None]
        return all(map(le, times, times[1:]))


def anchor(left: Sequence[Row], right: Sequence[Row], near: int) -> str | None:
    """Return the id of a row that joins two answers that are ordered, or None where they share none.

    Args:
        left: rows of the answer with the lower offset.
        right: rows of the answer with the higher offset.
        near: number of rows beside the seam to look at first; where that finds nothing, all are looked at.
    """
    return _shared(left[-near:], right[:near]) or _shared(left, right)


def _shared(left: Sequence[Row], right: Sequence[Row]) -> str | None:
    candidates = set(left).intersection(right)
    if not candidates:
        return None
    anchors = candidates & (_alone(left) | _alone(right))
    return next((row.id for row in left if row in anchors), None)


def _alone(rows: Sequence[Row]) -> set[Row]:
    """Rows that stand strictly between two neighbours, so that nothing can tie with them."""
    return {
        row
        for before, row, after in zip(rows, rows[1:], rows[2:], strict=False)
        if _older(before, row) and _older(row, after)
    }


def _older(row: Row, other: Row) -> bool:
    return row.created_at is not None and other.created_at is not None and row.created_at < other.created_at
