"""One image: from the JSON the cloud sent, to typed columns, and back without loss.

Values that do not fit their column's type, and fields that have no column, are kept in ``extra`` under their API name,
so the columns stay clean and nothing is lost. What is read as equal: see ``sync.domain.values``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from sync.domain.apis import IEC
from sync.domain.apis.api import Api
from sync.domain.fast_decode import decoder
from sync.domain.fields import COLUMNS, Field, Kind
from sync.domain.strict_json import strict_json
from sync.domain.values import Value, as_sent, converter

DIGEST_BYTES = 16
_VENDOR_DELETED, _STATUS = COLUMNS.index("vendor_deleted"), COLUMNS.index("status")
_CREATED_AT = COLUMNS.index("created_at")
MAX_ID = 255  # characters
MAX_RECORD = 1 << 20  # bytes of JSON; the largest ever seen is under 2 KiB
_TAGS = re.compile(rb'"tags":\s*(\[(?:\s*"(?:[^"\\]|\\.)*"\s*,?)+\])')
MAX_DIGITS = 1000  # well within PostgreSQL's numeric


class Image(msgspec.Struct, frozen=True, gc=False):
    """An image as it is stored.

    Attributes:
        values: one value per column, in the order of ``fields.COLUMNS``; the first is the id.
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


def in_order(raw: bytes | bytearray | memoryview) -> bytes:
    """An image's bytes with its tags sorted: some clouds send them in another order each time they start."""
    match = _TAGS.search(raw)
    if match is None:
        return bytes(raw)
    try:
        tags = _texts(match[1])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return bytes(raw)
    return bytes(raw[: match.start(1)]) + _encode(sorted(tags)) + bytes(raw[match.end(1) :])


def raw_digest(raw: bytes | bytearray | memoryview) -> bytes:
    """Digest (16 bytes) of an image's bytes, exactly as the cloud sent them."""
    return blake2b(raw, digest_size=DIGEST_BYTES).digest()


class Reader:
    """Reads images and computes the digests of their content; not thread-safe.

    Args:
        ignore: API names of fields whose change alone makes no new version; the content digest leaves them out.
        api: the API that sends the images; also an attribute.
    """

    def __init__(self, ignore: Collection[str] = (), api: Api = IEC) -> None:
        self.api, self._ignore = api, api.spellings(ignore)
        self._text = bytearray()  # a buffer, reused for every image
        self._compared = tuple((n, field) for n, field in api.stored if field.api not in self._ignore - {"id"})
        self._converters = tuple((n, field, converter(field)) for n, field in api.stored)
        self._decode_usual = decoder(api)
        self._tagged = any(field.kind is Kind.TAGS for field in api.fields)

    def read(self, raw: bytes) -> Image | Unreadable:
        """Read one image from its JSON text.

        Raises:
            ContractError: an object in it has the same key twice.
        """
        values = self._decode_usual(raw, self._text) if len(raw) <= MAX_RECORD else None
        if values and not _no_id(values[0]):
            return Image(values, {}, self._content(values, {}) if self._ignore else raw_digest(self._text), 0)
        record = _decode(raw)
        if isinstance(record, str):
            return Unreadable(self._storable(raw), record, _salvage_id(raw))
        for name in self.api.never_stored:
            record.pop(name, None)
        if reason := _no_id(record.get("id")):
            return Unreadable(self._storable(raw, record), reason)
        if reason := _nul(raw, record):
            return Unreadable(self._storable(raw, record), reason, record["id"])
        columns, type_mismatches = self._columns(record)
        return Image(tuple(columns), record, self._content(columns, record), type_mismatches)

    def stored(self, values: Sequence[Value], extra: str | None) -> bytes:
        """Digest (16 bytes) of the content of a stored image, equal to the one computed when the image was read.

        Args:
            values: one value per column, in the order of ``fields.COLUMNS``.
            extra: the column ``extra`` as JSON text.
        """
        return self._content(values, _json(extra) if extra else {})

    def digest(self, raw: msgspec.Raw) -> bytes:
        """Digest (16 bytes) of an image's bytes as the cloud sent them, whatever the order of its tags."""
        return raw_digest(in_order(bytes(raw)) if self._tagged else raw)

    def undocumented(self, image: Image) -> list[str]:
        """The names of its fields that the API's document does not name, unless users may define fields."""
        if self.api.user_defined_fields:
            return []
        return [name for name in image.extra if name not in self.api.by_name]

    def _columns(self, record: dict[str, Any]) -> tuple[list[Value], int]:
        """Move the values that fit their column out of the record; what is left of it is ``extra``."""
        values: list[Value] = [None] * len(COLUMNS)
        type_mismatches = 0
        for n, field, convert in self._converters:
            value = record.pop(field.api, None)
            if _by_alias(field, record):
                values[n] = _aliased(record, field, value)
            elif value is not None:
                values[n] = convert(value)
                if values[n] is None and value != "":
                    record[field.api] = value
                    type_mismatches += 1
        return values, type_mismatches

    def _content(self, values: Sequence[Value], extra: Mapping[str, Any]) -> bytes:
        """Digest of all that is compared: the fields that have a value, in the order of the document, and ``extra``."""
        known = {f.api: as_sent(f, values[n]) for n, f in self._compared if values[n] not in (None, "")}
        rest = {name: _plain(value) for name, value in extra.items() if name not in self._ignore}
        rest = {name: value for name, value in rest.items() if value is not None}
        return raw_digest(_encode(known) + (_encode_sorted(rest) if rest else b""))

    def _storable(self, raw: bytes, record: Mapping[str, Any] | None = None) -> bytes:
        """The bytes of an unreadable record as they may be stored: without fields that may hold credentials."""
        names = self.api.never_stored
        if not names or not (b"\\u" in raw or any(name.encode() in raw for name in names)):
            return raw
        if record is None:
            return _encode({"left_out": "the record may hold credentials", "digest": raw_digest(raw).hex()})
        return json.dumps(record, default=str).encode()


def _by_alias(field: Field, record: Mapping[str, Any]) -> bool:
    return bool(field.alias) and record.get(field.alias) is not None


def _aliased(record: dict[str, Any], field: Field, value: object) -> Value:
    """The value of a field that came by its alias, which stays in ``extra``, so that the JSON can be restored.

    If it came by both names, both stay there.
    """
    if value is None:
        return converter(field)(record[field.alias])
    record[field.api] = value
    return converter(field)(value)


def to_json(values: Mapping[str, Any], extra: Mapping[str, Any] | None, api: Api = IEC) -> dict[str, Any]:
    """Restore the JSON object that the cloud sent from the columns of a stored image.

    Args:
        values: values by column name.
        extra: the column ``extra``.
        api: the API that sent it.
    """
    extra = extra or {}
    known = {f.api: as_sent(f, values.get(f.column)) for _, f in api.stored if not _by_alias(f, extra)}
    return {name: value for name, value in known.items() if value is not None} | dict(extra)


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


def _plain(value: object) -> object:
    if value == "":
        return None
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _number(text: str) -> Decimal:
    number = Decimal(text)
    exponent = int(number.as_tuple().exponent)
    if -exponent > MAX_DIGITS or (number and abs(number.adjusted()) > MAX_DIGITS):
        raise ValueError("a number is too large, too small, or has too many digits")
    # As jsonb returns it: without an exponent; zero has no sign, and one digit before the point.
    return Decimal(format(number, "f")) if number else Decimal(0).scaleb(min(exponent, 0))


_json = msgspec.json.Decoder(float_hook=_number).decode
_texts = msgspec.json.Decoder(list[str]).decode
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="deterministic", decimal_format="number").encode
