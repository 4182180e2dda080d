"""``image-sync diff``: what changed between two moments."""

from __future__ import annotations

from pathlib import Path

import click

from sync.cli.moments import DASHES, Moment, moment, say_doubts
from sync.cli.options import source_option
from sync.cli.output import format_option, show
from sync.cli.setup import load, open_inventory
from sync.errors import UsageError

COLUMNS = ("source", "id", "name", "change", "field", "old", "new")


@click.command(context_settings=DASHES)
@click.argument("before", type=moment)
@click.argument("after", type=moment, default="now")
@source_option
@format_option
@click.pass_obj
def diff(config: Path | None, before: Moment, after: Moment, source: str | None, style: str) -> None:
    """Show what changed between two moments.

    BEFORE and AFTER are written as for `as-of`; without AFTER, it is now. As BEFORE, last is the moment just before
    the last run, so that `diff last` shows what that run changed.
    """
    with open_inventory(load(config), source) as inventory:
        first = before.find(inventory, source, begins=True)
        second = after.find(inventory, source)
        if first > second:
            raise UsageError(f"{before.text} is later than {after.text}; give the earlier moment first")
        show(inventory.diff(first, second, source), style, COLUMNS)
        say_doubts(inventory, first, source)
        say_doubts(inventory, second, source)
