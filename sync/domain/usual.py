"""An image as nearly all are: only fields that the document names, each value of its type. Decoded in one step.

Whatever is unusual is left to ``sync.domain.image``, which reads it field by field and to the same result; so this is a
shortcut, and says nothing of its own. Worth 20 of 27 µs an image; see docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from sync.domain.fields import FIELDS, Kind

Value = str | int | bool | datetime | None

_INTEGER = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # what the column holds
_TYPES: dict[Kind, Any] = {
    Kind.TEXT: str | None,
    Kind.INTEGER: _INTEGER | None,
    Kind.BOOLEAN: bool | None,
    Kind.FLAG: Literal["true", "false", ""] | None,
    Kind.TIME: str | None,
}
_Usual = msgspec.defstruct(
    "_Usual",
    [(field.column, _TYPES[field.kind], None) for field in FIELDS],
    rename={field.column: field.api for field in FIELDS},
    forbid_unknown_fields=True,
    gc=False,
)
_FLAGS = tuple(n for n, field in enumerate(FIELDS) if field.kind is Kind.FLAG)
_TIMES = tuple(n for n, field in enumerate(FIELDS) if field.kind is Kind.TIME)
_TRUTH = {"true": True, "false": False, "": None, None: None}


def usual(raw: bytes, parse_time: Callable[[object], datetime | None]) -> list[Value] | None:
    """The values of an image, one a field in the order of ``fields.FIELDS``.

    Args:
        raw: its JSON text.
        parse_time: reads an instant; None where it can't.

    Returns:
        None if anything about it is unusual, and it has to be read with care.
    """
    try:
        values: list[Any] = list(msgspec.structs.astuple(_decode(raw)))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    # Each key stands before a '":', so more of these than values may be a key that is there twice.
    if raw.count(b'":') != len(values) - values.count(None) or b"\\u0000" in raw:
        return None
    for n in _FLAGS:
        values[n] = _TRUTH[values[n]]
    for n in _TIMES:
        if written := values[n]:
            values[n] = parse_time(written)
            if values[n] is None:
                return None
        else:
            values[n] = None
    return values


_decode = msgspec.json.Decoder(_Usual).decode
