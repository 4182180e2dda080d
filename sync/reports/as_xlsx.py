"""A report as a workbook: Summary, Changes, Images, Findings and Runs, with dates in UTC and no formula anywhere."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sync import __version__
from sync.domain.image import iso
from sync.errors import UsageError
from sync.reports.as_csv import COLUMNS as CHANGES
from sync.reports.as_csv import rows as changed
from sync.reports.model import Report, Row

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook

_OPTIONS = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "constant_memory": True,
    "default_date_format": "yyyy-mm-dd hh:mm:ss",
}
_ROWS = 1_048_575  # of a sheet, below its header
_LONGEST = 32_767  # characters of a cell
_WIDTH = 22  # characters
_FIRST_DATE = datetime(1900, 3, 1, tzinfo=UTC)  # spreadsheets do not agree on what was before
IMAGES = (
    *("source", "id", "name", "status", "imagetype", "visibility", "protected", "os_type", "platform", "os_version"),
    *("min_disk", "min_ram", "owner", "created_at", "updated_at", "valid_from"),
)
FINDINGS = ("severity", "check", "source", "id", "name", "detail")
RUNS = (
    *("run", "source", "status", "trigger", "started_at", "finished_at", "effective_at", "proven", "proof", "reason"),
    *("listed", "created", "updated", "restored", "deleted", "held", "quarantined", "requests", "retries", "digest"),
)


def as_xlsx(report: Report, images: Iterable[Row]) -> bytes:
    """The whole file.

    Args:
        report: what to tell.
        images: those at its end.

    Raises:
        UsageError: the library for it is not installed.
    """
    try:
        from xlsxwriter import Workbook  # an extra
    except ImportError as error:
        raise UsageError("for workbooks install the extra: pip install 'image-sync[xlsx]'") from error
    out = io.BytesIO()
    book = Workbook(out, _OPTIONS)
    # Of the report, not of the clock: made twice it is the same.
    book.set_properties(
        {"title": "Image inventory", "created": _plain(report.end), "comments": f"image-sync {__version__}"}
    )
    findings = ([getattr(one, column) for column in FINDINGS] for one in report.findings)
    sheets: dict[str, tuple[Sequence[str], Iterable[Sequence[object]]]] = {
        "Changes": (CHANGES, changed(report)),
        "Images": (IMAGES, _of(images, IMAGES)),
        "Findings": (FINDINGS, findings),
        "Runs": (RUNS, _of(report.runs, RUNS)),
    }
    _sheet(book, "Summary", ("what", "value"), _summary(report))
    for name, (columns, rows) in sheets.items():
        _sheet(book, name, columns, rows)
    book.close()
    return out.getvalue()


def _summary(report: Report) -> Iterator[tuple[str, object]]:
    yield "from", report.begin
    yield "to", report.end
    yield "source", report.source or "all"
    for sentence in report.verdict():
        yield "verdict", sentence
    yield "evidence complete", report.complete
    yield "images before", sum(report.before.values())
    yield "images", sum(report.after.values())
    yield from report.counts.items()
    yield "held deletions", len(report.held)
    yield "quarantined records", len(report.quarantined)
    for one in report.evidence:
        if one.moment == report.end:
            yield f"last digest of {one.source}, run {one.last_run}", one.digest
    yield "times", f"in UTC; a sheet holds {_ROWS:,} rows, CSV and JSON have all"


def _of(rows: Iterable[Mapping[Any, Any]], columns: Sequence[str]) -> Iterator[list[object]]:
    return ([row[column] for column in columns] for row in rows)


def _sheet(book: Workbook, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    sheet = book.add_worksheet(name)
    bold: Format = book.add_format({"bold": True, "bottom": 1})
    sheet.set_column(0, len(columns) - 1, _WIDTH)
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column, bold)
    last = 0
    for last, row in zip(range(1, _ROWS + 1), rows, strict=False):  # a sheet holds no more
        for place, value in enumerate(row):
            _write(sheet, last, place, value)
    sheet.autofilter(0, 0, last, len(columns) - 1)


def _write(sheet: Any, row: int, column: int, value: object) -> None:
    """Write by type: what is text stays text, whatever it looks like."""
    if isinstance(value, bool):
        # A cell of this type is the formula TRUE() to LibreOffice.
        sheet.write_string(row, column, str(value).lower())
    elif isinstance(value, int):
        # A spreadsheet holds 15 digits.
        write = sheet.write_number if abs(value) < 10**15 else sheet.write_string
        write(row, column, value if abs(value) < 10**15 else str(value))
    elif isinstance(value, datetime):
        if value >= _FIRST_DATE:
            sheet.write_datetime(row, column, _plain(value))
        else:
            sheet.write_string(row, column, iso(value))
    elif value is not None:
        sheet.write_string(row, column, str(value)[:_LONGEST])


def _plain(moment: datetime) -> datetime:
    """The library takes no zones; all of it is UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None)
