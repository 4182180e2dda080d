"""``image-sync sources``: what a person decides about a source as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sync import wiring
from sync.store.approvals import accept_filter as accept


@click.group()
def sources() -> None:
    """Decide about sources."""


@sources.command("accept-filter")
@click.argument("source")
@click.pass_obj
def accept_filter(config: Path | None, source: str) -> None:
    """Accept that the filter of SOURCE changed: its inventory is made with the filter of the settings from now on."""
    loaded = wiring.load(os.environ, config)
    chosen = wiring.source_of(loaded.choose([source])[0])
    with wiring.database(loaded, os.environ) as target:
        accept(target, chosen.name, chosen.filter)
    click.echo(f"source {source} now has the filter {chosen.filter or '(none)'}", err=True)
