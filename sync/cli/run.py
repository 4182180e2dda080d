"""``image-sync run`` and ``image-sync plan``: one sync of the sources, or what it would do."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

import click

from sync import job, logs, wiring
from sync.cli import watching
from sync.cli.output import format_option, show
from sync.cli.progress import Tick, progress
from sync.cli.share import Shard, jobs_option, shard_option, side_by_side
from sync.domain.guard import Status, status_of
from sync.domain.metrics import ProcessMetrics
from sync.domain.run import Outcome
from sync.errors import ImageSyncError, InterruptedRunError
from sync.settings import Source
from sync.signals import Stop, stopping
from sync.store.connection import Target
from sync.store.runs.database import Database
from sync.store.runs.dry_run import DryRun

COLUMNS = ("source", "run", "status", "listed", "created", "updated", "restored", "deleted", "held", "unchanged")
FACTS = (
    *("run", "source", "status", "reason", "proven", "proof", "effective_at", "received", "listed", "total"),
    *("created", "updated", "restored", "deleted", "held", "held_by", "unchanged", "duplicates", "quarantined"),
    *("missing", "still_there", "unconfirmed", "pending", "misfits", "readings", "requests", "retries", "bytes"),
)
F = TypeVar("F", bound=Callable[..., Any])
_log = logs.get(__name__)
_options = (
    click.option("--source", "names", multiple=True, help="Only this source; may be given several times."),
    shard_option,
    jobs_option,
    format_option,
)


class Asked(TypedDict):
    """What ``run`` and ``plan`` were asked for."""

    names: tuple[str, ...]
    shard: Shard | None
    jobs: int | None
    style: str


def _with_options(function: F) -> F:
    for option in reversed(_options):
        function = option(function)
    return function


@click.command()
@_with_options
@click.pass_obj
def run(config: Path | None, **asked: Unpack[Asked]) -> None:
    """Sync every source once, or those given."""
    sys.exit(sync(config, asked, "command", Database))


@click.command()
@_with_options
@click.pass_obj
def plan(config: Path | None, **asked: Unpack[Asked]) -> None:
    """Show what a run would do; nothing is written."""
    sys.exit(sync(config, asked, "plan", DryRun))


def sync(config: Path | None, asked: Asked, trigger: str, store: type[Database]) -> int:
    """Sync the sources, several at once; the exit code that tells the worst of them."""
    loaded = wiring.load(os.environ, config)
    logs.configure(loaded.log_level, loaded.log_format)
    for warning in loaded.warnings:
        _log.warning("settings to look at", reason=warning)
    chosen, process_metrics = loaded.choose(asked["names"]), ProcessMetrics()
    if shard := asked["shard"]:
        chosen = tuple(source for source in chosen if shard.holds(source.name))
        _log.info("shard chosen", shard=shard.index, shards=shard.count, sources=len(chosen))
    with (
        stopping() as stop,
        wiring.database(loaded, os.environ) as target,
        wiring.notifier(loaded, target, stop) as tell,
        progress() as line,
    ):
        told = side_by_side(
            lambda source: one(
                source, target, stop, trigger, store, line=line, tell=tell, process_metrics=process_metrics
            ),
            chosen,
            asked["jobs"] or loaded.jobs,
        )
        if trigger != "plan" and (loaded.metrics_file or loaded.metrics_push):
            watch = watching.monitor(target, process_metrics, [source.name for source in chosen])
            watching.publish(loaded, watch, _group(asked))
    show([row for _code, row in told], asked["style"], COLUMNS if asked["style"] == "table" else FACTS)
    return worst([code for code, _row in told])


def one(
    source: Source,
    target: Target,
    stop: Stop,
    trigger: str,
    store: type[Database],
    *,
    line: Callable[[str], Tick | None] = lambda _label: None,
    tell: wiring.Notify = lambda _run: None,
    process_metrics: ProcessMetrics | None = None,
) -> tuple[int, dict[str, Any]]:
    """Sync one source, and tell how it went; an error of one source does not keep the others from theirs."""
    process_metrics = process_metrics or ProcessMetrics()
    with logs.bind(source=source.name), process_metrics.under_way(source.name, source.deadline):
        try:
            if stop.is_set():
                raise InterruptedRunError
            with store(target) as database, stop.telling(database.cancel):
                database.prepare()
                with (
                    wiring.parts(source, database, stop, line(source.name)) as parts,
                    _timed(process_metrics, source, parts),
                ):
                    outcome = job.run_sync(parts.source, parts.cloud, parts.store, parts.spool, trigger)
        except ImageSyncError as error:
            tell(error.run)
            return error.exit_code, _tell_failure(source, error)
        tell(outcome.run)
        _tell(outcome)
        return outcome.exit_code, outcome.as_json()


def _group(asked: Asked) -> dict[str, str]:
    """Labels by which a pushgateway keeps apart what parts of the sources tell."""
    if shard := asked["shard"]:
        return {"shard": f"{shard.index}-{shard.count}"}
    return {"sources": ",".join(asked["names"])} if asked["names"] else {}


@contextmanager
def _timed(process_metrics: ProcessMetrics, source: Source, parts: wiring.Parts) -> Iterator[None]:
    """Note how long the run took, phase by phase, however it ends."""
    began = time.monotonic()
    try:
        yield
    finally:
        phases = parts.cloud.stats.phases | {"write": parts.store.wrote_seconds, "total": time.monotonic() - began}
        process_metrics.ran(source.name, phases, wiring.token_expiry(source))


def worst(codes: list[int]) -> int:
    """The exit code of several: a failure is worse than settings, these than withheld, that than overtaken."""
    return next((code for code in (1, 2, 4, 3) if code in codes), 0)


def _tell(outcome: Outcome) -> None:
    told = outcome.as_json()
    keys = ("run", "status", "listed", "created", "updated", "restored", "deleted", "held", "unchanged", "proof")
    fields = {key: told[key] for key in keys}
    event = "plan made" if outcome.run is None else "run ended"
    if outcome.status is Status.WITHHELD:
        why = f"deletions were withheld: {outcome.reason}"
        _log.warning(event, **fields, reason=why, **_ways_out(outcome))
    else:
        _log.info(event, **fields)


def _ways_out(outcome: Outcome) -> dict[str, object]:
    if not outcome.held_by:
        return {}
    ways = ", ".join(f"`image-sync approve {run}`" for run in outcome.held_by)
    return {"held_by": outcome.held_by, "advice": f"`image-sync status --held` lists them; {ways} releases them"}


def _tell_failure(source: Source, error: ImageSyncError) -> dict[str, Any]:
    notes = list(getattr(error, "__notes__", ()))
    more = {"notes": notes} if notes else {}
    status = status_of(error).value
    _log.error("run failed", status=status, reason=str(error), **error.facts(), **more)
    _log.debug("where it failed", traceback=traceback.format_exc())
    told = {"run": error.run, "source": source.name, "status": status, "reason": str(error)}
    return dict.fromkeys(FACTS) | told
