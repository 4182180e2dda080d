"""An image as nearly all are: only fields that the document names, each value of its type. Decoded in one step.

Whatever is unusual is left to ``sync.domain.image``, which reads it field by field, to the same result; so this is a
shortcut, and says nothing of its own. What a run costs: docs/performance.md.
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
    Kind.INTEGER: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,  # what the column holds
    Kind.BOOLEAN: bool | None,
    Kind.FLAG: Literal["true", "false"] | None,
    Kind.TIME: Annotated[datetime, msgspec.Meta(tz=True)] | None,
}
_Told = msgspec.defstruct(
    "_Told",
    [(field.column, str | None if field.blank else _TYPES[field.kind], None) for field in FIELDS],
    rename={field.column: field.api for field in FIELDS},
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
)
_FLAGS = tuple(n for n, field in enumerate(FIELDS) if field.kind is Kind.FLAG)
_TIMES = tuple(n for n, field in enumerate(FIELDS) if field.kind is Kind.TIME and not field.blank)
_TRUTH = {"true": True, "false": False, None: None}
((_BLANK, _BLANK_BYTES),) = (  # the field that the cloud writes as "" where it has no value
    (field.column, len(f',"{field.api}":""')) for field in FIELDS if field.blank
)


_ODD = re.compile(rb':[0-9]{2}\.[0-9]{7}|"\s+:')  # more digits than are read, and a key that is not counted below


def usual(raw: bytes, text: bytearray) -> tuple[Value, ...] | None:
    """Read an image from its JSON text.

    Args:
        raw: the JSON as the cloud sent it.
        text: becomes the JSON written anew: the fields in the order of ``fields.FIELDS``, without those that have no
            value.

    Returns:
        its values, one a field in that order; None if anything is unusual, so that it has to be read with care.
    """
    try:
        told = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    size = len(raw)
    if (blank := getattr(told, _BLANK)) is not None:
        if blank:
            return None
        setattr(told, _BLANK, None)
        size -= _BLANK_BYTES
    _encode_into(told, text)
    values = list(msgspec.structs.astuple(told))
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
    """Whether the text says no more than the values do.

    Each key stands before a '":': more of these than values are a null, or a key that is there twice.
    """
    return raw.count(b'":') == len(values) - values.count(None) + blanks and not _ODD.search(raw)


_decode = msgspec.json.Decoder(_Told).decode
_encode_into = msgspec.json.Encoder().encode_into
