"""``image-sync plan``: what a run would do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Unpack

import click

from sync.cli.run import RunOptions, run_options, sync
from sync.store.runs.dry_run import DryRun


@click.command()
@run_options
@click.pass_obj
def plan(config: Path | None, **options: Unpack[RunOptions]) -> None:
    """Show what a run would change, without writing anything.

    Exits with the code that `run` would exit with.
    """
    sys.exit(sync(config, options, "plan", DryRun))
