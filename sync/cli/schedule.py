"""``image-sync schedule``: sync again and again, each source when it is due, until told to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

import click

from sync import logs, settings, wiring
from sync.cli import watching
from sync.cli.options import duration_option, sources_option
from sync.domain.metrics import ProcessMetrics
from sync.errors import ImageSyncError, SettingsError, UsageError
from sync.runner import SourceRunner
from sync.scheduler.schedule import Schedule, parse_schedule
from sync.scheduler.scheduler import Job, Scheduler
from sync.scheduler.skip_recorder import SkipRecorder
from sync.settings.addresses import host_port
from sync.settings.quantities import show_duration
from sync.settings.rules import INTERVAL, duration
from sync.signals import Stop, exit_now, stopping
from sync.store.connection import Target
from sync.store.runs.database import Database

_log = logs.get(__name__)
_GRACE = duration(0, 3_600)
_LAST_SKIPS = 1.0  # seconds to put on record what was skipped last
_TAKEN = {"sources", "file", "warnings", "log_level", "log_format"}  # on SIGHUP; other settings need a new process


class Asked(TypedDict):
    """What was asked for."""

    every: float | None
    cron: str | None
    names: tuple[str, ...]
    wait_first: bool
    listen: str | None
    grace: float


@click.command()
@duration_option("--every", INTERVAL, "Interval of all sources, such as 15m or 1h, whatever the settings say.")
@click.option("--cron", help="Cron expression of all sources, in UTC, such as '0 6 * * mon-fri'.")
@sources_option
@click.option("--wait-first", is_flag=True, help="Start when the first turn comes, instead of at once.")
@click.option("--listen", metavar="HOST:PORT", help="Serve /healthz, /readyz and /metrics there.")
@duration_option("--grace", _GRACE, "How long SIGTERM lets runs go on.", default="8s")
@click.pass_obj
def schedule(config: Path | None, **asked: Unpack[Asked]) -> None:
    """Sync each source when it is due, in UTC: at an interval, or as a cron expression says.

    SIGTERM lets the runs under way finish, for a while, and then ends them cleanly; SIGHUP reads the settings again.
    """
    loaded = wiring.load(os.environ, config)
    logs.configure(loaded.log_level, loaded.log_format)
    for warning in loaded.warnings:
        _log.warning("configuration warning", reason=warning)
    due, process_metrics = _due(loaded, asked), ProcessMetrics()
    reload = threading.Event()
    with ExitStack() as stack:
        stop = stack.enter_context(stopping(hangup=reload.set))
        target = stack.enter_context(wiring.database(loaded, os.environ))
        watch = watching.monitor(target, process_metrics)
        shared = _Shared(target, ending := Stop(), process_metrics, loaded)
        scheduler = Scheduler(stack.enter_context(_recording(shared)), at_a_time=loaded.jobs)
        address = asked["listen"] or loaded.listen
        if address:
            pages = watch.pages(lambda: scheduler.alive, lambda: watching.check_ready(target))
            stack.enter_context(watching.listening(*_address(address), pages))
        shared.changed = stack.enter_context(watching.publishing(loaded, watch, {}))
        shared.notify = stack.enter_context(wiring.notifier(loaded, target, ending))
        scheduler.set(shared.jobs(loaded, due), at_once=not asked["wait_first"])
        _log.info("schedule begins", sources=len(due), schedules=sorted({turn.text for turn in due.values()}))
        scheduler.run(stop, lambda: _each_beat(config, asked, scheduler, shared, reload))
        _log.info("schedule ends", running=scheduler.running, grace_seconds=asked["grace"])
        scheduler.end(asked["grace"], stop.hurry, ending.set)
    _log.info("schedule ended", reason="told to stop", not_begun=scheduler.left)
    if scheduler.running:
        exit_now("a run did not end though it was stopped")  # its thread would keep the process from ending


@dataclass(slots=True)
class _Shared:
    """What all runs share; ``loaded`` are the settings in force."""

    target: Target
    ending: Stop
    process_metrics: ProcessMetrics
    loaded: settings.Settings
    notify: wiring.Notify = lambda _run: None
    changed: threading.Event = field(default_factory=threading.Event)

    def jobs(self, loaded: settings.Settings, due: Mapping[str, Schedule]) -> dict[str, Job]:
        """A job a source, by these settings from now on."""
        self.loaded, self.process_metrics.sources = loaded, frozenset(due)
        sources = {source.name: source for source in loaded.sources}
        return {name: Job(turn, partial(self._run, sources[name])) for name, turn in due.items()}

    def skip(self, name: str, due: datetime, reason: str) -> None:
        """Put a turn that was not taken on record."""
        for source in self.loaded.sources:
            if source.name == name:
                with Database(watching.with_short_timeouts(self.target)) as database:
                    database.skip(wiring.source_of(source), f"due at {due:%Y-%m-%d %H:%M:%S} UTC, not begun: {reason}")

    def _run(self, source: settings.Source) -> None:
        try:
            SourceRunner(self.target, self.ending, "schedule", notify=self.notify, metrics=self.process_metrics).run(
                source
            )
        finally:
            self.changed.set()


def _due(loaded: settings.Settings, asked: Asked) -> dict[str, Schedule]:
    """When each source is due.

    Raises:
        UsageError, SettingsError: a source has no schedule, or one that is not understood or never comes.
    """
    if asked["every"] and asked["cron"]:
        raise UsageError("give --every or --cron, not both")
    wrong: list[str] = []
    due: dict[str, Schedule] = {}
    for source in loaded.choose(asked["names"]):
        try:
            due[source.name] = _schedule(asked, source)
        except UsageError as error:
            wrong.append(str(error) if asked["cron"] else f"source {source.name}: {error}")
    if wrong:
        raise SettingsError(list(dict.fromkeys(wrong)))
    return due


def _schedule(asked: Asked, source: settings.Source) -> Schedule:
    if asked["every"] is not None:
        return Schedule(show_duration(asked["every"]), asked["every"], source.schedule_jitter)
    if asked["cron"]:
        return parse_schedule(asked["cron"], None, source.schedule_jitter)
    if source.schedule is None:
        raise UsageError("it has no schedule; give it the setting `schedule`, or --every for all")
    return parse_schedule(source.schedule, INTERVAL.parse(source.schedule), source.schedule_jitter)


def _address(text: str) -> tuple[str, int]:
    try:
        host, port = host_port(text)
    except ValueError:
        host, port = "", 0
    if not port or f":{port}" not in text:
        raise UsageError(f"--listen takes HOST:PORT, such as 127.0.0.1:9808, and not {text!r}")
    return host, port


@contextmanager
def _recording(shared: _Shared) -> Iterator[SkipRecorder]:
    skips = SkipRecorder(shared.skip)
    try:
        yield skips
    finally:
        skips.close(_LAST_SKIPS)


def _each_beat(
    config: Path | None, asked: Asked, scheduler: Scheduler, shared: _Shared, hangup: threading.Event
) -> None:
    shared.process_metrics.intervals = scheduler.gaps()
    if hangup.is_set():
        hangup.clear()
        _reload(config, asked, scheduler, shared)


def _reload(config: Path | None, asked: Asked, scheduler: Scheduler, shared: _Shared) -> None:
    """Read the settings again; wrong ones are told, and those before stay in force."""
    try:
        loaded = wiring.load(os.environ, config)
        due = _due(loaded, asked)
    except ImageSyncError as error:
        _log.error("settings not taken", reason=str(error), advice="those before stay in force")
        return
    before = shared.loaded
    logs.configure(loaded.log_level, loaded.log_format)
    scheduler.set(shared.jobs(loaded, due), at_once=not asked["wait_first"])
    _log.info("settings taken", sources=sorted(due))
    for warning in loaded.warnings:
        _log.warning("configuration warning", reason=warning)
    late = [each.name for each in fields(loaded) if getattr(before, each.name) != getattr(loaded, each.name)]
    if late := [name for name in late if name not in _TAKEN]:
        _log.warning("configuration warning", reason=f"{', '.join(late)}: changed, and taken by a new process only")
