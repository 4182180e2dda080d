"""``image-sync sources``: decisions about a source as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sync import wiring
from sync.cli.setup import open_database
from sync.store import approvals


@click.group()
def sources() -> None:
    """Manage sources."""


@sources.command("accept-filter")
@click.argument("source")
@click.pass_obj
def accept_filter(config: Path | None, source: str) -> None:
    """Accept that the filter of SOURCE changed.

    From now on its inventory is made with the filter in the settings. Until then, runs of a source whose filter
    changed are refused.
    """
    loaded = wiring.load(os.environ, config)
    chosen = wiring.source_of(loaded.choose([source])[0])
    with open_database(loaded) as target:
        approvals.accept_filter(target, chosen.name, chosen.filter)
    click.echo(f"source {source} now has the filter {chosen.filter or '(none)'}", err=True)


@sources.command("accept-scope")
@click.argument("source")
@click.pass_obj
def accept_scope(config: Path | None, source: str) -> None:
    """Accept that the credentials of SOURCE are for another project, or have other roles.

    The next run takes the project and the roles of its credentials. Until then, runs of a source whose credentials
    changed so are refused, as images that they do not reach would seem to be gone.
    """
    loaded = wiring.load(os.environ, config)
    chosen = wiring.source_of(loaded.choose([source])[0])
    with open_database(loaded) as target:
        approvals.accept_scope(target, chosen.name)
    click.echo(f"the next run of source {source} takes the project and the roles of its credentials", err=True)
