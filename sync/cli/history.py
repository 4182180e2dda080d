"""``image-sync history``: all versions of one image."""

from __future__ import annotations

from pathlib import Path

import click

from sync.cli.options import source_option
from sync.cli.output import format_option, show
from sync.cli.setup import load, open_inventory
from sync.errors import UsageError

COLUMNS = ("source", "valid_from", "valid_to", "valid_from_run", "change", "changes")


@click.command()
@click.argument("image_id", metavar="ID")
@source_option
@format_option
@click.pass_obj
def history(config: Path | None, image_id: str, source: str | None, style: str) -> None:
    """Show all versions of the image with this ID, oldest first."""
    try:
        image_id.encode()
    except UnicodeEncodeError:
        raise UsageError("ID is not text in UTF-8; give it as `image-sync as-of now` shows it") from None
    with open_inventory(load(config), source) as inventory:
        show(inventory.history(image_id, source), style, COLUMNS)
