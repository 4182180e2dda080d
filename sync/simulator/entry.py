"""One image as it is kept: the bytes it is served as, and what it is found and sorted by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sync.simulator.catalog import Document

_MICROSECOND = 1_000_000
_PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One image.

    Attributes:
        key: what it is kept under: its id, or something else where that is not to be had.
        id: its id, or None where it has none that can be read.
        body: the JSON it is served as.
        place: the how-many-eth image it is; orders those with the same sort key.
        created: ``created_at`` in microseconds since 1970, -1 where it cannot be read.
        exact: it was put there as it is, and chance leaves it alone.
    """

    key: str
    id: str | None
    body: bytes
    place: int
    created: int
    exact: bool = False

    @property
    def document(self) -> Document:
        """The image as a dict; {} if its bytes are no JSON object."""
        return read(self.body)


def encode(document: Document) -> bytes:
    """JSON bytes of an image, without blanks."""
    try:
        return _PLAIN.encode(document).encode()
    except UnicodeEncodeError:  # a lone surrogate can only travel as an escape
        return json.dumps(document, separators=(",", ":")).encode()


def read(body: bytes) -> Document:
    """The JSON object in these bytes, read as leniently as possible; {} if there is none."""
    try:
        document = json.loads(body.decode(errors="surrogateescape"))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def instant(text: object) -> int:
    """Microseconds since 1970 of an RFC 3339 text, -1 where it is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return -1
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    elapsed = moment - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * _MICROSECOND + elapsed.microseconds
