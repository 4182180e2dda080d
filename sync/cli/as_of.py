"""``image-sync as-of``: the images that existed at a moment."""

from __future__ import annotations

from pathlib import Path

import click

from sync.cli.moments import DASHES, Moment, moment, say_doubts
from sync.cli.options import source_option
from sync.cli.output import formats, show
from sync.cli.setup import load, open_inventory
from sync.store.queries.inventory import CONTENT

COLUMNS = ("source", "id", "name", "status", "visibility", "os_version", "min_disk", "created_at")
ALL_COLUMNS = (
    *("source", *CONTENT, "valid_from"),
    *("observed_run", "observed_at", "observed_next_run", "observed_next_at", "observed_doubt"),
)


@click.command("as-of", context_settings=DASHES)
@click.argument("at", metavar="MOMENT", type=moment)
@source_option
@formats("table", "json", "csv", "parquet")
@click.pass_obj
def as_of(config: Path | None, at: Moment, source: str | None, style: str) -> None:
    """List the images that existed at a moment.

    MOMENT is now, last (the last run), today, yesterday, -7d (also s, m, h, w, y), 2026-03-31, 2026-03-31T12:00Z, or
    the number of a run.
    """
    with open_inventory(load(config), source) as inventory:
        instant = at.find(inventory, source)
        show(inventory.as_of(instant, source), style, COLUMNS if style == "table" else ALL_COLUMNS)
        say_doubts(inventory, instant, source)
