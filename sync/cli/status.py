"""``image-sync status``: the state of each source, and what waits for a decision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from sync.cli import say
from sync.cli.output import format_option, show
from sync.cli.setup import load, open_inventory
from sync.domain.clock import set_back
from sync.domain.values import iso
from sync.errors import UsageError
from sync.store.queries.inventory import Row

COLUMNS = (
    *("source", "api", "run", "status", "started_at", "proven_seconds_ago", "live", "deleted", "invisible", "held"),
    *("still_there", "unconfirmed", "pending", "quarantined"),
)
HELD = ("source", "run", "id", "name", "held_at", "last_seen_at", "approved_at", "reason")
MISSING = ("source", "id", "name", "state", "since", "pending_until", "reason")


@click.command()
@click.option("--held", is_flag=True, help="List the deletions that wait for approval.")
@click.option(
    "--missing",
    is_flag=True,
    help="List the images that the last proven list lacked, but that are not removed.",
)
@format_option
@click.pass_obj
def status(config: Path | None, *, held: bool, missing: bool, style: str) -> None:
    """Show each source: its last run, its proof, its images.

    Sentences on standard error say what each source needs. --held and --missing show a list instead.
    """
    if held and missing:
        raise UsageError("give --held or --missing, not both")
    with open_inventory(load(config)) as inventory:
        if held:
            show(inventory.held(), style, HELD)
            return
        if missing:
            show(inventory.missing(), style, MISSING)
            return
        rows, findings = inventory.status(), inventory.findings()
        show(rows, style, COLUMNS)
    if style != "table":
        return
    for row in rows:
        for sentence in _sentences(row):
            say(f"{row['source']}: {sentence}")
    for finding in findings:
        say("{source}: {subject}: {detail}, since run {first_run}".format_map(finding))


def _sentences(row: Row) -> Iterator[str]:
    """Say what there is to know about one source."""
    if row["reason"] or row["proof"]:
        yield row["reason"] or f"proven: {row['proof']}"
    if future := set_back(float(row["in_future_seconds"])):
        yield f"{future}; see that it is right now (NTP)"
    if row["held"]:
        yield f"{row['held']} deletions wait for approval: image-sync status --held"
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
