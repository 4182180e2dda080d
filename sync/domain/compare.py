"""What a listing changes: its images held against the digests of what is stored.

An image whose bytes are known is unchanged and never parsed. One whose bytes are not known is parsed, and is still
unchanged if its content is known. What is left goes to the spool. See docs/performance.md for what each step is worth.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from sync.domain.answer import Answer
from sync.domain.fields import BY_API
from sync.domain.image import DIGEST_BYTES, Image, Reader, Unreadable, raw_digest
from sync.errors import ContractError

MOST_UNREADABLE = 64 << 20  # bytes of records that are no images, kept in memory until they go to quarantine


class Spool(Protocol):
    """Where changed images wait until the reading is over."""

    def add(self, image: Image, raw_digest: bytes) -> None:
        """Keep an image and the digest (16 bytes) of its bytes."""

    def clear(self) -> None:
        """Forget all of them: the listing is read afresh."""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """All of them in order: (seq, *values, extra as JSON text, raw digest, content digest)."""

    def __len__(self) -> int:
        """How many there are."""


class Known:
    """The digests of what is stored of one source; 16 bytes each, flat in memory.

    Args:
        raws: digests of the bytes, one after the other.
        contents: digests of the contents, in the same order.
    """

    def __init__(self, raws: bytes = b"", contents: bytes = b"") -> None:
        self._raws = _Index(raws)
        self._contents = contents
        self._by_content: _Index | None = None
        self._listed = bytearray(len(self._raws))

    def __len__(self) -> int:
        return len(self._listed)

    def find(self, raw: bytes) -> int | None:
        """Position of the stored image with this digest of its bytes."""
        return self._raws.find(raw)

    def find_content(self, content: bytes) -> int | None:
        """Position of the stored image with this digest of its content."""
        if self._by_content is None:  # built at the first changed image: most runs have none
            self._by_content = _Index(self._contents)
        return self._by_content.find(content)

    def mark(self, position: int) -> bool:
        """Mark as listed; whether it was not before."""
        fresh = not self._listed[position]
        self._listed[position] = 1
        return fresh

    def fresh(self) -> Self:
        """The same, with all marks taken back."""
        self._listed = bytearray(len(self._listed))
        return self

    def unlisted(self) -> list[bytes]:
        """Digests of the bytes of all that was not marked."""
        return [self._raws.digest(n) for n, listed in enumerate(self._listed) if not listed]


@dataclass(slots=True)
class Counts:
    """What came in one reading. received = unchanged + changed + duplicates + quarantined."""

    received: int = 0
    unchanged: int = 0
    changed: int = 0
    duplicates: int = 0
    misfits: int = 0


@dataclass(slots=True)
class Comparison:
    """One reading, held against what is stored.

    Attributes:
        unreadable: records that are no image, by the digest of their bytes.
        contradicted: ids that came with two different contents.
        as_stored: those of them that came with the stored content as well.
        unknown: names of fields that the document does not have.
    """

    known: Known
    spool: Spool
    reader: Reader
    counts: Counts = field(default_factory=Counts)
    unreadable: dict[bytes, Unreadable] = field(default_factory=dict)
    contradicted: set[str] = field(default_factory=set)
    as_stored: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    # Python's hash of an id stands for it: 64 bits, keyed anew in each process. A mix-up of two ids can only keep an
    # image that should be marked deleted, for one run.
    _same: set[int] = field(default_factory=set)
    _changed: dict[int, bytes] = field(default_factory=dict)  # with the digest of the content
    _unreadable_bytes: int = 0

    def take(self, answer: Answer) -> None:
        """Take the images of one answer.

        Raises:
            ContractError: an object has a key twice, or far too much came that is no image.
        """
        self.counts.received += len(answer.images)
        for raw, row in zip(answer.images, answer.page.rows, strict=True):
            digest = raw_digest(raw)
            position = self.known.find(digest)
            if position is None:
                self._take_new(bytes(raw), digest)
            else:
                self._take_known(position, row.id)

    @property
    def distinct(self) -> int:
        """How many different ids came."""
        return len(self._same.union(self._changed)) if self.contradicted else len(self._same) + len(self._changed)

    def fingerprint(self) -> int:
        """The same for two readings of one process that saw the same set of ids; 128 bits."""
        names = array("q", sorted(self._same.union(self._changed)))
        return int.from_bytes(raw_digest(names.tobytes()))

    def lists(self, image_id: str) -> bool:
        """Whether an image of this id came, unreadable ones included."""
        name = hash(image_id)
        return name in self._same or name in self._changed or any(r.id == image_id for r in self.unreadable.values())

    def _take_known(self, position: int, image_id: str) -> None:
        name = hash(image_id)
        if not self.known.mark(position):
            self.counts.duplicates += 1
        elif name in self._changed:
            self.counts.duplicates += 1
            self.contradicted.add(image_id)
            self.as_stored.add(image_id)
        else:
            self.counts.unchanged += 1
            self._same.add(name)

    def _take_new(self, raw: bytes, digest: bytes) -> None:
        image = self.reader.read(raw)
        if isinstance(image, Unreadable):
            self._take_unreadable(image, digest)
            return
        position = self.known.find_content(image.content)
        if position is None:
            self._take_changed(image, digest)
        else:
            self._take_known(position, image.id)

    def _take_unreadable(self, record: Unreadable, digest: bytes) -> None:
        if digest in self.unreadable:
            self.counts.duplicates += 1
            return
        self.unreadable[digest] = record
        self._unreadable_bytes += len(record.raw)
        if self._unreadable_bytes > MOST_UNREADABLE:
            raise ContractError(
                f"{len(self.unreadable)} records are no images, together more than {MOST_UNREADABLE >> 20} MiB: "
                f"{record.reason}; is the endpoint the right one?"
            )

    def _take_changed(self, image: Image, digest: bytes) -> None:
        name = hash(image.id)
        before = self._changed.get(name)
        if before == image.content:
            self.counts.duplicates += 1
            return
        if before is not None or name in self._same:
            self.counts.duplicates += 1
            self.contradicted.add(image.id)
            if name in self._same:
                self.as_stored.add(image.id)
        else:
            self.counts.changed += 1
            self.counts.misfits += image.misfits
            self.unknown.update(name for name in image.extra if name not in BY_API)
        self._changed[name] = image.content
        self.spool.add(image, digest)


class _Index:
    """Finds a digest among many, in 24 bytes each: sorted first halves, looked up by bisection."""

    def __init__(self, digests: bytes) -> None:
        self._digests = digests
        halves = array("Q", digests)[::2]
        self._order = array("I", sorted(range(len(halves)), key=halves.__getitem__))
        self._halves = array("Q", map(halves.__getitem__, self._order))

    def __len__(self) -> int:
        return len(self._halves)

    def digest(self, position: int) -> bytes:
        return self._digests[position * DIGEST_BYTES : (position + 1) * DIGEST_BYTES]

    def find(self, digest: bytes) -> int | None:
        half = _native(digest)
        n = bisect_left(self._halves, half)
        while n < len(self._halves) and self._halves[n] == half:
            if self.digest(self._order[n]) == digest:
                return self._order[n]
            n += 1
        return None


def _native(digest: bytes) -> int:
    return int.from_bytes(digest[:8], sys.byteorder)
