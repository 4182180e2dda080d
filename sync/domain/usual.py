"""An image as nearly all are: only fields that the document names, each value of its type. Decoded in one step.

Whatever is unusual is left to ``sync.domain.image``, which reads it field by field, to the same result; so this is a
shortcut, and says nothing of its own. What a run costs: `make bench`.
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
    [(field.column, _TYPES[field.kind], None) for field in FIELDS],
    rename={field.column: field.api for field in FIELDS},
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
)
_FLAGS = tuple(n for n, field in enumerate(FIELDS) if field.kind is Kind.FLAG)
_TIMES = tuple(n for n, field in enumerate(FIELDS) if field.kind is Kind.TIME)
_TRUTH = {"true": True, "false": False, None: None}
# What the cloud writes where it has no value. No text can hold it: there each quote would have a backslash before it.
((_BLANK_FIELD, _BLANK),) = ((n, f',"{field.api}":""'.encode()) for n, field in enumerate(FIELDS) if field.blank)


_ODD = re.compile(rb':[0-9]{2}\.[0-9]{7}|"\s+:')  # more digits than are read, and a key that is not counted below


def usual(raw: bytes) -> tuple[tuple[Value, ...], bytes] | None:
    """Read an image from its JSON text.

    Returns:
        its values, one a field in the order of ``fields.FIELDS``, and its JSON written anew: the fields in that order,
        without those that have no value. None if anything is unusual, so that it has to be read with care.
    """
    bare = raw.replace(_BLANK, b"", 1)
    try:
        told = _decode(bare)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    values, text = list(msgspec.structs.astuple(told)), _encode(told)
    if len(text) != len(bare) and not _is_whole(bare, values):
        return None
    if b"\\" in raw and b"\\u0000" in raw:
        return None
    if values[_BLANK_FIELD] is not None and len(bare) != len(raw):
        return None  # it is there twice
    for n in _FLAGS:
        values[n] = _TRUTH[values[n]]
    for n in _TIMES:
        if (moment := values[n]) is not None and moment.tzinfo is not UTC:
            return None
    return tuple(values), text


def _is_whole(bare: bytes, values: list[Any]) -> bool:
    """Whether the text says no more than the values do.

    Each key stands before a '":': more of these than values are a null, or a key that is there twice.
    """
    return bare.count(b'":') == len(values) - values.count(None) and not _ODD.search(bare)


_decode = msgspec.json.Decoder(_Told).decode
_encode = msgspec.json.Encoder().encode
