"""``image-sync verify``: does the inventory hold together, and is it what the runs wrote?"""

from __future__ import annotations

import re
from pathlib import Path

import click

from sync.cli import FAILED, say
from sync.cli.output import format_option, show
from sync.cli.setup import checked_connection, load, open_database
from sync.errors import UsageError
from sync.store.connection import transaction
from sync.store.queries.invariants import ALTERED, UNCHAINED, violations
from sync.store.queries.rules import RULES
from sync.store.runs import digests

COLUMNS = ("rule", "cases", "examples")


def _digest(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise UsageError("--digest takes the 64 hexadecimal digits that a report gives")
    return bytes.fromhex(text)


@click.command()
@click.option(
    "--digest", type=_digest, metavar="HEX", help="A digest from a report; also exit with 1 if no run has it."
)
@format_option
@click.pass_obj
def verify(config: Path | None, digest: bytes | None, style: str) -> None:
    """Check the whole inventory against its invariants.

    Only reads; exits with 1 if an invariant does not hold. The digests of the runs are computed anew from the rows,
    so that an altered row points to the run that wrote it.
    """
    with (
        open_database(load(config)) as target,
        checked_connection(target) as connection,
        transaction(connection, target.without_hurry(), "verifying the inventory", snapshot=True),
    ):
        broken = violations(connection)
        bearer = None if digest is None else digests.bearer(connection, digest)
        unchecked = digests.unchecked(connection)
    if broken or style != "table":
        show([violation._asdict() for violation in broken], style, COLUMNS)
    rules = len({*RULES, UNCHAINED, ALTERED})
    if broken:
        say(f"{len(broken)} of {rules} rules do not hold; keep a copy of the database before you fix anything")
    else:
        say(f"all {rules} rules hold")
    if unchecked:
        say(f"{unchecked} runs from before a pruning were checked by their record only: what they changed is gone")
    if digest is not None:
        say(f"run {bearer} has this digest" if bearer else "no run has this digest: it belongs to another inventory")
    if broken or (digest is not None and bearer is None):
        raise SystemExit(FAILED)
