"""How results are shown on standard output: as a human-readable table, or as JSON or CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import click

from sync import logs
from sync.cli import say
from sync.cli.streams import discard_output
from sync.domain.values import iso
from sync.errors import OutputClosedError, OutputError
from sync.logs import escape, for_programs

_WIDE = 500  # columns of a "terminal" that is a file or a pipe: nothing is folded there
_log = logs.get(__name__)
F = TypeVar("F", bound=Callable[..., Any])
Row = Mapping[Any, Any]  # by column name


def format_option(function: F) -> F:
    """Give a command the option ``--format``."""
    return formats("table", "json", "csv")(function)


def formats(*styles: str) -> Callable[[F], F]:
    """Give a command the option ``--format`` with these styles; the first is the default."""
    choice = click.Choice(styles)
    return click.option("--format", "style", type=choice, default=styles[0], help="Output format.")


def show(rows: Iterable[Row], style: str, columns: Sequence[str]) -> None:
    """Show rows: one JSON object per line, CSV with a header, Parquet, or a table.

    Args:
        rows: mappings with at least the given columns.
        style: table, json, csv or parquet.
        columns: what to show, in this order; JSON shows everything that a row has.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and style in ("json", "csv"):
        sys.stdout.reconfigure(encoding="utf-8")  # programs read it, so the locale doesn't count
    if style == "json":
        _json(rows)
    elif style == "csv":
        _csv(rows, columns)
    elif style == "parquet":
        from sync.cli import parquet  # needs an extra

        parquet.write(rows, columns)
    else:
        _table(rows, columns)


@contextmanager
def outcome_counts() -> Iterator[None]:
    """Show an outcome that is on record: if that fails, say so, and let the exit code be that of the outcome."""
    try:
        yield
        sys.stdout.flush()
    except OutputError as error:
        discard_output()
        if isinstance(error, OutputClosedError):
            return
        if for_programs():
            _log.warning("result not shown", reason=str(error))
        else:
            say(f"image-sync: {error}; what was done is on record")


def _json(rows: Iterable[Row]) -> None:
    import msgspec

    encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
    for row in rows:
        values = {name: iso(value) if isinstance(value, datetime) else value for name, value in row.items()}
        sys.stdout.write(encode(values).decode() + "\n")


def _csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    from sync.reports.as_csv import cell

    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row[name]) for name in columns])


def _table(rows: Iterable[Row], columns: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[row[name] for name in columns] for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for n, name in enumerate(columns):
        number = all(isinstance(row[n], int | Decimal) and not isinstance(row[n], bool) for row in cells)
        table.add_column(name.replace("_", " "), overflow="fold", justify="right" if number else "left")
    for row in cells:
        table.add_row(*(Text(escape(_text(value))) for value in row))
    plain = bool(os.environ.get("NO_COLOR"))  # the library would keep bold type
    width = None if sys.stdout.isatty() else _WIDE
    console = Console(file=sys.stdout, width=width, color_system=None if plain else "auto")
    console.print(table if cells else "nothing to show")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return iso(value).replace("T", " ")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
