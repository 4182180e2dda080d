"""``image-sync verify``: does the inventory hold together?"""

from __future__ import annotations

import os
from pathlib import Path

import click

from sync import wiring
from sync.cli import FAILED, say
from sync.cli.output import format_option, show
from sync.store import migrate
from sync.store.connect import connect
from sync.store.integrity import RULES, violations

COLUMNS = ("rule", "cases", "examples")


@click.command()
@format_option
@click.pass_obj
def verify(config: Path | None, style: str) -> None:
    """Check the whole inventory against its invariants, reading only; exit 1 if one does not hold."""
    loaded = wiring.load(os.environ, config, with_sources=False)
    with wiring.database(loaded, os.environ) as target, connect(target) as connection:
        migrate.check(connection)
        found = violations(connection)
    if found or style != "table":
        show([violation._asdict() for violation in found], style, COLUMNS)
    if not found:
        say(f"all {len(RULES)} rules hold")
        return
    say(f"{len(found)} of {len(RULES)} rules do not hold; keep a copy of the database before you mend anything")
    raise SystemExit(FAILED)
