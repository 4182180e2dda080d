"""``image-sync approve``: releases deletions that the guard withheld."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sync import wiring
from sync.cli import user
from sync.store.approvals import approve as release


def _renamed(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.fail(f"`approve --scope {value}` is now `sources accept-filter {value}`")


@click.command()
@click.argument("run", type=int)
@click.option("--scope", hidden=True, expose_value=False, is_eager=True, callback=_renamed)
@click.pass_obj
def approve(config: Path | None, run: int) -> None:
    """Release the deletions that RUN withheld: exactly those, once; the next run still confirms each."""
    loaded = wiring.load(os.environ, config)
    with wiring.database(loaded, os.environ) as target:
        count = release(target, run, user())
    click.echo(f"{count} deletions released; the next run makes them if the images are still gone", err=True)
