"""Writes a query out with its values in it, so that anyone can carry it out in ``psql``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from sync.domain.image import iso

Value = datetime | str | int | None


def inline_parameters(query: str, values: Mapping[str, Value]) -> str:
    """The query, values in place of ``:name``, with a semicolon at its end."""
    names = "|".join(map(re.escape, values))
    return re.sub(rf"(?<!:):({names})\b", lambda found: _literal(values[found[1]]), query.strip()) + ";"


def _literal(value: Value) -> str:
    if isinstance(value, datetime):
        return f"timestamptz '{iso(value)}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "NULL" if value is None else str(value)
