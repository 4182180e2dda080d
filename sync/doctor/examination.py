"""The whole examination: all subjects side by side, and their lines in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from sync import wiring
from sync.doctor.clock import cloud_clock
from sync.doctor.cloud import SourceProbe, cloud_checks
from sync.doctor.database import DatabaseProbe, database_checks
from sync.doctor.inventory import inventory_checks
from sync.doctor.own_server import own_server_checks
from sync.doctor.report import Line, Report
from sync.doctor.settings import settings_checks
from sync.errors import SettingsError
from sync.settings import Settings, Source
from sync.threads import Pool

_AT_ONCE = 16
_NOT_RUNNING = (
    "the job's own server is not running, and doctor starts nothing; try again during a run, `schedule` or `db psql`"
)


def diagnose(
    settings: Settings | None,
    mistakes: SettingsError | None,
    environ: Mapping[str, str],
    file: Path | None = None,
    sources: Sequence[Source] = (),
    *,
    offline: bool = False,
) -> list[Line]:
    """Check everything; writes nothing anywhere, and takes some seconds whatever is broken.

    Args:
        settings: those that could be read, or None.
        mistakes: the errors in them, or None.
        environ: the environment.
        file: the settings file, if the user named one.
        sources: those to check.
        offline: make no request to the clouds.
    """
    probes = [SourceProbe(source) for source in sources]
    database = DatabaseProbe(
        target=wiring.named_target(settings) if settings else None,
        names=[source.name for source in sources],
        at_once=max(1, min(len(sources), settings.jobs if settings else 1)),
        longest=max((source.deadline for source in sources), default=0.0),
        own=settings is not None and settings.database_url is None,
    )
    on_settings, on_server, on_database = Report("settings"), Report("own server"), Report("database")
    on_sources = [Report(source.name) for source in sources]
    with Pool(_AT_ONCE, name="doctor") as pool:
        pending = {
            pool.submit(settings_checks, on_settings, settings, mistakes, environ, file): on_settings,
            pool.submit(_database, on_server, on_database, settings, environ, database): on_database,
        } | {
            pool.submit(cloud_checks, report, probe, offline=offline): report
            for report, probe in zip(on_sources, probes, strict=True)
        }
        for future, report in pending.items():
            with report.guarded("checks"):
                future.result()
    for report, probe in zip(on_sources, probes, strict=True):
        with report.guarded("checks"):
            report.check("clock", cloud_clock(probe, database.ahead))
            source = wiring.source_of(probe.settings)
            inventory_checks(report, source, database.states.get(source.name), database.unseen)
    return [line for report in (on_settings, on_server, on_database, *on_sources) for line in report.lines]


def _database(
    on_server: Report,
    on_database: Report,
    settings: Settings | None,
    environ: Mapping[str, str],
    probe: DatabaseProbe,
) -> None:
    if settings is None:
        probe.unseen = "the settings can't be read"
    elif probe.own:
        probe.unseen = _NOT_RUNNING
        own_server_checks(on_server, partial(wiring.own_folder, settings, environ), probe)
    database_checks(on_database, probe)
