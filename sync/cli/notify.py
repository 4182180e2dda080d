"""``image-sync notify``: try whether notices arrive, or send those of a run again."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync import logs, settings, wiring
from sync.cli import say
from sync.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from sync.domain.notices import Notice


@click.command()
@click.argument("run", type=int, required=False)
@click.option("--test", is_flag=True, help="Send a notice that only shows that notices arrive.")
@click.option("--print", "printing", is_flag=True, help="Send nothing; show the notices as JSON, one a line.")
@click.pass_obj
def notify(config: Path | None, *, run: int | None, test: bool, printing: bool) -> None:
    """Send again what RUN had to tell, or a test; exit code 1 if it does not arrive."""
    if (run is None) != test:
        raise UsageError("give --test, or the number of a run; `image-sync status` shows the last of each source")
    loaded = wiring.load(os.environ, config, with_sources=False)
    logs.configure(loaded.log_level, loaded.log_format)
    for warning in loaded.warnings:
        say(warning)
    told = _of(run, loaded) if run is not None else [_test()]
    if printing:
        _show(told)
    elif told:
        _send(told, loaded)
    else:
        say(f"run {run} has nothing to tell")


def _test() -> Notice:
    from sync.notices.decision import trial_notice

    return trial_notice(secrets.token_hex(16), datetime.now(UTC))


def _of(run: int, loaded: settings.Settings) -> Sequence[Notice]:
    from sync.store.queries.inventory import inventory

    with wiring.database(loaded, os.environ) as target:
        with inventory(target) as asked:
            asked.moment(run)  # raises, where there is no such run
        return wiring.notices(loaded, target, run)


def _show(told: Sequence[Notice]) -> None:
    from sync.notices.formats import as_json

    for each in told:
        sys.stdout.buffer.write(as_json(each) + b"\n")


def _send(told: Sequence[Notice], loaded: settings.Settings) -> None:
    if loaded.notice_url is None:
        raise SettingsError(["notice_url is missing; set IMAGE_SYNC_NOTICE_URL, or notice_url in the settings file"])
    hook, waiting = wiring.webhook(loaded.notice_url, loaded), list(told)
    while waiting:
        del waiting[: hook.send(waiting)]
    say(f"{len(told)} notice{'s' if len(told) > 1 else ''} sent; the receiver took all of it")
