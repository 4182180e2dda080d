"""``image-sync schedule``: sync again and again, each source when it is due, until a signal stops it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

import click

from sync import logs, wiring
from sync.cli import watching
from sync.cli.options import duration_option, sources_option
from sync.cli.setup import configure_logs, load_for_runs, open_database
from sync.domain.metrics import ProcessMetrics
from sync.errors import ImageSyncError, SettingsError, UsageError
from sync.runner import SourceRunner
from sync.scheduler.schedule import Schedule, parse_schedule
from sync.scheduler.scheduler import Job, Scheduler
from sync.scheduler.skip_recorder import SkipRecorder
from sync.settings import Settings, Source
from sync.settings.addresses import host_port
from sync.settings.quantities import show_duration
from sync.settings.rules import INTERVAL, duration
from sync.signals import Stop, exit_now, stopping
from sync.store.connection import Target
from sync.store.runs.database import Database

_log = logs.get(__name__)
_GRACE = duration(0, 3_600)
_LAST_SKIPS = 1.0  # seconds to record what was skipped last
_RELOADED = {"sources", "file", "warnings", "log_level", "log_format"}  # on SIGHUP; the rest needs a new process


class ScheduleOptions(TypedDict):
    """The options of ``schedule``; they stay in force when the settings are read again."""

    every: float | None
    cron: str | None
    names: tuple[str, ...]
    wait_first: bool
    listen: str | None
    grace: float


@click.command()
@duration_option("--every", INTERVAL, "Sync all sources at this interval, such as 15m or 1h.")
@click.option("--cron", metavar="TEXT", help="Sync all sources at these times, in UTC, such as '0 6 * * mon-fri'.")
@sources_option
@click.option("--wait-first", is_flag=True, help="Do not sync at the start; wait until each source is due.")
@click.option("--listen", metavar="HOST:PORT", help="Serve /healthz, /readyz and /metrics there.")
@duration_option("--grace", _GRACE, "How long runs may go on after SIGTERM.", default="8s")
@click.pass_obj
def schedule(config: Path | None, **options: Unpack[ScheduleOptions]) -> None:
    """Sync each source whenever it is due, until stopped.

    The setting schedule of each source says when that is, unless --every or --cron does. SIGTERM lets the runs under
    way go on for the time of --grace, and then ends them cleanly; SIGHUP reads the settings again.
    """
    loaded = load_for_runs(config)
    due, metrics, ending, hangup = _due(loaded, options), ProcessMetrics(), Stop(), threading.Event()
    with ExitStack() as stack:
        stop = stack.enter_context(stopping(hangup=hangup.set))
        target = stack.enter_context(open_database(loaded))
        monitor = watching.monitor(target, metrics)
        daemon = _Daemon(target, ending, metrics, loaded)
        skips = SkipRecorder(daemon.skip)
        stack.callback(skips.close, _LAST_SKIPS)
        scheduler = Scheduler(skips, at_a_time=loaded.jobs)
        if address := options["listen"] or loaded.listen:
            pages = monitor.pages(lambda: scheduler.alive, lambda: watching.check_ready(target))
            stack.enter_context(watching.listening(*_host_port(address), pages))
        daemon.changed = stack.enter_context(watching.publishing(loaded, monitor))
        daemon.notify = stack.enter_context(wiring.notifier(loaded, target, ending))
        scheduler.set(daemon.jobs(loaded, due), at_once=not options["wait_first"])
        _log.info("schedule begins", sources=len(due), schedules=sorted({schedule.text for schedule in due.values()}))

        def beat() -> None:
            metrics.intervals = scheduler.gaps()
            if hangup.is_set():
                hangup.clear()
                _reload(config, options, scheduler, daemon)

        scheduler.run(stop, beat)
        _log.info("schedule ends", running=scheduler.running, grace_seconds=options["grace"])
        scheduler.end(options["grace"], stop.hurry, ending.set)
    _log.info("schedule ended", reason="signal", not_begun=scheduler.left)
    if scheduler.running:
        exit_now("a run did not end though it was stopped")  # its thread would keep the process from ending


@dataclass(slots=True)
class _Daemon:
    """What all runs share; ``loaded`` are the settings in force."""

    target: Target
    ending: Stop
    metrics: ProcessMetrics
    loaded: Settings
    notify: wiring.Notify = lambda _run: None
    changed: threading.Event = field(default_factory=threading.Event)

    def jobs(self, loaded: Settings, due: Mapping[str, Schedule]) -> dict[str, Job]:
        """One job per source; these settings are in force from now on."""
        self.loaded, self.metrics.sources = loaded, frozenset(due)
        sources = {source.name: source for source in loaded.sources}
        return {name: Job(schedule, partial(self._run, sources[name])) for name, schedule in due.items()}

    def skip(self, name: str, due: datetime, reason: str) -> None:
        """Record a run that was due and did not begin."""
        for source in self.loaded.sources:
            if source.name == name:
                with Database(watching.with_short_timeouts(self.target)) as database:
                    database.skip(wiring.source_of(source), f"due at {due:%Y-%m-%d %H:%M:%S} UTC, not begun: {reason}")

    def _run(self, source: Source) -> None:
        runner = SourceRunner(self.target, self.ending, "schedule", notify=self.notify, metrics=self.metrics)
        try:
            runner.run(source)
        finally:
            self.changed.set()


def _due(loaded: Settings, options: ScheduleOptions) -> dict[str, Schedule]:
    """When each source is due.

    Raises:
        UsageError, SettingsError: a source has no schedule, or one that is not understood or never comes.
    """
    if options["every"] and options["cron"]:
        raise UsageError("give --every or --cron, not both")
    mistakes: list[str] = []
    due: dict[str, Schedule] = {}
    for source in loaded.choose(options["names"]):
        try:
            due[source.name] = _schedule(options, source)
        except UsageError as error:
            mistakes.append(str(error) if options["cron"] else f"source {source.name}: {error}")
    if mistakes:
        raise SettingsError(list(dict.fromkeys(mistakes)))
    return due


def _schedule(options: ScheduleOptions, source: Source) -> Schedule:
    if options["every"] is not None:
        return Schedule(show_duration(options["every"]), options["every"], source.schedule_jitter)
    if options["cron"]:
        return parse_schedule(options["cron"], None, source.schedule_jitter)
    if source.schedule is None:
        raise UsageError("it has no schedule; give it the setting `schedule`, or --every for all")
    return parse_schedule(source.schedule, INTERVAL.parse(source.schedule), source.schedule_jitter)


def _host_port(address: str) -> tuple[str, int]:
    try:
        host, port = host_port(address)
    except ValueError:
        host, port = "", 0
    if not port or f":{port}" not in address:
        raise UsageError(f"--listen takes HOST:PORT, such as 127.0.0.1:9808, and not {address!r}")
    return host, port


def _reload(config: Path | None, options: ScheduleOptions, scheduler: Scheduler, daemon: _Daemon) -> None:
    """Read the settings again; if they are wrong, that is logged, and the previous ones stay in force."""
    try:
        loaded = wiring.load(os.environ, config)
        due = _due(loaded, options)
    except ImageSyncError as error:
        _log.error("settings not reloaded", reason=str(error), advice="the previous ones stay in force")
        return
    before = daemon.loaded
    scheduler.set(daemon.jobs(loaded, due), at_once=not options["wait_first"])
    configure_logs(loaded)
    _log.info("settings reloaded", sources=sorted(due))
    changed = [each.name for each in fields(loaded) if getattr(before, each.name) != getattr(loaded, each.name)]
    if late := [name for name in changed if name not in _RELOADED]:
        _log.warning("configuration warning", reason=f"{', '.join(late)}: changed, but in force only after a restart")
