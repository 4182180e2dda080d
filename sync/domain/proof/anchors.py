"""Anchors: rows that join two answers of a list that keeps changing, so that no image is lost between them.

Assumptions: an answer is one contiguous piece of the list as it was at one moment, sorted by ``created_at``. Images
with the same ``created_at`` come in any order, which may differ each time. The ``created_at`` of an image does not
change.

Claim: take answers P0 .. Pk, read at any moments and in any order. P0 starts at offset 0, Pk holds the last image of
the list at its moment, and each P(i-1) and Pi share an anchor Ri. Then every image X that existed during the whole
reading is in one of the answers, whatever was created or deleted meanwhile.

Proof: Ri is alone in one of its two answers, so at that moment no other image had its ``created_at``. X existed then,
so either X is Ri, and was seen, or X has a different ``created_at``. Let Rj be the first anchor younger than X. The
anchor before it, R(j-1), is not younger than X, so it is older. At the moment of P(j-1), X stood between the two, and
P(j-1) is contiguous and holds both, so it holds X. If there is no anchor before Rj, P0 starts where the list starts;
if no anchor is younger than X, Pk reaches the end of the list.

This is why ``_older`` is strict: if an image beside the anchor had the same ``created_at``, X could come before the
anchor in one answer and after it in the other, and be in neither. Offsets other than 0 play no part, and neither does
``total``: both shift while the list changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import le
from typing import Annotated

import msgspec


class Row(msgspec.Struct, frozen=True, gc=False):
    """The part of an image that the proof needs; a page of rows is decoded in one step.

    Attributes:
        id: its id.
        created_at: with a time zone; None if it cannot be read: then neither the row nor its neighbours are anchors.
    """

    id: str
    created_at: Annotated[datetime, msgspec.Meta(tz=True)] | None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Attributes:
        offset: as requested.
        rows: all its rows, in the order in which they came.
        total: the number of all matches, as the cloud gives it; None if it is missing, negative or not a number.
    """

    offset: int
    rows: Sequence[Row]
    total: int | None

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def first_id(self) -> str | None:
        """Id of the first row, or None if there is none."""
        return self.rows[0].id if self.rows else None

    @property
    def last_id(self) -> str | None:
        """Id of the last row, or None if there is none."""
        return self.rows[-1].id if self.rows else None

    @property
    def ordered(self) -> bool:
        """Whether ``created_at`` never decreases, as the request demands."""
        times = [row.created_at for row in self.rows if row.created_at is not None]
        return all(map(le, times, times[1:]))


def anchor(left: Sequence[Row], right: Sequence[Row], near: int) -> str | None:
    """The id of a row that joins two ordered answers, or None if they share no such row.

    Args:
        left: rows of the answer with the lower offset.
        right: rows of the answer with the higher offset.
        near: number of rows on each side of the seam to search first; if these share no anchor, all rows are searched.
    """
    return _shared(left[-near:], right[:near]) or _shared(left, right)


def _shared(left: Sequence[Row], right: Sequence[Row]) -> str | None:
    candidates = set(left).intersection(right)
    if not candidates:
        return None
    anchors = candidates & (_alone(left) | _alone(right))
    return next((row.id for row in left if row in anchors), None)


def _alone(rows: Sequence[Row]) -> set[Row]:
    """Rows strictly between their two neighbours, so that no other image has the same ``created_at``."""
    return {
        row
        for before, row, after in zip(rows, rows[1:], rows[2:], strict=False)
        if _older(before, row) and _older(row, after)
    }


def _older(row: Row, other: Row) -> bool:
    return row.created_at is not None and other.created_at is not None and row.created_at < other.created_at
