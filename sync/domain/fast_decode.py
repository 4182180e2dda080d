"""Decodes in one step the images that are as nearly all are: only documented fields, each value of its type.

Anything unusual is left to ``sync.domain.image``, which reads field by field with the same result: this is a shortcut
and adds no rule of its own. For the cost of a run see docs/performance.md.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from sync.domain.fields import FIELDS, Kind

Value = str | int | bool | datetime | None

_TYPES: dict[Kind, Any] = {
    Kind.TEXT: Annotated[str, msgspec.Meta(min_length=1)] | None,
    Kind.INTEGER: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,  # the column is a bigint
    Kind.BOOLEAN: bool | None,
    Kind.FLAG: Literal["true", "false"] | None,
    Kind.TIME: Annotated[datetime, msgspec.Meta(tz=True)] | None,
}
_Record = msgspec.defstruct(
    "_Record",
    [(field.column, str | None if field.blank else _TYPES[field.kind], None) for field in FIELDS],
    rename={field.column: field.api for field in FIELDS},
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
)
_FLAGS = tuple(n for n, field in enumerate(FIELDS) if field.kind is Kind.FLAG)
_TIMES = tuple(n for n, field in enumerate(FIELDS) if field.kind is Kind.TIME and not field.blank)
_TRUTH = {"true": True, "false": False, None: None}
((_BLANK, _BLANK_BYTES),) = (  # the one field that the cloud writes as "" instead of leaving it out
    (field.column, len(f',"{field.api}":""')) for field in FIELDS if field.blank
)
# A fraction with more digits than are kept, or a key that _is_whole does not count.
_ODD = re.compile(rb':[0-9]{2}\.[0-9]{7}|"\s+:')


def decode_usual(raw: bytes, text: bytearray) -> tuple[Value, ...] | None:
    """Read an image from its JSON text.

    Args:
        raw: the JSON as the cloud sent it.
        text: is overwritten with the JSON in normal form: the fields that have a value, in the order of
            ``fields.FIELDS``.

    Returns:
        its values, one per field in that order; None if anything is unusual, so that it must be read field by field.
    """
    try:
        record = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    size = len(raw)
    if (blank := getattr(record, _BLANK)) is not None:
        if blank:
            return None
        setattr(record, _BLANK, None)
        size -= _BLANK_BYTES
    _encode_into(record, text)
    values = list(msgspec.structs.astuple(record))
    if len(text) != size and not _is_whole(raw, values, blanks=blank is not None):
        return None
    if b"\\" in raw and b"\\u0000" in raw:
        return None
    for n in _FLAGS:
        values[n] = _TRUTH[values[n]]
    for n in _TIMES:
        if (moment := values[n]) is not None and moment.tzinfo is not UTC:
            return None
    return tuple(values)


def _is_whole(raw: bytes, values: list[Any], *, blanks: bool) -> bool:
    """Whether the text holds nothing beyond the values.

    Each key ends in '":': if there are more of these than values, there is a null, or a key that is there twice.
    """
    return raw.count(b'":') == len(values) - values.count(None) + blanks and not _ODD.search(raw)


_decode = msgspec.json.Decoder(_Record).decode
_encode_into = msgspec.json.Encoder().encode_into
