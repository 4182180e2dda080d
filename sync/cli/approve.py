"""``image-sync approve``: releases deletions that the guard withheld."""

from __future__ import annotations

from pathlib import Path

import click

from sync.cli import user
from sync.cli.setup import load, open_database
from sync.store import approvals


def _renamed(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.fail(f"`approve --scope {value}` is now `sources accept-filter {value}`")


@click.command()
@click.argument("run", type=int)
@click.option("--scope", hidden=True, expose_value=False, is_eager=True, callback=_renamed)
@click.pass_obj
def approve(config: Path | None, run: int) -> None:
    """Release the deletions that a run withheld.

    RUN is the number of that run. Exactly its deletions are released, once; the next run still confirms that each
    image is gone before it deletes it.
    """
    with open_database(load(config)) as target:
        count = approvals.approve(target, run, user())
    click.echo(f"{count} deletions released; the next run makes them if the images are still gone", err=True)
