"""How results are shown: the same rows as a table, as JSON and as CSV."""

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


def shown(capsys: Capture, rows: Iterable[Mapping[str, Any]], style: str, *columns: str) -> str:
    """What ``show`` prints; nothing of it goes to standard error."""
    show(rows, style, columns)
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_json_shows_every_value_exactly(capsys: Capture) -> None:
    """All that a row has, also beside the columns: instants in UTC, numbers as numbers, whatever their size."""
    row = {
        "text": 'é"\n\x1b',
        "none": None,
        "moment": MOMENT.astimezone(timezone(timedelta(hours=8))),
        "seconds": Decimal(12),
        "yes": True,
        "large": 10**30,
        "extra": {"a": [1, None, "x"]},
    }
    line = shown(capsys, [row], "json", "text")

    assert json.loads(line) == row | {"moment": "2026-03-01T08:00:00.123456Z", "seconds": 12}
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_csv_shows_the_columns_in_their_order(capsys: Capture) -> None:
    """A header, then a line a row; what is not there is empty, what is nested is JSON."""
    rows = [{"b": None, "a": 'x,"y"', "c": MOMENT, "d": {"k": [True]}, "e": -1, "unasked": 1}]
    (line,) = csv.DictReader(io.StringIO(shown(capsys, rows, "csv", "a", "b", "c", "d", "e")))

    assert line == {"a": 'x,"y"', "b": "", "c": "2026-03-01T08:00:00.123456Z", "d": '{"k": [true]}', "e": "-1"}


@given(st.text())
def test_no_text_becomes_a_formula(text: str) -> None:
    """Whatever the text, its cell starts with nothing a spreadsheet takes for a formula, and can be read back."""
    cell = as_cell(text)

    assert not cell.lstrip(" ")[:1] or cell.lstrip(" ")[0] not in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
    assert text in {cell, cell[1:]}


@pytest.mark.parametrize("text", ["=1+1", "  =1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_text_that_looks_like_a_formula_is_quoted(text: str) -> None:
    """An apostrophe before it; numbers stay numbers."""
    assert as_cell(text) == f"'{text}"
    assert (as_cell(-1), as_cell(Decimal(-1))) == (-1, Decimal(-1))


def test_table_shows_text_as_it_is(capsys: Capture) -> None:
    """Markup, escapes, line breaks and marks that turn text around are shown, not obeyed; wide text is not cut."""
    name = "[red]x[/red] \x1b[31m\u202e\n:smile: " + "y" * 300
    out = shown(capsys, [{"some_name": name, "flag": True, "nothing": None}], "table", "some_name", "flag", "nothing")

    assert r"[red]x[/red] \x1b[31m\u202e\n:smile: " + "y" * 300 in out
    assert "some name" in out
    assert "yes" in out
    assert "None" not in out
    assert "\x1b" not in out


def test_table_aligns_numbers_to_the_right(capsys: Capture) -> None:
    """A column of numbers only is aligned at its end, any other at its start."""
    out = shown(capsys, [{"n": 5, "t": "a"}, {"n": 10_000, "t": "bbb"}], "table", "n", "t")

    assert "     5  a   " in out
    assert " 10000  bbb " in out


@pytest.mark.parametrize(("style", "said"), [("table", "nothing to show\n"), ("json", ""), ("csv", "a,b\r\n")])
def test_no_rows(capsys: Capture, style: str, said: str) -> None:
    """No rows: a word for people, nothing for JSON, the header for CSV."""
    assert shown(capsys, [], style, "a", "b") == said
