"""The workbook: all sheets, dates that are dates, and nothing that would be computed."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from report_tools import NASTY, as_json, report
from servers import environment
from store_tools import Edge

pytest_plugins = ["report_fixtures"]
OFFICE = shutil.which("soffice")
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


@pytest.fixture
def file(edge: Edge, tmp_path: Path) -> Path:
    """A workbook."""
    return made(edge, tmp_path / "report.xlsx")


def made(edge: Edge, file: Path, *arguments: str) -> Path:
    """The workbook, on everything after the first run if nothing else is asked for."""
    done = report(edge, file.parent, *(arguments or ("--from", "1")), "--format", "xlsx", "--output", str(file))
    assert done.code == 0, done.err
    return file


def test_sheets_and_their_numbers(edge: Edge, file: Path, tmp_path: Path) -> None:
    """Five sheets, with a frozen header and filters, and as many rows as the JSON has of each."""
    told, book = as_json(edge, tmp_path, "--from", "1"), openpyxl.load_workbook(file)

    assert book.sheetnames == ["Summary", "Changes", "Images", "Findings", "Runs"]
    for sheet in book:
        assert (sheet.freeze_panes, bool(sheet.auto_filter.ref)) == ("A2", True)
    rows = {sheet.title: [dict(zip(*pair, strict=True)) for pair in _pairs(sheet)] for sheet in book}
    fields = [(one["id"], field["field"]) for one in told["changes"] for field in one["fields"]]
    assert [(row["id"], row["field"]) for row in rows["Changes"] if row["field"]] == fields
    assert len(rows["Images"]) == sum(told["images"]["to"].values())
    assert len(rows["Findings"]) == len(told["findings"])
    assert [row["digest"] for row in rows["Runs"]] == [run["digest"] for run in told["runs"]]


def _pairs(sheet: openpyxl.worksheet.worksheet.Worksheet) -> list[tuple[list[str], list[object]]]:
    header, *rows = sheet.iter_rows(values_only=True)
    return [([str(name) for name in header], list(row)) for row in rows]


def test_text_stays_text_and_dates_are_dates(file: Path) -> None:
    """No cell is a formula or a link, whatever a name looks like; moments are dates, to the second."""
    book = openpyxl.load_workbook(file)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]

    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    assert not any(cell.hyperlink for cell in cells)
    names = {row[2] for row in book["Images"].iter_rows(values_only=True)}
    assert NASTY.replace("\x1b", "_x001B_") in {str(name).replace("\x1b", "_x001B_") for name in names}
    dates = [row[4] for row in book["Runs"].iter_rows(min_row=2, values_only=True)]
    assert dates
    assert all(isinstance(date, datetime) for date in dates)


def test_made_twice_it_is_the_same(edge: Edge, tmp_path: Path) -> None:
    """Byte for byte."""
    moments = ("--from", "1", "--to", "3")

    one, other = (made(edge, tmp_path / name, *moments).read_bytes() for name in ("one.xlsx", "other.xlsx"))

    assert one == other


@pytest.mark.long
def test_in_an_office_program(file: Path, tmp_path: Path) -> None:
    """LibreOffice reads it: no formula anywhere, and dates with their type."""
    if OFFICE is None and "CI" not in os.environ:
        pytest.skip("no LibreOffice here; `apt-get install libreoffice-calc-nogui` brings one")
    assert OFFICE is not None
    command = [OFFICE, f"-env:UserInstallation=file://{tmp_path}/office", "--headless", "--convert-to", "fods"]
    subprocess.run(
        [*command, "--outdir", str(tmp_path), str(file)],
        env=environment(HOME=str(tmp_path)),
        check=True,
        capture_output=True,
        timeout=120,
    )

    cells = list(ET.parse(tmp_path / "report.fods").iter(f"{_TABLE}table-cell"))  # noqa: S314 - our own
    kinds = [cell.get(f"{_OFFICE}value-type") for cell in cells]
    assert not any(cell.get(f"{_TABLE}formula") for cell in cells)
    assert kinds.count("date") > 100
    assert "string" in kinds
