"""``image-sync prune``: remove history that is no longer wanted."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sync import wiring
from sync.cli import say, user
from sync.cli.options import duration_option, sources_option
from sync.cli.output import format_option, show
from sync.errors import UsageError
from sync.settings.model import Settings
from sync.settings.options import options
from sync.store.connection import connect, transaction
from sync.store.pruning import Pruned, ago
from sync.store.pruning import prune as remove
from sync.store.schema import migrate

_KEEP = next(option.about.rule for option in options(Settings, per_source=False) if option.key == "keep_history")


@click.command()
@duration_option("--keep", _KEEP, "How far back the history stays as it is, such as 2y or 90d.")
@sources_option
@click.option("--yes", is_flag=True, help="Remove it; without this it is only counted.")
@format_option
@click.pass_obj
def prune(config: Path | None, *, keep: float | None, names: tuple[str, ...], yes: bool, style: str) -> None:
    """Remove versions and evidence that had ended before the time to keep; never the current state.

    The setting keep_history says how far back, if --keep does not. What was removed is on record, and answers about
    earlier moments say that they are incomplete.
    """
    loaded = wiring.load(os.environ, config, with_sources=False)
    seconds = loaded.keep_history if keep is None else keep
    if seconds is None:
        raise UsageError("say how much to keep: --keep 2y, or the setting keep_history")
    with wiring.database(loaded, os.environ) as target:
        with connect(target) as connection, transaction(connection, target, "reading the version of the schema"):
            migrate.check(connection)
        found = remove(target, ago(target, seconds), user(), only=names, remove=yes)
    show([row._asdict() for row in found], style, Pruned._fields)
    say("removed; on record in inventory.prunings" if yes else "nothing was removed; --yes removes it")
