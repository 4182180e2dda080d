"""A report as a workbook: Summary, Changes, Images, Findings and Runs, with dates in UTC and no formula anywhere."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from sync import __version__
from sync.domain.values import iso
from sync.errors import UsageError
from sync.reports import as_csv
from sync.reports.gaps import Row
from sync.reports.model import Report

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
_WIDTH = 22  # characters of a column
_FIRST_DATE = datetime(1900, 3, 1, tzinfo=UTC)  # spreadsheets disagree on earlier dates
_LAST_DATE = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # fractions of this second become the year 10000
IMAGES = (
    *("source", "id", "name", "status", "imagetype", "visibility", "protected", "os_type", "platform", "os_version"),
    *("min_disk", "min_ram", "owner", "created_at", "updated_at", "valid_from"),
)
FINDINGS = ("severity", "check", "source", "id", "name", "detail")
RUNS = (
    *("run", "source", "status", "trigger", "started_at", "finished_at", "effective_at", "proven", "proof", "reason"),
    *(
        "listed",
        "created",
        "updated",
        "restored",
        "deleted",
        "invisible",
        "held",
        "quarantined",
        "requests",
        "retries",
        "digest",
    ),
)


def as_xlsx(report: Report, images: Iterable[Row]) -> bytes:
    """The whole file.

    Args:
        report: the report.
        images: the images at its end.

    Raises:
        UsageError: the library that writes workbooks is not installed.
    """
    try:
        from xlsxwriter import Workbook  # an extra
    except ImportError as error:
        raise UsageError("for workbooks install the extra: pip install 'image-sync[xlsx]'") from error
    out = io.BytesIO()
    book = Workbook(out, _OPTIONS)
    # The date is that of the report, so that the same report gives the same file.
    book.set_properties(
        {"title": "Image inventory", "created": _without_zone(report.end), "comments": f"image-sync {__version__}"}
    )
    _sheet(book, "Summary", ("what", "value"), _summary(report))
    _sheet(book, "Changes", as_csv.COLUMNS, as_csv.rows(report))
    _sheet(book, "Images", IMAGES, map(itemgetter(*IMAGES), images))
    _sheet(book, "Findings", FINDINGS, map(attrgetter(*FINDINGS), report.findings))
    _sheet(book, "Runs", RUNS, map(itemgetter(*RUNS), report.runs))
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
    yield "note", f"times are in UTC; a sheet holds at most {_ROWS:,} rows, CSV and JSON have all of them"


def _sheet(book: Workbook, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    sheet = book.add_worksheet(name)
    bold: Format = book.add_format({"bold": True, "bottom": 1})
    sheet.set_column(0, len(columns) - 1, _WIDTH)
    sheet.freeze_panes(1, 0)
    for number, column in enumerate(columns):
        sheet.write_string(0, number, column, bold)
    last = 0
    for last, row in zip(range(1, _ROWS + 1), rows, strict=False):  # a sheet holds no more
        for number, value in enumerate(row):
            _write(sheet, last, number, value)
    sheet.autofilter(0, 0, last, len(columns) - 1)


def _write(sheet: Any, row: int, column: int, value: object) -> None:
    """Write a value by its type: text stays text, whatever it looks like."""
    if isinstance(value, bool):
        # LibreOffice reads a boolean cell as the formula TRUE().
        sheet.write_string(row, column, str(value).lower())
    elif isinstance(value, int) and abs(value) < 10**15:  # a spreadsheet holds 15 digits
        sheet.write_number(row, column, value)
    elif isinstance(value, datetime) and _FIRST_DATE <= value <= _LAST_DATE:
        sheet.write_datetime(row, column, _without_zone(value))
    elif value is not None:
        text = iso(value) if isinstance(value, datetime) else str(value)
        sheet.write_string(row, column, text[:_LONGEST])


def _without_zone(moment: datetime) -> datetime:
    """The moment in UTC; the library takes no time zones."""
    return moment.astimezone(UTC).replace(tzinfo=None)
