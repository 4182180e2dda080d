"""``image-sync notify``: tries whether notices arrive, or sends those of a run again."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from sync import logs, wiring
from sync.cli import say
from sync.cli.setup import load, open_database
from sync.domain.notices import Notice
from sync.errors import SettingsError, UsageError
from sync.notices.decision import trial_notice
from sync.notices.formats import as_json
from sync.settings import Settings
from sync.store.queries.inventory import inventory


@click.command()
@click.argument("run", type=int, required=False)
@click.option("--test", is_flag=True, help="Send a notice that only shows that notices arrive.")
@click.option("--print", "printing", is_flag=True, help="Send nothing; show the notices as JSON, one per line.")
@click.pass_obj
def notify(config: Path | None, *, run: int | None, test: bool, printing: bool) -> None:
    """Send the notices of a run again, or a test.

    RUN is the number of that run. Exits with 1 if a notice does not arrive.
    """
    if (run is None) != test:
        raise UsageError("give --test, or the number of a run; `image-sync status` shows the last of each source")
    loaded = load(config)
    logs.configure(loaded.log_level, loaded.log_format)
    for warning in loaded.warnings:
        say(warning)
    notices = [trial_notice(secrets.token_hex(16), datetime.now(UTC))] if run is None else _notices(run, loaded)
    if printing:
        for notice in notices:
            sys.stdout.buffer.write(as_json(notice) + b"\n")
    elif notices:
        _send(notices, loaded)
    else:
        say(f"run {run} has no notices")


def _notices(run: int, loaded: Settings) -> list[Notice]:
    with open_database(loaded) as target:
        with inventory(target) as opened:
            opened.moment(run)  # raises, where there is no such run
        return wiring.notices(loaded, target, run)


def _send(notices: Sequence[Notice], loaded: Settings) -> None:
    if loaded.notice_url is None:
        raise SettingsError(["notice_url is missing; set IMAGE_SYNC_NOTICE_URL, or notice_url in the settings file"])
    webhook, waiting = wiring.webhook(loaded.notice_url, loaded), list(notices)
    while waiting:
        del waiting[: webhook.send(waiting)]
    say(f"{len(notices)} notice{'s' if len(notices) > 1 else ''} sent; the receiver accepted all of them")
