"""``image-sync report``: what changed in a time, what needs attention, and how complete the evidence is."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from sync.checks import run
from sync.cli import say
from sync.cli.check import configured
from sync.cli.moments import Moment, moment
from sync.cli.options import source_option
from sync.cli.output import formats
from sync.cli.setup import load, open_database
from sync.domain.checks import Check
from sync.domain.values import iso
from sync.errors import ImageSyncError, StoreError, UsageError
from sync.files import write_file
from sync.logs import escape
from sync.reports.gather import gather
from sync.reports.model import Report
from sync.settings import Settings
from sync.store import approvals
from sync.store.connection import Target
from sync.store.queries.inventory import Inventory, inventory
from sync.store.queries.reports import ReportQueries

USUAL = "-7d"


@click.command()
@click.option("--from", "begin", type=moment, help=f"Report changes after this moment.  [default: {USUAL}]")
@click.option("--to", "end", type=moment, default="now", help="Report changes up to this moment.")
@click.option("--since-last", metavar="NAME", help="Begin where the last report of this NAME ended, and remember this.")
@source_option
@formats("md", "html", "csv", "json", "xlsx")
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file instead of standard output.")
@click.option("--if-changed", is_flag=True, help="Write nothing if nothing changed and nothing needs attention.")
@click.pass_obj
def report(
    config: Path | None,
    *,
    begin: Moment | None,
    end: Moment,
    since_last: str | None,
    source: str | None,
    style: str,
    output: Path | None,
    if_changed: bool,
) -> None:
    """Report what changed, and what needs attention.

    It also says how complete the evidence is. Moments are written as for `as-of`. Markdown (md) is short enough for a
    chat message, HTML is for reading and printing, CSV has the changes, JSON has everything, XLSX is a workbook. Two
    reports about the same moments are the same, byte for byte.
    """
    if since_last and begin:
        raise UsageError("give --from or --since-last, not both: the latter begins where the last report ended")
    if output is not None:
        _check_writable(output)
    elif style == "xlsx" and sys.stdout.isatty():
        raise UsageError("XLSX is binary; write it to a file with --output")
    loaded = load(config)
    with open_database(loaded) as target:
        with inventory(target) as opened:
            opened.check_source(source)
            last = opened.read_to(since_last, source) if since_last else None
            queries = ReportQueries(opened, *_interval(opened, source, last or begin, end), source)
            made, content = make(loaded, opened, queries, style)
        if if_changed and not made.changes and not list(made.attention()):
            say("nothing changed; nothing was written")
        else:
            _write(content, output)
        if since_last:
            _remember(target, since_last, source, made.end)


def make(loaded: Settings, opened: Inventory, queries: ReportQueries, style: str) -> tuple[Report, bytes]:
    """A report, and its content in a style.

    Raises:
        UsageError: a check in the settings can't be carried out, or the style needs a library that is not installed.
    """
    chosen, dates = configured(loaded), run.systems(loaded.end_of_life_file)
    made = gather(opened, queries, chosen, dates)
    return made, _content(made, queries, style, chosen, dates)


def _remember(target: Target, name: str, source: str | None, end: datetime) -> None:
    """Remember where the report ended.

    Raises:
        StoreError: that can't be written; the report was.
    """
    try:
        approvals.remember(target, name, source, end)
    except StoreError as error:
        advice = f"the next one of {name} begins where this one did"
        raise type(error)(f"the report is written, but its end can't be remembered, so {advice}: {error}") from error


def _interval(
    opened: Inventory, source: str | None, begin: Moment | datetime | None, end: Moment
) -> tuple[datetime, datetime]:
    """The instants after which, and up to which, changes are reported; a datetime is where the last report ended."""
    settled = opened.settled(source)
    to = end.find(opened, source, early=True)
    if to > settled:
        if end.text != "now":
            say(f"a run is under way; the report goes up to {iso(settled)}, where nothing can change any more")
        to = settled
    if isinstance(begin, datetime):
        return min(begin, to), to
    after = begin or moment(USUAL)
    since = after.find(opened, source, begins=True, early=True)
    if since > to == settled:
        say(f"a run has been under way since {iso(settled)}; there is nothing later to report on yet")
        return to, to
    if since > to:
        raise UsageError(f"{after.text} is later than {end.text}; give the earlier moment as --from")
    return since, to


def _content(
    made: Report, queries: ReportQueries, style: str, chosen: Sequence[Check], dates: list[dict[str, str]]
) -> bytes:
    if style == "html":
        from sync.reports.html import html

        failed = {finding.check for finding in made.findings}
        sql = queries.sql() | {
            f"Check {check.name}": run.sql(check, dates, queries.end, queries.source)
            for check in chosen
            if check.name in failed
        }
        return html(made, sql).encode()
    if style == "xlsx":
        from sync.reports.as_xlsx import as_xlsx

        return as_xlsx(made, queries.images())
    from sync.reports.as_csv import as_csv
    from sync.reports.as_json import as_json
    from sync.reports.markdown import markdown

    return {"md": markdown, "csv": as_csv, "json": as_json}[style](made).encode()


def _check_writable(path: Path) -> None:
    """Make sure, before any work, that the file can be written.

    Raises:
        ImageSyncError: it can't.
    """
    exists = os.path.exists(path)  # noqa: PTH110 - never raises
    try:
        folder = Path(os.path.realpath(path)).parent
        writable = os.access(path, os.W_OK) if exists else os.access(folder, os.W_OK | os.X_OK)
    except OSError:  # the working directory was removed
        writable = False
    if os.path.isdir(path) or not writable:  # noqa: PTH112 - never raises
        raise ImageSyncError(f"{path} can't be written; give --output a file in a folder that you may write to")


def _write(content: bytes, path: Path | None) -> None:
    """Write to the file, or to standard output, with nothing in it that a terminal would obey.

    Raises:
        ImageSyncError: the file can't be written.
    """
    if path is not None:
        try:
            write_file(path, content)
        except OSError as error:
            raise ImageSyncError(f"{path} can't be written: {error.strerror}") from error
        return
    if sys.stdout.isatty():
        lines = content.decode().split("\n")
        content = "\n".join(escape(line.removesuffix("\r")) for line in lines).encode()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
