"""Moments at the ends of the calendar are shown as they are by every format of every command."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from builders import image
from cli_tools import Job
from servers import Server
from store_tools import Edge

from sync.domain.values import iso

MOMENTS = {
    "first": "0001-01-01T00:00:00Z",
    "before-1900": "1899-12-31T23:59:59Z",
    "leap-1900": "1900-02-28T12:00:00Z",
    "usual": "2024-02-29T12:00:00Z",
    "last": "9999-12-31T23:59:59Z",
    "last-of-all": "9999-12-31T23:59:59.999999Z",
}


@pytest.fixture
def edge(server: Server) -> Iterator[Edge]:
    """A synced source whose images were created and updated at the ends of the calendar."""
    with Edge(server, 0) as edge:
        edge.run()
        for name, moment in MOMENTS.items():
            edge.world.put(image(name, name=name, created_at=moment, updated_at=moment))
        edge.run()
        yield edge


def test_every_command_shows_them(edge: Edge, tmp_path: Path) -> None:
    """Tables, JSON, CSV and Parquet show the same moments, and no command ends with a traceback."""
    job = Job(tmp_path, edge.url)
    as_json, as_csv = (job("as-of", "now", "--format", style) for style in ("json", "csv"))
    others = [
        ["as-of", "now"],
        ["history", "first"],
        ["history", "last-of-all"],
    ]
    others += [["diff", "1", "2", "--format", style] for style in ("table", "json", "csv")]
    others += [["check"], ["check", "--format", "sarif"], ["as-of", "9999-12-31T23:59:59Z"], ["as-of", "0001-01-01"]]
    others += [["report", "--from", "1", "--format", style] for style in ("md", "html", "json", "csv")]
    others += [["report", "--from", "0001-01-01", "--to", "9999-12-31"], ["diff", "0001-01-01", "9999-12-31T23:59:59Z"]]
    parquet = subprocess.run(
        [sys.executable, "-m", "sync", "as-of", "now", "--format", "parquet"],
        env=job.environ(),
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    stored = pq.read_table(io.BytesIO(parquet.stdout)).to_pylist()
    shown = [(command, job(*command)) for command in others]

    assert [(command, done.err) for command, done in shown if "Traceback" in done.err or done.code not in {0, 2}] == []
    assert {row["id"]: row["created_at"] for row in as_json.rows} == MOMENTS
    assert {row["id"]: iso(row["created_at"]) for row in stored} == MOMENTS
    assert {row["id"]: row["created_at"] for row in csv.DictReader(io.StringIO(as_csv.out))} == MOMENTS


def test_a_workbook_holds_them(edge: Edge, tmp_path: Path) -> None:
    """Moments that a workbook can't hold as dates are text; all can be read again."""
    file = tmp_path / "report.xlsx"
    done = Job(tmp_path, edge.url)("report", "--from", "1", "--format", "xlsx", "--output", str(file))
    rows = openpyxl.load_workbook(file)["Images"].iter_rows(values_only=True)
    header = next(rows)
    created = {str(row[header.index("id")]): row[header.index("created_at")] for row in rows}

    assert (done.code, "Traceback" in done.err) == (0, False)
    assert created == MOMENTS | {
        "usual": datetime(2024, 2, 29, 12),  # noqa: DTZ001 - a workbook has no zones
        "last": datetime(9999, 12, 31, 23, 59, 59),  # noqa: DTZ001
    }
