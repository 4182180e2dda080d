"""``image-sync run`` and ``image-sync plan``: one sync of the sources, or what it would do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

import click

from sync import logs, wiring
from sync.cli import watching
from sync.cli.options import Shard, jobs_option, shard_option, sources_option
from sync.cli.output import format_option, show
from sync.domain.metrics import ProcessMetrics
from sync.domain.run import JSON_FIELDS, Progress
from sync.runner import SourceRunner
from sync.signals import stopping
from sync.store.runs.database import Database
from sync.store.runs.dry_run import DryRun

COLUMNS = ("source", "run", "status", "listed", "created", "updated", "restored", "deleted", "held", "unchanged")
F = TypeVar("F", bound=Callable[..., Any])
_log = logs.get(__name__)
_options = (
    sources_option,
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
        _log.warning("configuration warning", reason=warning)
    chosen, metrics = loaded.choose(asked["names"]), ProcessMetrics()
    if shard := asked["shard"]:
        chosen = tuple(source for source in chosen if shard.holds(source.name))
        _log.info("shard chosen", shard=shard.index, shards=shard.count, sources=len(chosen))
    with (
        stopping() as stop,
        wiring.database(loaded, os.environ) as target,
        wiring.notifier(loaded, target, stop) as notify,
        _progress() as line,
    ):
        runner = SourceRunner(target, stop, trigger, store=store, notify=notify, metrics=metrics, progress=line)
        results = runner.run_all(chosen, asked["jobs"] or loaded.jobs)
        if trigger != "plan" and (loaded.metrics_file or loaded.metrics_push):
            watch = watching.monitor(target, metrics, [source.name for source in chosen])
            watching.publish(loaded, watch, _group(asked))
    columns = COLUMNS if asked["style"] == "table" else JSON_FIELDS
    show([result.as_json() for result in results], asked["style"], columns)
    return worst([result.exit_code for result in results])


@contextmanager
def _progress() -> Iterator[Callable[[str], Progress | None]]:
    """Show how many images were read, a line per source, on standard error, if that is a terminal.

    What is yielded gives the source of a name a line of its own, and returns what to tell its progress to.
    """
    if not sys.stderr.isatty():
        yield lambda _label: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as ProgressBar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ProgressBar(*columns, console=Console(stderr=True), transient=True) as bar:

        def line(label: str) -> Progress:
            task = bar.add_task(f"reading {label}", total=None)
            return lambda done, total: bar.update(task, completed=done, total=max(done, total) if total else None)

        yield line


def _group(asked: Asked) -> dict[str, str]:
    """Labels by which a pushgateway keeps apart what parts of the sources tell."""
    if shard := asked["shard"]:
        return {"shard": f"{shard.index}-{shard.count}"}
    return {"sources": ",".join(asked["names"])} if asked["names"] else {}


def worst(codes: list[int]) -> int:
    """The exit code of several: a failure is worse than settings, these than withheld, that than overtaken."""
    return next((code for code in (1, 2, 4, 3) if code in codes), 0)
