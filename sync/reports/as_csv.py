"""The changes of a report as CSV (RFC 4180), one row per changed field; no cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime

from sync.domain.image import iso
from sync.reports.cells import harmless
from sync.reports.model import FieldChange, Report

_OF_IMAGE = ("source", "id", "name", "kind", "at", "not_before", "run")
COLUMNS = (*_OF_IMAGE, "field", "old", "new")


def as_csv(report: Report) -> str:
    """The whole file, with a header."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(map(_cell, row) for row in rows(report))
    return out.getvalue()


def rows(report: Report) -> Iterator[list[object]]:
    """The changes, one row per changed field, with the values of ``COLUMNS``."""
    for change in report.changes:
        image = [getattr(change, column) for column in _OF_IMAGE]
        for part in change.fields or (FieldChange(None, None, None),):
            yield [*image, part.field, part.old, part.new]


def _cell(value: object) -> object:
    if value is None or isinstance(value, int):
        return "" if value is None else value
    return harmless(iso(value) if isinstance(value, datetime) else str(value))
