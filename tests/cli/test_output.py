"""The output formats: the same rows as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.cli.output import show
from sync.reports.as_csv import cell as as_cell

MOMENT = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)
Capture = pytest.CaptureFixture[str]


def rendered(capsys: Capture, rows: Iterable[Mapping[str, Any]], style: str, *columns: str) -> str:
    """The output of ``show``, which must write nothing to standard error."""
    show(rows, style, columns)
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_json_shows_every_value_exactly(capsys: Capture) -> None:
    """JSON has every value of a row, also beyond the columns, with instants in UTC and exact numbers."""
    row = {
        "text": 'é"\n\x1b',
        "none": None,
        "moment": MOMENT.astimezone(timezone(timedelta(hours=8))),
        "seconds": Decimal(12),
        "yes": True,
        "large": 10**30,
        "extra": {"a": [1, None, "x"]},
    }
    line = rendered(capsys, [row], "json", "text")

    assert json.loads(line) == row | {"moment": "2026-03-01T08:00:00.123456Z", "seconds": 12}
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_csv_shows_the_columns_in_their_order(capsys: Capture) -> None:
    """CSV has a header and a line per row; missing values are empty, and nested ones are JSON."""
    rows = [{"b": None, "a": 'x,"y"', "c": MOMENT, "d": {"k": [True]}, "e": -1, "unasked": 1}]
    (line,) = csv.DictReader(io.StringIO(rendered(capsys, rows, "csv", "a", "b", "c", "d", "e")))

    assert line == {"a": 'x,"y"', "b": "", "c": "2026-03-01T08:00:00.123456Z", "d": '{"k": [true]}', "e": "-1"}


@given(st.text())
def test_no_text_becomes_a_formula(text: str) -> None:
    """No cell begins with a character that a spreadsheet takes for a formula, and each can be read back."""
    cell = as_cell(text)

    assert not cell.lstrip(" ")[:1] or cell.lstrip(" ")[0] not in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
    assert text in {cell, cell[1:]}


@pytest.mark.parametrize("text", ["=1+1", "  =1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_text_that_looks_like_a_formula_is_quoted(text: str) -> None:
    """Text that looks like a formula gets an apostrophe; numbers stay numbers."""
    assert as_cell(text) == f"'{text}"
    assert (as_cell(-1), as_cell(Decimal(-1))) == (-1, Decimal(-1))


def test_table_shows_text_as_it_is(capsys: Capture) -> None:
    """Markup, escapes, line breaks and bidirectional marks are shown as text, and wide text is not cut."""
    name = "[red]x[/red] \x1b[31m\u202e\n:smile: " + "y" * 300
    out = rendered(
        capsys, [{"some_name": name, "flag": True, "nothing": None}], "table", "some_name", "flag", "nothing"
    )

    assert r"[red]x[/red] \x1b[31m\u202e\n:smile: " + "y" * 300 in out
    assert "some name" in out
    assert "yes" in out
    assert "None" not in out
    assert "\x1b" not in out


def test_table_aligns_numbers_to_the_right(capsys: Capture) -> None:
    """A column of numbers is aligned to the right, any other to the left."""
    out = rendered(capsys, [{"n": 5, "t": "a"}, {"n": 10_000, "t": "bbb"}], "table", "n", "t")

    assert "     5  a   " in out
    assert " 10000  bbb " in out


@pytest.mark.parametrize(("style", "expected"), [("table", "nothing to show\n"), ("json", ""), ("csv", "a,b\r\n")])
def test_no_rows(capsys: Capture, style: str, expected: str) -> None:
    """Without rows the table says so, JSON is empty, and CSV has only the header."""
    assert rendered(capsys, [], style, "a", "b") == expected
