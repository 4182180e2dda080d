"""One image: from the JSON the cloud sent, to typed columns, and back without loss.

Values that do not fit their column's type, and fields that the vendor's document does not name, are kept in ``extra``
under their API name, so the columns stay clean and nothing is lost. Three things are read as equal, because the
vendor's own services mix them: a field that is absent, null or ``""``; ``true`` and ``"true"``; the same instant
written in another time zone or with more zeros.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from sync.domain.fast_decode import Value, decode_usual
from sync.domain.fields import COLUMNS, FIELDS, Field, Kind
from sync.domain.strict_json import strict_json

DIGEST_BYTES = 16
_VENDOR_DELETED, _STATUS = COLUMNS.index("vendor_deleted"), COLUMNS.index("status")
_CREATED_AT = COLUMNS.index("created_at")
_API = tuple(field.api for field in FIELDS)
MAX_ID = 255  # characters
MAX_RECORD = 1 << 20  # bytes of JSON; the largest ever seen is under 2 KiB
MAX_DIGITS = 1000  # well within PostgreSQL's numeric


class Image(msgspec.Struct, frozen=True, gc=False):
    """An image as it is stored.

    Attributes:
        values: one value per field, in the order of ``fields.FIELDS``; the first is the id.
        extra: unknown fields, and values that do not fit their column, by API name.
        content: digest (16 bytes) of the content; equal for all spellings that are read as equal.
        type_mismatches: number of values of known fields that went to ``extra``.
    """

    values: tuple[Value, ...]
    extra: dict[str, Any]
    content: bytes
    type_mismatches: int

    @property
    def id(self) -> str:
        """The cloud's id of the image."""
        return str(self.values[0])

    @property
    def created_at(self) -> datetime | None:
        """When it was created, or None if that can't be read."""
        value = self.values[_CREATED_AT]
        return value if isinstance(value, datetime) else None

    @property
    def dead(self) -> bool:
        """Whether the cloud itself lists it as deleted."""
        return self.values[_VENDOR_DELETED] is True or self.values[_STATUS] == "deleted"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that cannot be read as an image.

    Attributes:
        raw: its bytes, as the cloud sent them.
        reason: why it cannot be read, in words.
        id: its id, if at least that can be read, else None.
    """

    raw: bytes
    reason: str
    id: str | None = None


def raw_digest(raw: bytes | bytearray | memoryview) -> bytes:
    """Digest (16 bytes) of an image's bytes, exactly as the cloud sent them."""
    return blake2b(raw, digest_size=DIGEST_BYTES).digest()


class Reader:
    """Reads images and computes the digests of their content; not thread-safe.

    Args:
        ignore: API names of fields whose change alone makes no new version; the content digest leaves them out.
    """

    def __init__(self, ignore: Collection[str] = ()) -> None:
        self._ignore = frozenset(ignore)
        self._text = bytearray()  # a buffer, reused for every image
        self._compared = tuple(n for n, field in enumerate(FIELDS) if field.api not in self._ignore - {"id"})

    def read(self, raw: bytes) -> Image | Unreadable:
        """Read one image from its JSON text.

        Raises:
            ContractError: an object in it has the same key twice.
        """
        values = decode_usual(raw, self._text) if len(raw) <= MAX_RECORD else None
        if values and not _no_id(values[0]):
            return Image(values, {}, self._content(values, {}) if self._ignore else raw_digest(self._text), 0)
        record = _decode(raw)
        if isinstance(record, str):
            return Unreadable(raw, record, _salvage_id(raw))
        if reason := _no_id(record.get("id")):
            return Unreadable(raw, reason)
        if reason := _nul(raw, record):
            return Unreadable(raw, reason, record["id"])
        columns, type_mismatches = _columns(record)
        return Image(tuple(columns), record, self._content(columns, record), type_mismatches)

    def stored(self, values: Sequence[Value], extra: str | None) -> bytes:
        """Digest (16 bytes) of the content of a stored image, equal to the one computed when the image was read.

        Args:
            values: one value per field, in the order of ``fields.FIELDS``.
            extra: the column ``extra`` as JSON text.
        """
        return self._content(values, _json(extra) if extra else {})

    def _content(self, values: Sequence[Value], extra: Mapping[str, Any]) -> bytes:
        """Digest of all that is compared: the fields that have a value, in the order of the document, and ``extra``."""
        known = {_API[n]: _as_sent(FIELDS[n], values[n]) for n in self._compared if values[n] not in (None, "")}
        rest = {name: _plain(value) for name, value in extra.items() if name not in self._ignore}
        rest = {name: value for name, value in rest.items() if value is not None}
        return raw_digest(_encode(known) + (_encode_sorted(rest) if rest else b""))


