"""The changes of a report as CSV (RFC 4180), a row a changed field, with nothing in it that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime

from sync.domain.image import iso
from sync.reports.cells import harmless
from sync.reports.model import Field, Report

COLUMNS = ("source", "id", "name", "kind", "at", "not_before", "run", "field", "old", "new")


def as_csv(report: Report) -> str:
    """The whole file, with a header."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(map(_cell, row) for row in rows(report))
    return out.getvalue()


def rows(report: Report) -> Iterator[tuple[object, ...]]:
    """The changes, a row a changed field, with the values of ``COLUMNS``."""
    for change in report.changes:
        head = (change.source, change.id, change.name, change.kind, change.at, change.not_before, change.run)
        for field in change.fields or (Field(None, None, None),):
            yield (*head, field.name, field.old, field.new)


def _cell(value: object) -> object:
    if value is None or isinstance(value, int):
        return "" if value is None else value
    return harmless(iso(value) if isinstance(value, datetime) else str(value))
