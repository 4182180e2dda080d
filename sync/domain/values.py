"""Single values of an image: from what an API sends to what a column holds, and back.

Three things are read as equal, because the vendors' own services mix them: a field that is absent, null or ``""``;
``true`` and ``"true"``; the same instant written in another time zone or with more zeros.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from sync.domain.fields import Field, Kind

Value = str | int | bool | datetime | tuple[str, ...] | None
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.(\d{1,6})0*)?(?:[Zz]|[+-]\d\d:?\d\d)?", re.ASCII)


def converter(field: Field) -> Callable[[object], Value]:
    """The function that turns a value of a field into what its column holds; None if it does not fit."""
    return _BY_KIND[field.kind]


def text(value: object) -> str | None:
    """The value if it is text."""
    return value if isinstance(value, str) else None


def integer(value: object) -> int | None:
    """A whole number that fits a bigint, also from its digits."""
    if isinstance(value, str) and re.fullmatch(r"0|-?[1-9][0-9]{0,18}", value):
        value = int(value)
    # Python's bool is an int; the column is a bigint.
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def boolean(value: object) -> bool | None:
    """True or false, also from the words."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def tags(value: object) -> tuple[str, ...] | None:
    """A set of texts, sorted."""
    if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
        return None
    return tuple(sorted(set(value)))


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


def iso(moment: datetime) -> str:
    """Write an instant as the APIs do: in UTC, with ``Z``, and with a fraction only if it is not zero."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def as_sent(field: Field, value: Value) -> Value:
    """A value as the API writes it."""
    if value is None:
        return "" if field.blank else None
    if field.kind is Kind.FLAG:
        return "true" if value else "false"
    if field.kind is Kind.NUMERAL:
        return str(value)
    return iso(value) if isinstance(value, datetime) else value


_BY_KIND: dict[Kind, Callable[[object], Value]] = {
    Kind.TEXT: text,
    Kind.INTEGER: integer,
    Kind.NUMERAL: integer,
    Kind.BOOLEAN: boolean,
    Kind.FLAG: boolean,
    Kind.TIME: parse_time,
    Kind.TAGS: tags,
}
