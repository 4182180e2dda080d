"""One image as it is kept: the bytes it is served as, and the values it is found and sorted by."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync.simulator.catalog import Document

_PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One image.

    Attributes:
        key: what it is kept under: its id, or something else if that is missing or taken.
        id: its id; None if it has none that can be read.
        body: the JSON it is served as.
        place: its number in the order in which images were added; orders those with the same sort key.
        created: ``created_at`` in microseconds since 1970; -1 if it cannot be read.
        exact: it was put there as it is, and random changes leave it alone.
        owner: id of the project that owns it; None if that cannot be read.
        visibility: who may see it; None if that cannot be read.
        status: its state; None if that cannot be read.
        hidden: the usual list leaves it out.
        members: the projects that it is shared with, each with the state of that.
    """

    key: str
    id: str | None
    body: bytes
    place: int
    created: int
    exact: bool = False
    owner: str | None = None
    visibility: str | None = None
    status: str | None = None
    hidden: bool = False
    members: tuple[tuple[str, str], ...] = ()

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
    """Microseconds since 1970 of an RFC 3339 text; -1 if it is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return -1
    elapsed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return elapsed // timedelta(microseconds=1)
