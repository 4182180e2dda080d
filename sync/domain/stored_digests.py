"""The stored images of one source, as two digests each, and which of them a listing showed."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Self

from sync.domain.image import DIGEST_BYTES

_NEAR = 32  # positions before and after the expected one that are searched first


class StoredDigests:
    """The digests of the stored images of one source; 16 bytes each, in one block of memory.

    They are in the order of the list, so an image is nearly always found where it is expected. An index of all
    positions is built only once one is not; most runs need none.

    Args:
        raws: digests of the images' bytes, concatenated, best in the order of the list.
        contents: digests of the images' contents, in the same order.
        live: number of these images that are live.
        starts: ids at about equal steps of a list by marker, each with its position.
        hidden_from: position of the first image that is in the list of hidden ones; None if they all are in the usual
            list.
    """

    def __init__(
        self,
        raws: bytes = b"",
        contents: bytes = b"",
        live: int = 0,
        *,
        starts: Mapping[str, int] | None = None,
        hidden_from: int | None = None,
    ) -> None:
        self._raws, self._contents, self.live = raws, contents, live
        self.starts = starts or {}
        self.hidden_from = len(raws) // DIGEST_BYTES if hidden_from is None else hidden_from
        self._listed = bytearray(len(raws) // DIGEST_BYTES)

    def __len__(self) -> int:
        return len(self._listed)

    def find(self, raw: bytes, near: int = 0) -> int | None:
        """Position of the stored image with this digest of its bytes; positions near the expected one come first."""
        if not self._raws:
            return None
        position = self.find_near(raw, near)
        return self._by_raw.find(raw) if position is None else position

    def find_near(self, raw: bytes, near: int) -> int | None:
        """Position of the stored image with this digest of its bytes, or None if it is not near the expected one."""
        if self._raws.startswith(raw, near * DIGEST_BYTES):
            return near
        byte = self._raws.find(raw, max(near - _NEAR, 0) * DIGEST_BYTES, (near + _NEAR) * DIGEST_BYTES)
        return None if byte % DIGEST_BYTES else byte // DIGEST_BYTES  # -1, not found, leaves a remainder too

    def holds(self, raws: Sequence[bytes], position: int) -> bool:
        """Whether exactly these digests follow each other from a position on."""
        return self._raws.startswith(b"".join(raws), position * DIGEST_BYTES)

    def find_content(self, content: bytes) -> int | None:
        """Position of the stored image with this digest of its content."""
        return self._by_content.find(content) if self._contents else None

    def mark(self, position: int, count: int = 1) -> int:
        """Mark images as listed, and return how many of them were not marked before."""
        fresh = self._listed.count(0, position, position + count)
        self._listed[position : position + count] = b"\1" * count
        return fresh

    @cached_property
    def _by_raw(self) -> _Index:
        return _Index(self._raws)

    @cached_property
    def _by_content(self) -> _Index:
        return _Index(self._contents)

    def unmark_all(self) -> Self:
        """Remove all marks, in place, and return these digests."""
        self._listed = bytearray(len(self._listed))
        return self

    def unlisted(self) -> Iterator[bytes]:
        """Digests of the bytes of all images that are not marked."""
        return (_digest(self._raws, n) for n, listed in enumerate(self._listed) if not listed)


class _Index:
    """Finds digests by bisection over their first halves; takes 24 bytes per digest."""

    def __init__(self, digests: bytes) -> None:
        self._digests = digests
        halves = array("Q", digests)[::2]
        self._order = array("I", sorted(range(len(halves)), key=halves.__getitem__))
        self._halves = array("Q", map(halves.__getitem__, self._order))

    def find(self, digest: bytes) -> int | None:
        half = int.from_bytes(digest[:8], sys.byteorder)
        n = bisect_left(self._halves, half)
        while n < len(self._halves) and self._halves[n] == half:
            if _digest(self._digests, self._order[n]) == digest:
                return self._order[n]
            n += 1
        return None


def _digest(digests: bytes, position: int) -> bytes:
    return digests[position * DIGEST_BYTES : (position + 1) * DIGEST_BYTES]
