"""The commands that read the inventory: ``status``, ``history``, ``as-of`` and ``diff``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from sync import wiring
from sync.cli import say
from sync.cli.output import format_option, show
from sync.domain.fields import COLUMNS
from sync.domain.image import parse_time
from sync.errors import UnknownError, UsageError
from sync.store.reading import Inventory, inventory

STATUS = ("source", "run", "status", "started_at", "proven_seconds_ago", "live", "deleted", "held", "quarantined")
FINDING = "{source}: {subject}: {detail}, since run {first_run}"
HELD = ("source", "run", "id", "name", "held_at", "last_seen_at", "approved_at", "reason")
HISTORY = ("source", "valid_from", "valid_to", "valid_from_run", "change", "changes")
DIFF = ("source", "id", "name", "change", "field", "old", "new")
AS_OF = ("source", "id", "name", "status", "visibility", "os_version", "min_disk", "created_at")
_source_option = click.option("--source", help="Only this source.")


@click.command()
@click.option("--held", is_flag=True, help="List the deletions that wait for a person.")
@format_option
@click.pass_obj
def status(config: Path | None, held: bool, style: str) -> None:  # noqa: FBT001 - click's way
    """Show each source: its last run, how old its proof is, what is withheld."""
    with _inventory(config) as found:
        if held:
            show(found.held(), style, HELD)
            return
        rows, told = found.status(), found.findings()
        show(rows, style, STATUS)
    for row in rows if style == "table" else ():
        if row["reason"] or row["proof"]:
            say(f"{row['source']}: {row['reason'] or 'proven: ' + row['proof']}")
        if row["held"]:
            say(f"{row['source']}: {row['held']} deletions wait for a person: image-sync status --held")
    for finding in told if style == "table" else ():
        say(FINDING.format_map(finding))


@click.command()
@click.argument("image_id", metavar="ID")
@_source_option
@format_option
@click.pass_obj
def history(config: Path | None, image_id: str, source: str | None, style: str) -> None:
    """Show all versions of one image, oldest first."""
    with _inventory(config, source) as found:
        show(found.history(image_id, source), style, HISTORY)


@click.command("as-of")
@click.argument("moment")
@_source_option
@format_option
@click.pass_obj
def as_of(config: Path | None, moment: str, source: str | None, style: str) -> None:
    """List the images that existed at MOMENT: now, 2026-03-31, 2026-03-31T12:00Z, or the number of a run."""
    with _inventory(config, source) as found:
        columns = AS_OF if style == "table" else ("source", *COLUMNS)
        show(found.as_of(_moment(moment, found), source), style, columns)


@click.command()
@click.argument("before")
@click.argument("after", default="now")
@_source_option
@format_option
@click.pass_obj
def diff(config: Path | None, before: str, after: str, source: str | None, style: str) -> None:
    """Show what changed between two moments or runs (numbers); the second is now if left out."""
    with _inventory(config, source) as found:
        first, second = _moment(before, found), _moment(after, found)
        if first > second:
            raise UsageError(f"{before} is later than {after}; give the earlier moment first")
        show(found.diff(first, second, source), style, DIFF)


@contextmanager
def _inventory(config: Path | None, source: str | None = None) -> Iterator[Inventory]:
    loaded = wiring.load(os.environ, config, with_sources=False)
    with wiring.database(loaded, os.environ) as target, inventory(target) as found:
        found.check_source(source)
        yield found


def _moment(text: str, found: Inventory) -> datetime:
    """A moment as people write it.

    Raises:
        UnknownError: it can't be understood, or there is no such run.
    """
    if text == "now":
        return found.now()
    if re.fullmatch(r"\d{1,18}", text):
        return found.moment(int(text))
    long = re.sub(r"^(\d{4}-\d\d-\d\d)$", r"\1T00:00:00", text)
    moment = parse_time(re.sub(r"^(\S{10}[T ]\d\d:\d\d)(Z|[+-]\d\d:?\d\d)?$", r"\1:00\2", long))
    if moment is None:
        raise UnknownError(f"{text} is no moment; write now, 2026-03-31, 2026-03-31T12:00:00Z, or the number of a run")
    return moment
