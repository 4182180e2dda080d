"""The commands that read the inventory: ``status``, ``history``, ``as-of`` and ``diff``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from sync import wiring
from sync.cli import say
from sync.cli.options import Moment, moment, source_option
from sync.cli.output import format_option, formats, show
from sync.domain.image import iso
from sync.errors import UsageError
from sync.store.queries.inventory import CONTENT, Inventory, Row, inventory

STATUS = (
    *("source", "run", "status", "started_at", "proven_seconds_ago", "live", "deleted", "held"),
    *("still_there", "unconfirmed", "pending", "quarantined"),
)
FINDING = "{source}: {subject}: {detail}, since run {first_run}"
HELD = ("source", "run", "id", "name", "held_at", "last_seen_at", "approved_at", "reason")
MISSING = ("source", "id", "name", "state", "since", "pending_until", "reason")
HISTORY = ("source", "valid_from", "valid_to", "valid_from_run", "change", "changes")
DIFF = ("source", "id", "name", "change", "field", "old", "new")
AS_OF_ALL = (
    *("source", *CONTENT, "valid_from"),
    *("observed_run", "observed_at", "observed_next_run", "observed_next_at", "observed_doubt"),
)
AS_OF = ("source", "id", "name", "status", "visibility", "os_version", "min_disk", "created_at")
_DASHES = {"ignore_unknown_options": True}  # a moment such as -7d is no option


@click.command()
@click.option("--held", is_flag=True, help="List the deletions that wait for a person.")
@click.option(
    "--missing", is_flag=True, help="List the images that the last proven list lacked and that are not deleted."
)
@format_option
@click.pass_obj
def status(config: Path | None, *, held: bool, missing: bool, style: str) -> None:
    """Show each source: its last run, how old its proof is, what is withheld."""
    if held and missing:
        raise UsageError("give --held or --missing, not both")
    with _inventory(config) as found:
        if held or missing:
            show(*((found.held(), style, HELD) if held else (found.missing(), style, MISSING)))
            return
        rows, told = found.status(), found.findings()
        show(rows, style, STATUS)
    for row in rows if style == "table" else ():
        for sentence in _sentences(row):
            say(f"{row['source']}: {sentence}")
    for finding in told if style == "table" else ():
        say(FINDING.format_map(finding))


def _sentences(row: Row) -> Iterator[str]:
    """What there is to say of one source."""
    if row["reason"] or row["proof"]:
        yield row["reason"] or f"proven: {row['proof']}"
    if row["held"]:
        yield f"{row['held']} deletions wait for a person: image-sync status --held"
    if row["unconfirmed"]:
        yield f"{_missing(row['unconfirmed'])} could not be confirmed gone: image-sync status --missing"
    if row["pending"]:
        were = "was" if row["pending"] == 1 else "were"
        until = iso(row["pending_until"])
        yield (
            f"{_missing(row['pending'])} {were} listed too recently to be believed gone, the last of them "
            f"until {until}: image-sync status --missing"
        )


def _missing(count: int) -> str:
    return "1 missing image" if count == 1 else f"{count} missing images"


@click.command()
@click.argument("image_id", metavar="ID")
@source_option
@format_option
@click.pass_obj
def history(config: Path | None, image_id: str, source: str | None, style: str) -> None:
    """Show all versions of one image, oldest first."""
    with _inventory(config, source) as found:
        show(found.history(image_id, source), style, HISTORY)


@click.command("as-of", context_settings=_DASHES)
@click.argument("at", metavar="MOMENT", type=moment)
@source_option
@formats("table", "json", "csv", "parquet")
@click.pass_obj
def as_of(config: Path | None, at: Moment, source: str | None, style: str) -> None:
    """List the images that existed at MOMENT.

    MOMENT is now, last (the last run), today, yesterday, -7d (also s, m, h, w, y), 2026-03-31, 2026-03-31T12:00Z, or
    the number of a run.
    """
    with _inventory(config, source) as found:
        meant = at.find(found, source)
        show(found.as_of(meant, source), style, AS_OF if style == "table" else AS_OF_ALL)
        _tell_limits(found, meant, source)


@click.command(context_settings=_DASHES)
@click.argument("before", type=moment)
@click.argument("after", type=moment, default="now")
@source_option
@format_option
@click.pass_obj
def diff(config: Path | None, before: Moment, after: Moment, source: str | None, style: str) -> None:
    """Show what changed from the moment BEFORE to the moment AFTER, or until now.

    Moments are written as for `as-of`; as BEFORE, last is the moment just before the last run, so that `diff last`
    shows what that run changed.
    """
    with _inventory(config, source) as found:
        first = before.find(found, source, begins=True)
        second = after.find(found, source)
        if first > second:
            raise UsageError(f"{before.text} is later than {after.text}; give the earlier moment first")
        show(found.diff(first, second, source), style, DIFF)
        _tell_limits(found, first, source)
        _tell_limits(found, second, source)


def _tell_limits(found: Inventory, moment: datetime, source: str | None) -> None:
    """Say what is not known of a moment: what is not in the inventory may just not have been looked for."""
    for row in found.observed(moment, source):
        if row["doubt"]:
            say(f"{row['source']} at {iso(moment)}: {row['says']}")


@contextmanager
def _inventory(config: Path | None, source: str | None = None) -> Iterator[Inventory]:
    loaded = wiring.load(os.environ, config, with_sources=False)
    with wiring.database(loaded, os.environ) as target, inventory(target) as found:
        found.check_source(source)
        yield found
