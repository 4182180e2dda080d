"""``image-sync report``: what changed in a time, what needs attention, and how complete the evidence is."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypedDict, Unpack

import click

from sync import wiring
from sync.checks import run
from sync.cli import say
from sync.cli.check import configured
from sync.cli.options import Moment, moment, source_option
from sync.domain.image import iso
from sync.errors import ImageSyncError, UsageError
from sync.logs import escape
from sync.reports.gather import gather
from sync.reports.model import Report
from sync.settings import Settings
from sync.store import approvals
from sync.store.queries.inventory import Inventory, inventory
from sync.store.queries.reports import ReportQueries

USUAL = "-7d"


class Asked(TypedDict):
    """What was asked for."""

    begin: Moment | None
    end: Moment
    source: str | None
    style: str
    output: Path | None
    since_last: str | None
    if_changed: bool


@click.command()
@click.option("--from", "begin", type=moment, help=f"Moment after which changes count.  [default: {USUAL}]")
@click.option("--to", "end", type=moment, default="now", show_default=True, help="Moment up to which they do.")
@source_option
@click.option(
    "--format", "style", type=click.Choice(["md", "html", "csv", "json", "xlsx"]), default="md", show_default=True
)
@click.option("--output", type=click.Path(path_type=Path), help="File to write, instead of standard output.")
@click.option("--since-last", metavar="NAME", help="From where the last report of this name ended; it is remembered.")
@click.option("--if-changed", is_flag=True, help="Write nothing if nothing changed and nothing needs attention.")
@click.pass_obj
def report(config: Path | None, **asked: Unpack[Asked]) -> None:
    """Tell what changed between two moments, what needs attention, and how far that can be trusted.

    Moments are written as for `as-of`. Markdown is short enough for a chat message, HTML is for reading and for paper,
    CSV has the changes, JSON has everything. A report made twice for the same moments is the same, byte for byte.
    """
    source, output, reader = asked["source"], asked["output"], asked["since_last"]
    _check(asked)
    loaded = wiring.load(os.environ, config, with_sources=False)
    with wiring.database(loaded, os.environ) as target:
        with inventory(target) as found:
            found.check_source(source)
            material = ReportQueries(found, *_time(asked, found), source)
            made, text = make(loaded, found, material, asked["style"])
        if asked["if_changed"] and not made.changes and not list(made.attention()):
            say("nothing changed; nothing was written")
        else:
            _write(text, output)
        if reader:
            approvals.remember(target, reader, source, made.end)


def _check(asked: Asked) -> None:
    """Make sure, before any work, that what is asked for can be done.

    Raises:
        UsageError: it contradicts itself.
        ImageSyncError: the file can't be written.
    """
    if asked["since_last"] and asked["begin"]:
        raise UsageError("give --from or --since-last: the latter knows where the last report ended")
    if asked["output"] is not None:
        _check_writable(asked["output"])
    elif asked["style"] == "xlsx" and sys.stdout.isatty():
        raise UsageError("XLSX is binary; write it to a file with --output")


def _time(asked: Asked, found: Inventory) -> tuple[datetime, datetime]:
    """After which moment, and up to which."""
    source = asked["source"]
    settled = found.settled(source)
    end = asked["end"].find(found, source, early=True)
    if end > settled:
        if asked["end"].text != "now":
            say(f"a run is under way; the report goes up to {iso(settled)}, where nothing can change any more")
        end = settled
    stopped = found.read_to(asked["since_last"], source) if asked["since_last"] else None
    if stopped is not None:
        return min(stopped, end), end
    after = asked["begin"] or moment(USUAL)
    begin = after.find(found, source, begins=True, early=True)
    if begin > end == settled:
        say(f"a run has been under way since {iso(settled)}; there is nothing later to report on yet")
        return end, end
    if begin > end:
        raise UsageError(f"{after.text} is later than {asked['end'].text}; give the earlier moment as --from")
    return begin, end


def make(loaded: Settings, found: Inventory, material: ReportQueries, style: str) -> tuple[Report, bytes]:
    """A report, and the same written in a style.

    Raises:
        UsageError: a check in the settings can't be carried out, or the style needs a library that is not there.
    """
    chosen, dates = configured(loaded), run.systems(loaded.end_of_life_file)
    made = gather(found, material, chosen, dates)
    sql = material.sql() | {
        f"Check {check.name}": run.sql(check, dates, material.end, material.source)
        for check in chosen
        if any(finding.check == check.name for finding in made.findings)
    }
    return made, _writer(style)(made, material, sql)


def _writer(style: str) -> Callable[[Report, ReportQueries, dict[str, str]], bytes]:
    """Writes a report in a style; what it needs is imported only then."""
    if style == "html":
        from sync.reports.html import html

        return lambda made, _material, sql: html(made, sql).encode()
    if style == "xlsx":
        from sync.reports.as_xlsx import as_xlsx

        return lambda made, material, _sql: as_xlsx(made, material.images())
    from sync.reports.as_csv import as_csv
    from sync.reports.as_json import as_json
    from sync.reports.markdown import markdown

    write = {"md": markdown, "csv": as_csv, "json": as_json}[style]
    return lambda made, _material, _sql: write(made).encode()


def _check_writable(path: Path) -> None:
    """Make sure of it before any work.

    Raises:
        ImageSyncError: it can't be written.
    """
    folder = path.parent
    if path.is_dir() or not os.access(folder, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ImageSyncError(f"{path} can't be written; give --output a file in a folder that you may write to")


def _write(text: bytes, path: Path | None) -> None:
    """Write it as a whole, or not at all.

    Raises:
        ImageSyncError: it can't be written.
    """
    if path is None:
        sys.stdout.buffer.write(_inert(text) if sys.stdout.isatty() else text)
        sys.stdout.buffer.flush()
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        raise ImageSyncError(f"{path} can't be written: {error.strerror}") from error


def _inert(text: bytes) -> bytes:
    """The same with nothing in it that a terminal would obey."""
    return "\n".join(escape(line.removesuffix("\r")) for line in text.decode().split("\n")).encode()
