"""``image-sync run``: one sync of the sources."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

import click

from sync import logs, wiring
from sync.cli import watching
from sync.cli.options import Shard, jobs_option, shard_option, sources_option
from sync.cli.output import format_option, outcome_counts, show
from sync.cli.setup import load_for_runs, open_database
from sync.domain.metrics import ProcessMetrics
from sync.domain.outcome import JSON_FIELDS
from sync.domain.run import Progress
from sync.runner import Result, SourceRunner
from sync.signals import stopping
from sync.store.runs.database import Database

COLUMNS = (
    "source",
    "run",
    "status",
    "listed",
    "created",
    "updated",
    "restored",
    "deleted",
    "invisible",
    "held",
    "unchanged",
)
F = TypeVar("F", bound=Callable[..., Any])
_log = logs.get(__name__)


class RunOptions(TypedDict):
    """The options of ``run`` and ``plan``."""

    names: tuple[str, ...]
    shard: Shard | None
    jobs: int | None
    style: str


def run_options(function: F) -> F:
    """Give a command the ``RunOptions``."""
    return sources_option(shard_option(jobs_option(format_option(function))))


@click.command()
@run_options
@click.pass_obj
def run(config: Path | None, **options: Unpack[RunOptions]) -> None:
    """Sync all sources once, or those chosen with --source.

    Exits with 0 if every run took full effect, 1 if one failed, 2 if a setting or the schema is wrong, 3 if another
    run was ahead, and 4 if deletions were withheld. docs/operating.md says what to do in each case.
    """
    sys.exit(sync(config, options, "command", Database))


def sync(config: Path | None, options: RunOptions, trigger: str, store: type[Database]) -> int:
    """Sync the sources, several at a time, and show the results.

    Returns:
        The exit code of the worst result.
    """
    loaded = load_for_runs(config)
    chosen, metrics = loaded.choose(options["names"]), ProcessMetrics()
    if shard := options["shard"]:
        chosen = tuple(source for source in chosen if shard.holds(source.name))
        _log.info("shard chosen", shard=shard.index, shards=shard.count, sources=len(chosen))
    with (
        _shown(options["style"], wrote=trigger != "plan") as results,
        stopping() as stop,
        open_database(loaded) as target,
        wiring.notifier(loaded, target, stop) as notify,
        _progress() as progress,
    ):
        runner = SourceRunner(target, stop, trigger, store=store, notify=notify, metrics=metrics, progress=progress)
        results.extend(runner.run_all(chosen, options["jobs"] or loaded.jobs))
        if trigger != "plan" and (loaded.metrics_file or loaded.metrics_push):
            monitor = watching.monitor(target, metrics, [source.name for source in chosen])
            watching.publish(loaded, monitor, _grouping(options))
    return worst(result.exit_code for result in results)


@contextmanager
def _shown(style: str, *, wrote: bool) -> Iterator[list[Result]]:
    """Show the results once all else is closed, even if closing fails; if runs wrote, their exit code counts."""
    results: list[Result] = []
    closed = False
    try:
        yield results
        closed = True
    finally:
        if closed or results:
            columns = COLUMNS if style == "table" else JSON_FIELDS
            with outcome_counts() if wrote else nullcontext():
                show([result.as_json() for result in results], style, columns)


def worst(codes: Iterable[int]) -> int:
    """The worst exit code: failed, then wrong settings, then withheld, then overtaken by another run."""
    present = set(codes)
    return next((code for code in (1, 2, 4, 3) if code in present), 0)


@contextmanager
def _progress() -> Iterator[Callable[[str], Progress | None]]:
    """Show how many images were read, one line per source, if standard error is a terminal.

    Yields:
        A function that adds the line of a source, and returns the callback for its progress.
    """
    if not sys.stderr.isatty():
        yield lambda _source: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as ProgressBar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ProgressBar(*columns, console=Console(stderr=True), transient=True) as bar:

        def add_line(source: str) -> Progress:
            task = bar.add_task(f"reading {source}", total=None)
            return lambda done, total: bar.update(task, completed=done, total=max(done, total) if total else None)

        yield add_line


def _grouping(options: RunOptions) -> dict[str, str]:
    """The labels by which a pushgateway keeps runs of different parts of the sources apart."""
    if shard := options["shard"]:
        return {"shard": f"{shard.index}-{shard.count}"}
    return {"sources": ",".join(options["names"])} if options["names"] else {}
