"""``image-sync prune``: removes history that is no longer wanted."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from sync.cli import say, user
from sync.cli.options import duration_option, sources_option
from sync.cli.output import format_option, outcome_counts, show
from sync.cli.setup import checked_connection, load, open_database
from sync.errors import UsageError
from sync.settings.model import GENERAL
from sync.store import pruning

_KEEP = next(option.rule for option in GENERAL if option.key == "keep_history")


@click.command()
@duration_option("--keep", _KEEP, "Keep this much history, such as 2y or 90d; default: the setting keep_history.")
@sources_option
@click.option("--yes", is_flag=True, help="Remove it; without this option it is only counted.")
@format_option
@click.pass_obj
def prune(config: Path | None, *, keep: float | None, names: tuple[str, ...], yes: bool, style: str) -> None:
    """Remove old history; never the current state.

    Versions of images and evidence of runs are removed if they ended before the time to keep. Each removal is
    recorded, and answers about earlier moments say that they are incomplete.
    """
    loaded = load(config)
    seconds = loaded.keep_history if keep is None else keep
    if seconds is None:
        raise UsageError("say how much to keep: --keep 2y, or the setting keep_history")
    with open_database(loaded) as target:
        with checked_connection(target):
            pass  # nothing is counted in a schema that is not the program's
        pruned = pruning.prune(target, pruning.ago(target, seconds), user(), only=names, remove=yes)
    with outcome_counts() if yes else nullcontext():
        show([row._asdict() for row in pruned], style, pruning.Pruned._fields)
    say("removed; on record in inventory.prunings" if yes else "nothing was removed; --yes removes it")
