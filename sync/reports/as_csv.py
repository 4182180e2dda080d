"""The changes of a report as CSV (RFC 4180), a row per changed field, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from sync.domain.image import iso
from sync.reports.model import Field, Report

# A spreadsheet runs a cell that starts so; the last four are the wide forms, which some take for the narrow ones.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
COLUMNS = ("source", "id", "name", "kind", "at", "not_before", "run", "field", "old", "new")


def as_csv(report: Report) -> str:
    """The whole file, with a header."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(map(cell, row) for row in rows(report))
    return out.getvalue()


def rows(report: Report) -> Iterator[tuple[object, ...]]:
    """The changes, a row a changed field, with the values of ``COLUMNS``."""
    for change in report.changes:
        head = (change.source, change.id, change.name, change.kind, change.at, change.not_before, change.run)
        for field in change.fields or (Field(None, None, None),):
            yield (*head, field.name, field.old, field.new)


def cell(value: object) -> object:
    """A value as a cell that no spreadsheet takes for a formula: an apostrophe before what starts dangerously."""
    if value is None or isinstance(value, bool | int | float | Decimal):
        return "" if value is None else value
    if isinstance(value, datetime):
        return iso(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_DANGEROUS) else text
