"""Decodes in one step the images that are as nearly all are: only documented fields, each value of its type.

Anything unusual is left to ``sync.domain.image``, which reads field by field with the same result: this is a shortcut
and adds no rule of its own. It works for an API whose fields all have a column. For the cost of a run see
docs/performance.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from sync.domain.apis.api import Api
from sync.domain.fields import COLUMNS, Kind
from sync.domain.values import Value

_TYPES: dict[Kind, Any] = {
    Kind.TEXT: Annotated[str, msgspec.Meta(min_length=1)] | None,
    Kind.INTEGER: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,  # the column is a bigint
    Kind.BOOLEAN: bool | None,
    Kind.FLAG: Literal["true", "false"] | None,
    Kind.TIME: Annotated[datetime, msgspec.Meta(tz=True)] | None,
}
_TRUTH = {"true": True, "false": False, None: None}
# A fraction with more digits than are kept, or a key that _is_whole does not count.
_ODD = re.compile(rb':[0-9]{2}\.[0-9]{7}|"\s+:')
Decode = Callable[[bytes, bytearray], "tuple[Value, ...] | None"]


@cache
def decoder(api: Api) -> Decode:
    """The shortcut for the images of an API; a function that finds no image usual if the API has none.

    It takes the JSON as the cloud sent it, and a buffer that is overwritten with the JSON in normal form: the fields
    that have a value, in the order of the document. It returns the values, one per column; None if anything is unusual,
    so that the image must be read field by field.
    """
    shortcut = len(api.stored) == len(api.fields) and {field.kind for field in api.fields} <= set(_TYPES)
    return _Decoder(api).decode if shortcut else _never


def _never(raw: bytes, text: bytearray) -> None:  # noqa: ARG001 - one shape for all
    return None


class _Decoder:
    """The shortcut for one API; see ``decoder``."""

    def __init__(self, api: Api) -> None:
        record = msgspec.defstruct(
            "Record",
            [(field.column, str | None if field.blank else _TYPES[field.kind], None) for field in api.fields],
            rename={field.column: field.api for field in api.fields},
            forbid_unknown_fields=True,
            omit_defaults=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(record).decode
        self._encode_into = msgspec.json.Encoder().encode_into
        self._flags = tuple(n for n, field in enumerate(api.fields) if field.kind is Kind.FLAG)
        self._times = tuple(n for n, f in enumerate(api.fields) if f.kind is Kind.TIME and not f.blank)
        ((self._blank, self._blank_bytes),) = (  # the one field that the cloud writes as "" instead of leaving it out
            (field.column, len(f',"{field.api}":""')) for field in api.fields if field.blank
        )
        places = [n for n, _ in api.stored]
        if places != list(range(len(places))):
            raise ValueError(f"the fields of {api.name} do not stand in the order of the columns")
        self._others = (None,) * (len(COLUMNS) - len(places))

    def decode(self, raw: bytes, text: bytearray) -> tuple[Value, ...] | None:
        try:
            record = self._decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        size = len(raw)
        if (blank := getattr(record, self._blank)) is not None:
            if blank:
                return None
            setattr(record, self._blank, None)
            size -= self._blank_bytes
        self._encode_into(record, text)
        values = list(msgspec.structs.astuple(record))
        if len(text) != size and not _is_whole(raw, values, blanks=blank is not None):
            return None
        if b"\\" in raw and b"\\u0000" in raw:
            return None
        for n in self._flags:
            values[n] = _TRUTH[values[n]]
        for n in self._times:
            if (moment := values[n]) is not None and moment.tzinfo is not UTC:
                return None
        return (*values, *self._others)


def _is_whole(raw: bytes, values: list[Any], *, blanks: bool) -> bool:
    """Whether the text holds nothing beyond the values.

    Each key ends in '":': if there are more of these than values, there is a null, or a key that is there twice.
    """
    return raw.count(b'":') == len(values) - values.count(None) + blanks and not _ODD.search(raw)
