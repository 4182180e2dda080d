"""``image-sync prune``: remove history that is no longer wanted."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sync import wiring
from sync.cli import say
from sync.cli.output import format_option, show
from sync.cli.person import who
from sync.errors import UsageError
from sync.settings.model import Settings
from sync.settings.options import options
from sync.settings.rules import WrongValueError
from sync.store.connection import connect, transaction
from sync.store.pruning import Pruned, ago
from sync.store.pruning import prune as remove
from sync.store.schema import migrate

_RULE = next(option.about.rule for option in options(Settings, per_source=False) if option.key == "keep_history")


@click.command()
@click.option("--keep", metavar="TIME", help="How far back the history stays as it is, such as 2y or 90d.")
@click.option("--source", "sources", multiple=True, help="Only this source; may be given again.")
@click.option("--yes", is_flag=True, help="Remove it; without this it is only counted.")
@format_option
@click.pass_obj
def prune(config: Path | None, keep: str | None, sources: tuple[str, ...], yes: bool, style: str) -> None:  # noqa: FBT001
    """Remove versions and evidence that had ended before the time to keep; never the current state.

    The setting keep_history says how far back, if --keep does not. What was removed is on record, and answers about
    earlier moments say that they are incomplete.
    """
    loaded = wiring.load(os.environ, config, with_sources=False)
    seconds = _seconds(keep) if keep else loaded.keep_history
    if seconds is None:
        raise UsageError("say how much to keep: --keep 2y, or the setting keep_history")
    with wiring.database(loaded, os.environ) as target:
        with connect(target) as connection, transaction(connection, target, "reading the version of the schema"):
            migrate.check(connection)
        found = remove(target, ago(target, seconds), who(), only=sources, remove=yes)
    show([row._asdict() for row in found], style, Pruned._fields)
    say("removed; on record in inventory.prunings" if yes else "nothing was removed; --yes removes it")


def _seconds(text: str) -> float:
    try:
        return float(str(_RULE.read(text)))
    except WrongValueError as error:
        raise UsageError(f"--keep: {error}") from error
