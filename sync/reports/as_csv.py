"""The changes of a report as CSV (RFC 4180), one row per changed field; no cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from sync.domain.values import iso
from sync.reports.model import FieldChange, Report

# A spreadsheet runs a cell that starts so; the last four are the wide forms, which some take for the narrow ones.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_OF_IMAGE = ("source", "id", "name", "kind", "at", "not_before", "run")
COLUMNS = (*_OF_IMAGE, "field", "old", "new")


def as_csv(report: Report) -> str:
    """The whole file, with a header."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(map(cell, row) for row in rows(report))
    return out.getvalue()


def rows(report: Report) -> Iterator[list[object]]:
    """The changes, one row per changed field, with the values of ``COLUMNS``."""
    for change in report.changes:
        image = [getattr(change, column) for column in _OF_IMAGE]
        for part in change.fields or (FieldChange(None, None, None),):
            yield [*image, part.field, part.old, part.new]


def cell(value: object) -> object:
    """A value as a cell that no spreadsheet takes for a formula: an apostrophe before what starts dangerously."""
    if value is None or isinstance(value, bool | int | float | Decimal):
        return "" if value is None else value
    if isinstance(value, datetime):
        return iso(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_DANGEROUS) else text
