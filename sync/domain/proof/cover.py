"""Cover: which part of a list several answers together show, although the list changes between any two of them.

The list is sorted by a *key* that never changes for an image: the second in which it was created. An answer is one
contiguous piece of the list as it was at one moment. So it shows every image that existed at that moment with a key
strictly between those of its first and its last row; images with the same key as one of these two may stand outside it.
An answer that starts the list shows everything below the key of its last row, and an answer that starts the list in
descending order shows everything above the key of its last row.

Claim: if the intervals of all answers together hold every key, each image that existed during the whole reading is in
one of the answers, whatever was created or deleted meanwhile.

Proof: the key of the image lies in the interval of some answer. The image existed at the moment of that answer, so the
answer shows it.

Nothing else plays a part: neither the order of the answers, nor their offsets, nor ``total``. What has to hold: every
answer is sorted by the key and contiguous, and the key that is read from an image is a weakly monotone function of the
one by which the cloud sorts. Seconds are used because a cloud that sorts text puts ``29.5Z`` before ``29Z``, while one
that sorts moments does not; cut down to seconds, both orders are the same. An image without a readable time has no
key: a cover says nothing about it.

Lists that are paged by marker are covered in the same way, by ids: see ``sync.domain.proof.id_cover``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sync.domain.proof.ranges import Ranges

Key = int  # seconds since 1970, or one of the constants below

BEGINNING, END = -(1 << 62), 1 << 62  # before and after every image
_EPOCH, _SECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1)


def key(moment: datetime) -> Key:
    """Return the key of an image that was created at this moment."""
    return (moment - _EPOCH) // _SECOND


_FIRST, _LAST = key(datetime.min.replace(tzinfo=UTC)), key(datetime.max.replace(tzinfo=UTC))


def moment_of(key: Key) -> datetime:
    """Return the moment of a key, limited to the moments that can be written."""
    return _EPOCH + min(max(key, _FIRST), _LAST) * _SECOND


class Interval(NamedTuple):
    """The keys strictly between ``after`` and ``before``."""

    after: Key
    before: Key


class Gap(NamedTuple):
    """A range of keys, both ends included, that no interval covers."""

    first: Key
    last: Key


class Cover:
    """The keys in the intervals that were added."""

    def __init__(self) -> None:
        self._ranges: Ranges[Key] = Ranges()

    def add(self, interval: Interval) -> None:
        """Add the keys of an interval; an empty one adds nothing."""
        self._ranges.add(interval.after + 1, interval.before)

    def gaps(self) -> list[Gap]:
        """Return what is not covered, in order."""
        return [Gap(first, end - 1) for first, end in self._ranges.gaps(BEGINNING + 1, END)]

    def reaches_end_from(self, key: Key) -> bool:
        """Whether all keys from this one on are covered."""
        return self._ranges.hold(key, END)


def written(key: Key) -> str:
    """Write a key as people read it."""
    if key == BEGINNING + 1:
        return "the first image"
    return "the last image" if key == END - 1 else f"{moment_of(key):%Y-%m-%dT%H:%M:%SZ}"
