"""Holds changed images between reading and writing: in some MB of memory, beyond that in a temporary file."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Any

import msgspec

from sync.domain.image import Image
from sync.errors import SpoolError

MEMORY = 8 << 20  # bytes
BATCH = 500  # images encoded together


class FileSpool:
    """Keeps changed images in the order they came, in constant memory.

    A row is ``(seq, *values, extra as JSON text or None, raw digest, content digest)``.
    """

    def __init__(self) -> None:
        self._file: SpooledTemporaryFile[bytes] | None = None
        self._batch: list[tuple[Any, ...]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, image: Image, raw_digest: bytes) -> None:
        """Keep an image and the digest of its bytes.

        Raises:
            SpoolError: the disk is full.
        """
        extra = _json(image.extra).decode() if image.extra else None
        self._batch.append((self._count, *image.values, extra, raw_digest, image.content))
        self._count += 1
        if len(self._batch) == BATCH:
            self._flush()

    def clear(self) -> None:
        """Remove all of them."""
        self.close()
        self._batch = []
        self._count = 0

    def close(self) -> None:
        """Free the memory and the disk."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """All rows, in order; may be called again."""
        self._flush()
        if self._file is None:
            return
        self._file.seek(0)
        while header := self._file.read(4):
            yield from _unpack(self._file.read(int.from_bytes(header)))
        self._file.seek(0, 2)

    def _flush(self) -> None:
        if not self._batch:
            return
        packed = _pack(self._batch)
        self._batch = []
        try:
            if self._file is None:
                self._file = SpooledTemporaryFile(max_size=MEMORY)  # noqa: SIM115 - lives as long as the spool
            self._file.write(len(packed).to_bytes(4) + packed)
        except OSError as error:
            reason = error.strerror or "no details"
            message = f"the changes can't be kept in a temporary file: {reason}; make room or set TMPDIR"
            raise SpoolError(message) from error


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[Any, ...]]).decode
_json = msgspec.json.Encoder(decimal_format="number").encode