def to_json(values: Mapping[str, Value], extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """Restore the JSON object that the cloud sent from the columns of a stored image.

    Args:
        values: values by column name.
        extra: the column ``extra``.
    """
    known = {field.api: _as_sent(field, values.get(field.column)) for field in FIELDS}
    return {name: value for name, value in known.items() if value is not None} | dict(extra or {})


def _may_repeat_a_key(raw: bytes, keys: int) -> bool:
    """Whether a key may be there twice; no key is, if there are as many '":' as keys and no space before a colon."""
    return raw.count(b'":') != keys or b" :" in raw or b"\n:" in raw or b"\t:" in raw or b"\r:" in raw


def _decode(raw: bytes) -> dict[str, Any] | str:
    if len(raw) > MAX_RECORD:
        return f"larger than {MAX_RECORD} bytes"
    try:
        record = _json(raw)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return f"not valid JSON: {error}"
    if not isinstance(record, dict):
        return "not a JSON object"
    if _may_repeat_a_key(raw, len(record)):
        strict_json(raw)
    return record


def _salvage_id(raw: bytes) -> str | None:
    """The id of a record that is otherwise unreadable, so that its image does not count as missing."""
    try:
        value = json.loads(raw.decode("utf-8", "replace"), parse_int=lambda _: None, parse_float=lambda _: None)["id"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return None if _no_id(value) else str(value)


def _no_id(value: object) -> str:
    """Why a value is not an id, or ""."""
    if not isinstance(value, str) or not value:
        return "no id" if value is None or value == "" else "the id is not text"
    if len(value) > MAX_ID:
        return f"the id is longer than {MAX_ID} characters"
    if value.isascii() and value.isprintable() and " " not in value:
        return ""
    return "the id contains whitespace or control characters" if re.search(r"[\s\x00-\x1f\x7f]", value) else ""


def _nul(raw: bytes, record: dict[str, Any]) -> str:
    """Why a record cannot be stored, or "": PostgreSQL holds no NUL. For most, the search of the bytes is enough."""
    try:
        return "contains the character NUL" if b"\\u0000" in raw and _contains_nul(record) else ""
    except RecursionError:
        return "is nested too deeply to be searched for the character NUL"


def _contains_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or _contains_nul(item) for name, item in value.items())
    if isinstance(value, list):
        return any(_contains_nul(item) for item in value)
    return isinstance(value, str) and "\0" in value


def _columns(record: dict[str, Any]) -> tuple[list[Value], int]:
    """Move the values that fit their column out of the record; what is left of it is ``extra``."""
    values: list[Value] = []
    type_mismatches = 0
    for api, convert in _CONVERTERS:
        value = record.pop(api, None)
        if value is None:
            values.append(None)
            continue
        converted = convert(value)
        values.append(converted)
        if converted is None and value != "":
            record[api] = value
            type_mismatches += 1
    return values, type_mismatches


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"0|-?[1-9][0-9]{0,18}", value):
        value = int(value)
    # Python's bool is an int; the column is a bigint.
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _boolean(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.(\d{1,6})0*)?(?:[Zz]|[+-]\d\d:?\d\d)?", re.ASCII)


def parse_time(value: object) -> datetime | None:
    """Parse an instant, to the microsecond; one without a time zone is in UTC, as the vendor's document says.

    Returns:
        None if the value is no instant.
    """
    if not isinstance(value, str) or not (match := _INSTANT.fullmatch(value)):
        return None
    if match[1]:
        start, end = match.span(1)
        value = value[:start] + match[1].ljust(6, "0") + value[end:].lstrip("0")
    try:
        moment = datetime.fromisoformat(value.upper())
        if moment.tzinfo is UTC:
            return moment
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_BY_KIND: dict[Kind, Callable[[object], Value]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    Kind.FLAG: _boolean,
    Kind.TIME: parse_time,
}
_CONVERTERS = tuple((field.api, _BY_KIND[field.kind]) for field in FIELDS)


def _plain(value: object) -> object:
    if value == "":
        return None
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _as_sent(field: Field, value: Value) -> Value:
    """A value as the API writes it."""
    if value is None:
        return "" if field.blank else None
    if field.kind is Kind.FLAG:
        return "true" if value else "false"
    return iso(value) if isinstance(value, datetime) else value


def iso(moment: datetime) -> str:
    """Write an instant as the API does: in UTC, with ``Z``, and with a fraction only if it is not zero."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _number(text: str) -> Decimal:
    number = Decimal(text)
    exponent = int(number.as_tuple().exponent)
    if -exponent > MAX_DIGITS or (number and abs(number.adjusted()) > MAX_DIGITS):
        raise ValueError("a number is too large, too small, or has too many digits")
    # As jsonb returns it: without an exponent; zero has no sign, and one digit before the point.
    return Decimal(format(number, "f")) if number else Decimal(0).scaleb(min(exponent, 0))


_json = msgspec.json.Decoder(float_hook=_number).decode
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="deterministic", decimal_format="number").encode
