"""``image-sync approve``: release what only a person may."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sync import wiring
from sync.cli import user
from sync.errors import UsageError
from sync.store.approvals import acknowledge
from sync.store.approvals import approve as release


@click.command()
@click.argument("run", type=int, required=False)
@click.option("--scope", metavar="SOURCE", help="Acknowledge the changed filter of this source instead.")
@click.pass_obj
def approve(config: Path | None, run: int | None, scope: str | None) -> None:
    """Release the deletions that RUN withheld: exactly those, once; the next run still confirms each."""
    if (run is None) == (scope is None):
        raise UsageError(
            "give the number of a run, or --scope and a source; `image-sync status --held` shows what waits"
        )
    loaded = wiring.load(os.environ, config)
    with wiring.database(loaded, os.environ) as target:
        if scope is not None:
            source = wiring.source_of(loaded.choose([scope])[0])
            acknowledge(target, source.name, source.scope)
            click.echo(f"source {scope} now has the filter {source.scope or '(none)'}", err=True)
        elif run is not None:
            count = release(target, run, user())
            click.echo(f"{count} deletions released; the next run makes them if the images are still gone", err=True)
