"""The changes in a listing, found by comparing its images with the digests of the stored ones.

An image whose bytes are known is unchanged and never parsed. Any other is parsed, and is still unchanged if its content
is known. The rest goes to the spool. For the cost of a run see docs/performance.md.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from sync.domain.answer import Answer
from sync.domain.image import DIGEST_BYTES, Image, Reader, Unreadable, raw_digest
from sync.domain.proof.cover import key as key_of
from sync.domain.proof.cover import moment_of
from sync.domain.stored_digests import StoredDigests
from sync.domain.values import iso
from sync.errors import ContractError, TooLargeError

BLOCK = 25  # images that are compared at once
MOST_UNREADABLE = 64 << 20  # bytes of unreadable records, kept in memory until they go to quarantine


class Spool(Protocol):
    """Where changed images wait until the reading is over."""

    def add(self, image: Image, raw_digest: bytes) -> None:
        """Keep an image and the digest (16 bytes) of its bytes."""

    def clear(self) -> None:
        """Remove all of them, because the list is read again from the start."""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """All of them in order, as (seq, *values, extra as JSON text, raw digest, content digest)."""

    def __len__(self) -> int:
        """The number of images."""


def fingerprint(hashes: set[int]) -> int:
    """128 bits, equal for equal sets of hashes."""
    return int.from_bytes(raw_digest(array("q", sorted(hashes)).tobytes()))


@dataclass(slots=True)
class Counts:
    """The counts of one reading; received = unchanged + changed + duplicates + quarantined.

    Attributes:
        received: records that came.
        unchanged: images that are as stored.
        changed: images that are new or differ from the stored ones.
        duplicates: records that repeated or contradicted an earlier one.
        type_mismatches: values of changed images that do not fit their column.
        dead: changed images that the cloud itself lists as deleted.
    """

    received: int = 0
    unchanged: int = 0
    changed: int = 0
    duplicates: int = 0
    type_mismatches: int = 0
    dead: int = 0


@dataclass(slots=True)
class Comparison:
    """One reading, compared with the stored images.

    Attributes:
        known: digests of the stored images; those that came are marked.
        spool: receives the changed images.
        reader: reads the images whose bytes are not known.
        most: the largest number of images that the list may have.
        counts: what came so far.
        unreadable: records that cannot be read as an image, by the digest of their bytes.
        contradicted: by id, for each image that came with different contents: whether the stored one came last.
        as_stored: those of them for which one content was the stored one.
        torn: contradicted images of which the last answer itself had two contents.
        order_doubt: why the order of the list proves nothing, in words, or "": which image changed its ``created_at``.
        unknown: names of fields that the vendor's document does not have.
    """

    known: StoredDigests
    spool: Spool
    reader: Reader
    most: int
    counts: Counts = field(default_factory=Counts)
    unreadable: dict[bytes, Unreadable] = field(default_factory=dict)
    contradicted: dict[str, bool] = field(default_factory=dict)
    as_stored: set[str] = field(default_factory=set)
    torn: set[str] = field(default_factory=set)
    order_doubt: str = ""
    unknown: set[str] = field(default_factory=set)
    # Python's hash stands for an id: 64 bits, with a new key in each process. Two ids with the same hash can only delay
    # the deletion of an image by one run.
    _same: set[int] = field(default_factory=set)  # ids of unchanged images
    # By the ids of changed images: the digest of the last content, and 8 bytes of when the image was created, if known.
    _changed: dict[int, bytes] = field(default_factory=dict)
    _unreadable_bytes: int = 0
    _unreadable_ids: set[str | None] = field(default_factory=set)
    _drift: int = 0  # position among the stored images minus offset in the list
    _ends: dict[str, int] = field(default_factory=dict)  # by the last id of each page of a list by marker: the position
    _end: int = 0  # after the last of them that came

    def add_page(self, answer: Answer) -> None:
        """Compare the images of one answer.

        Raises:
            ContractError: an object has the same key twice, or too many bytes came that are not images.
            TooLargeError: the list has more images than ``most``.
        """
        count = len(answer.images)
        self.counts.received += count
        # The stored images are in ascending order, so a page in descending order is read from its end.
        step = -1 if answer.descending else 1
        images, listed = answer.images[::step], answer.rows[::step]
        near = self._expected(answer)
        for n in range(0, count, BLOCK):
            raws, rows = images[n : n + BLOCK], listed[n : n + BLOCK]
            digests = [self.reader.digest(raw) for raw in raws]
            position = self.known.find_near(digests[0], near)
            if position is None or not self._take_block(position, digests, [hash(row.id) for row in rows]):
                for raw, digest, row in zip(raws, digests, rows, strict=True):
                    near = self._take_one(raw, digest, row.id, near)
                    if self.contradicted and row.id in self.contradicted:
                        self._note_torn(answer, row.id)
            else:
                near = position + len(digests)
        if not answer.descending:
            self._drift = near - answer.offset - count
            if count and self.reader.api.by_marker:
                self._ends[answer.rows[-1].id] = self._end = near
        if self.counts.received - self.counts.duplicates > self.most:
            raise TooLargeError(
                f"the list has more than {self.most} images, while {self.known.live} are live; nothing was written; "
                "if the list is right, raise `max_growth` or `max_images`"
            )

    def _expected(self, answer: Answer) -> int:
        """The position among the stored images at which the first one of an answer is expected."""
        known, hidden = self.known, answer.part in self.reader.api.hidden_parts
        if answer.descending:
            return max((len(known) if hidden else known.hidden_from) - len(answer.images), 0)
        if not self.reader.api.by_marker:
            return max(answer.offset + self._drift, 0)
        if answer.marker is None:
            return known.hidden_from if hidden else 0
        start = known.starts.get(answer.marker)
        return self._ends.get(answer.marker, self._end) if start is None else start + 1

    @property
    def distinct(self) -> int:
        """The number of distinct ids that came."""
        return len(self._same.union(self._changed)) if self.contradicted else len(self._same) + len(self._changed)

    def fingerprint(self) -> int:
        """128 bits, equal for readings of one process that saw the same set of ids."""
        return fingerprint(self._same.union(self._changed))

    def lost(self, hashes: set[int]) -> int:
        """The number of images that came whose id's hash is not in the set."""
        return len(self._same.union(self._changed) - hashes)

    def contains(self, image_id: str) -> bool:
        """Whether an image with this id came, even an unreadable one."""
        key = hash(image_id)
        return key in self._same or key in self._changed or image_id in self._unreadable_ids

    def _take_block(self, position: int, digests: list[bytes], ids: list[int]) -> bool:
        """Count images as unchanged if all of them are as stored and none is contradicted; else do nothing."""
        if not self.known.holds(digests, position) or not self._changed.keys().isdisjoint(ids):
            return False
        fresh = self.known.mark(position, len(digests))
        self.counts.unchanged += fresh
        self.counts.duplicates += len(digests) - fresh
        self._same.update(ids)
        return True

    def _take_one(self, raw: msgspec.Raw, digest: bytes, image_id: str, near: int) -> int:
        """Compare one image, expected near a position, and return the position at which the next is expected."""
        position = self.known.find(digest, near)
        if position is None:
            self._take_new(bytes(raw), digest)
            return near + 1
        self._take_known(position, image_id)
        return position + 1

    def _take_known(self, position: int, image_id: str) -> None:
        key = hash(image_id)
        fresh = self.known.mark(position)
        if key in self._changed:
            self.contradicted[image_id] = True
            self.as_stored.add(image_id)
        if fresh and key not in self._changed:
            self.counts.unchanged += 1
            self._same.add(key)
        else:
            self.counts.duplicates += 1

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
        self._unreadable_ids.add(record.id)
        self._unreadable_bytes += len(record.raw)
        if self._unreadable_bytes > MOST_UNREADABLE:
            raise ContractError(
                f"{len(self.unreadable)} records are not images, together more than {MOST_UNREADABLE >> 20} MiB: "
                f"{record.reason}; is the endpoint correct?"
            )

    def _take_changed(self, image: Image, digest: bytes) -> None:
        key, created = hash(image.id), _packed(image.created_at)
        before = self._changed.get(key)
        if before is not None and before[:DIGEST_BYTES] == image.content and not self.contradicted.get(image.id):
            self.counts.duplicates += 1
            return
        if before is not None or key in self._same:
            self.counts.duplicates += 1
            self.contradicted[image.id] = False
            if key in self._same:
                self.as_stored.add(image.id)
            self._note_created(image.id, created if before is None else before[DIGEST_BYTES:], created)
        else:
            self.counts.changed += 1
            self.counts.type_mismatches += image.type_mismatches
            if image.extra:
                self.unknown.update(self.reader.undocumented(image))
        self.counts.dead += image.dead
        self._changed[key] = image.content + created
        self.spool.add(image, digest)

    def _note_torn(self, answer: Answer, image_id: str) -> None:
        if len(set(map(bytes, answer.only({image_id}).images))) > 1:
            self.torn.add(image_id)
        else:
            self.torn.discard(image_id)

    def check_created(self, image_id: str, created_at: datetime | None) -> None:
        """Note if the ``created_at`` of a changed image differs from the stored one."""
        now = self._changed.get(hash(image_id))
        if now is not None:
            self._note_created(image_id, _packed(created_at), now[DIGEST_BYTES:])

    def _note_created(self, image_id: str, before: bytes, now: bytes) -> None:
        if before != now and not (self.order_doubt or self.reader.api.by_marker):
            self.order_doubt = (
                f"the created_at of image {image_id} changed from {_written(before)} to {_written(now)}, so the order "
                "of the list proves nothing"
            )


def _packed(created_at: datetime | None) -> bytes:
    return b"" if created_at is None else key_of(created_at).to_bytes(8, signed=True)


def _written(packed: bytes) -> str:
    return iso(moment_of(int.from_bytes(packed, signed=True))) if packed else "no readable time"
