"""What a listing changes: its images held against the digests of what is stored.

An image whose bytes are known is unchanged and never parsed. One whose bytes are not known is parsed, and is still
unchanged if its content is known. What is left goes to the spool. What a run costs: docs/performance.md.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from sync.domain.answer import Answer
from sync.domain.fields import BY_API
from sync.domain.image import Image, Reader, Unreadable, raw_digest
from sync.domain.stored_digests import StoredDigests
from sync.errors import ContractError, TooLargeError

BLOCK = 25  # images that are compared at once
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


@dataclass(slots=True)
class Counts:
    """What came in one reading. received = unchanged + changed + duplicates + quarantined.

    Of the changed ones, ``dead`` are listed as deleted by the cloud itself; ``type_mismatches`` are values.
    """

    received: int = 0
    unchanged: int = 0
    changed: int = 0
    duplicates: int = 0
    type_mismatches: int = 0
    dead: int = 0


@dataclass(slots=True)
class Comparison:
    """One reading, held against what is stored.

    Attributes:
        most: how many images the list may have.
        unreadable: records that are no image, by the digest of their bytes.
        contradicted: ids that came with two different contents.
        as_stored: those of them that came with the stored content as well.
        unknown: names of fields that the document does not have.
    """

    known: StoredDigests
    spool: Spool
    reader: Reader
    most: int
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
    _drift: int = 0  # how far from its place in the list an image is expected among the stored

    def add_page(self, answer: Answer) -> None:
        """Take the images of one answer.

        Raises:
            ContractError: an object has a key twice, or far too much came that is no image.
            TooLargeError: more images came than may be.
        """
        self.counts.received += len(answer.images)
        near = max(answer.offset + self._drift, 0)
        for n in range(0, len(answer.images), BLOCK):
            raws, rows = answer.images[n : n + BLOCK], answer.rows[n : n + BLOCK]
            digests = [raw_digest(raw) for raw in raws]
            position = self.known.find_near(digests[0], near)
            if position is None or not self._take_block(position, digests, [hash(row.id) for row in rows]):
                for raw, digest, row in zip(raws, digests, rows, strict=True):
                    near = self._take_one(raw, digest, row.id, near)
            else:
                near = position + len(digests)
        self._drift = near - answer.offset - len(answer.images)
        if self.counts.received - self.counts.duplicates > self.most:
            raise TooLargeError(
                f"the list has more than {self.most} images, and {self.known.live} are live; nothing was written; "
                "if that is right, raise `max_growth` or `max_images`"
            )

    @property
    def distinct(self) -> int:
        """How many different ids came."""
        return len(self._same.union(self._changed)) if self.contradicted else len(self._same) + len(self._changed)

    def fingerprint(self) -> int:
        """The same for two readings of one process that saw the same set of ids; 128 bits."""
        names = array("q", sorted(self._same.union(self._changed)))
        return int.from_bytes(raw_digest(names.tobytes()))

    def lost(self, names: set[int]) -> int:
        """How many of the images that came are not among those with these hashes of their ids."""
        return sum(name not in names for name in self._same.union(self._changed))

    def contains(self, image_id: str) -> bool:
        """Whether an image of this id came, unreadable ones included."""
        name = hash(image_id)
        return name in self._same or name in self._changed or any(r.id == image_id for r in self.unreadable.values())

    def _take_block(self, position: int, digests: list[bytes], names: list[int]) -> bool:
        """Take images that all are as stored, and not contradicted; else none of them."""
        if not self.known.holds(digests, position) or not self._changed.keys().isdisjoint(names):
            return False
        fresh = self.known.mark(position, len(digests))
        self.counts.unchanged += fresh
        self.counts.duplicates += len(digests) - fresh
        self._same.update(names)
        return True

    def _take_one(self, raw: msgspec.Raw, digest: bytes, image_id: str, near: int) -> int:
        """Take one image, expected near a position; where the next is expected."""
        position = self.known.find(digest, near)
        if position is None:
            self._take_new(bytes(raw), digest)
            return near + 1
        self._take_known(position, image_id)
        return position + 1

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
            self.counts.type_mismatches += image.type_mismatches
            if image.extra:
                self.unknown.update(name for name in image.extra if name not in BY_API)
        self.counts.dead += image.dead
        self._changed[name] = image.content
        self.spool.add(image, digest)
