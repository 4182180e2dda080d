"""``image-sync verify``: does the inventory hold together, and is it what the runs wrote?"""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from sync import wiring
from sync.cli import FAILED, say
from sync.cli.output import format_option, show
from sync.errors import UsageError
from sync.store.connection import connect, transaction
from sync.store.queries.invariants import ALTERED, RULES, UNCHAINED, violations
from sync.store.runs import digests
from sync.store.schema import migrate

COLUMNS = ("rule", "cases", "examples")


@click.command()
@click.option("--digest", help="A digest that a report told: exit 1 as well if no run bears it.")
@format_option
@click.pass_obj
def verify(config: Path | None, digest: str | None, style: str) -> None:
    """Check the whole inventory against its invariants, reading only; exit 1 if one does not hold.

    The digests of the runs are made anew from the rows, so that a row that was altered names the run that wrote it.
    """
    wanted = None if digest is None else _bytes(digest)
    loaded = wiring.load(os.environ, config, with_sources=False)
    with wiring.database(loaded, os.environ) as target, connect(target) as connection:
        with transaction(connection, target, "reading the version of the schema"):
            migrate.check(connection)
        found = violations(connection)
        bearer = None if wanted is None else digests.bearer(connection, wanted)
        unchecked = digests.unchecked(connection)
    if found or style != "table":
        show([violation._asdict() for violation in found], style, COLUMNS)
    rules = len({*RULES, UNCHAINED, ALTERED})
    if found:
        say(f"{len(found)} of {rules} rules do not hold; keep a copy of the database before you mend anything")
    else:
        say(f"all {rules} rules hold")
    if unchecked:
        say(f"{unchecked} runs from before a pruning were checked by their record only: what they changed is gone")
    if wanted is not None:
        say(f"run {bearer} bears this digest" if bearer else "no run bears this digest: the inventory is not that one")
    if found or (wanted is not None and bearer is None):
        raise SystemExit(FAILED)


def _bytes(digest: str) -> bytes:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise UsageError("--digest takes the 64 hexadecimal digits that a report told")
    return bytes.fromhex(digest)
