"""The workbook: its sheets, dates with their type, and no formulas."""

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
    """A workbook on everything after the first run."""
    return make_workbook(edge, tmp_path / "report.xlsx")


def make_workbook(edge: Edge, file: Path, *arguments: str) -> Path:
    """Write a workbook, by default on everything after the first run."""
    done = report(edge, file.parent, *(arguments or ("--from", "1")), "--format", "xlsx", "--output", str(file))
    assert done.code == 0, done.err
    return file


def test_sheets_and_their_numbers(edge: Edge, file: Path, tmp_path: Path) -> None:
    """The five sheets have a frozen header, filters and as many rows as the JSON."""
    data, workbook = as_json(edge, tmp_path, "--from", "1"), openpyxl.load_workbook(file)

    assert workbook.sheetnames == ["Summary", "Changes", "Images", "Findings", "Runs"]
    for sheet in workbook:
        assert (sheet.freeze_panes, bool(sheet.auto_filter.ref)) == ("A2", True)
    rows = {sheet.title: [dict(zip(*pair, strict=True)) for pair in _pairs(sheet)] for sheet in workbook}
    fields = [(one["id"], field["field"]) for one in data["changes"] for field in one["fields"]]
    assert [(row["id"], row["field"]) for row in rows["Changes"] if row["field"]] == fields
    assert len(rows["Images"]) == sum(data["images"]["to"].values())
    assert len(rows["Findings"]) == len(data["findings"])
    assert [row["digest"] for row in rows["Runs"]] == [run["digest"] for run in data["runs"]]


def _pairs(sheet: openpyxl.worksheet.worksheet.Worksheet) -> list[tuple[list[str], list[object]]]:
    header, *rows = sheet.iter_rows(values_only=True)
    return [([str(name) for name in header], list(row)) for row in rows]


def test_text_stays_text_and_dates_are_dates(file: Path) -> None:
    """No cell is a formula or a link, whatever its text, and times are dates."""
    workbook = openpyxl.load_workbook(file)
    cells = [cell for sheet in workbook for row in sheet.iter_rows() for cell in row]

    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    assert not any(cell.hyperlink for cell in cells)
    names = {row[2] for row in workbook["Images"].iter_rows(values_only=True)}
    assert NASTY.replace("\x1b", "_x001B_") in {str(name).replace("\x1b", "_x001B_") for name in names}
    dates = [row[4] for row in workbook["Runs"].iter_rows(min_row=2, values_only=True)]
    assert dates
    assert all(isinstance(date, datetime) for date in dates)


def test_a_workbook_made_twice_is_the_same(edge: Edge, tmp_path: Path) -> None:
    """A workbook on the same moments is the same byte for byte."""
    moments = ("--from", "1", "--to", "3")

    one, other = (make_workbook(edge, tmp_path / name, *moments).read_bytes() for name in ("one.xlsx", "other.xlsx"))

    assert one == other


@pytest.mark.long
def test_libreoffice_reads_the_workbook(file: Path, tmp_path: Path) -> None:
    """LibreOffice finds no formula, and dates with their type."""
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
