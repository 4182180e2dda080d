"""``image-sync schedule``: sync again and again, until told to stop."""

from __future__ import annotations

import os
import threading
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from sync import logs, scheduler, wiring
from sync.cli.run import one
from sync.cli.simulate import seconds
from sync.cli.stopping import stopping
from sync.store.database import Database

_log = logs.get(__name__)
_LEAST = 1.0  # seconds
_MOST = 366 * 86_400.0


@click.command()
@click.option("--every", required=True, callback=seconds, help="Interval, such as 15m, 1h or 30s.")
@click.option("--source", "names", multiple=True, help="Only this source; may be given several times.")
@click.option("--wait-first", is_flag=True, help="Start one interval from now instead of at once.")
@click.pass_obj
def schedule(config: Path | None, every: float, names: tuple[str, ...], wait_first: bool) -> None:  # noqa: FBT001
    """Sync every source at an interval; SIGTERM ends the runs cleanly."""
    if not _LEAST <= every <= _MOST:
        raise click.BadParameter("the interval is from 1s to 366d", param_hint="--every")
    loaded = wiring.load(os.environ, config)
    logs.configure(loaded.log_level, loaded.log_format)
    for warning in loaded.warnings:
        _log.warning("settings to look at", reason=warning)
    chosen = loaded.choose(names)
    with (
        stopping() as stop,
        wiring.database(loaded, os.environ) as target,
        wiring.telling(loaded, target, stop) as tell,
    ):
        jobs = {source.name: partial(one, source, target, stop, "schedule", Database, tell=tell) for source in chosen}
        _log.info("schedule begins", sources=len(jobs), every_seconds=every)
        scheduler.run_every(every, jobs, stop, _skipped, at_once=not wait_first, at_a_time=loaded.jobs)
    _log.info("schedule ended", reason="told to stop", threads=threading.active_count())


def _skipped(name: str, due: datetime) -> None:
    _log.warning("run skipped", source=name, due=due.isoformat(), reason="the run before it had not ended")
