"""``image-sync doctor``: is everything there that a run needs, and if not, what is to be done?"""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from sync import logs, wiring
from sync.cli import FAILED, say
from sync.cli.options import sources_option
from sync.cli.output import format_option, show
from sync.cloud.session import probe_session
from sync.doctor.cloud import SourceProbe
from sync.doctor.examination import Asked, diagnose
from sync.doctor.result import Level, Result
from sync.errors import SettingsError
from sync.settings import Settings, Source

COLUMNS = ("about", "check", "level", "found", "advice")
_PATIENCE = 10.0  # seconds for the one or two requests to a cloud


@click.command()
@sources_option
@click.option("--offline", is_flag=True, help="Ask nothing of the clouds.")
@format_option
@click.pass_obj
def doctor(config: Path | None, *, names: tuple[str, ...], offline: bool, style: str) -> None:
    """Look at all that a run needs, and say what to do; exit 1 if something is wrong.

    Nothing is written and nothing is started, so it may be called at any time: it asks each cloud for one image (with
    a user's password, it logs in once), and reads from the database.
    """
    found = diagnose(_asked(config, names, offline=offline))
    show([asdict(line) | {"level": line.level.value} for line in found], style, COLUMNS)
    _sum_up(found)
    if any(line.level is Level.WRONG for line in found):
        raise SystemExit(FAILED)


def _asked(config: Path | None, names: tuple[str, ...], *, offline: bool) -> Asked:
    loaded, mistakes, chosen = _load(config, names)
    if loaded is None:
        return Asked(os.environ, config, mistakes=mistakes)
    logs.configure(loaded.log_level, loaded.log_format)
    return Asked(
        os.environ,
        config,
        loaded,
        mistakes,
        probes=[SourceProbe(each, wiring.source_of(each), partial(probe_session, each, _PATIENCE)) for each in chosen],
        target=wiring.given_target(loaded),
        folder=partial(wiring.own_folder, loaded, os.environ),
        offline=offline,
    )


def _load(
    config: Path | None, names: tuple[str, ...]
) -> tuple[Settings | None, SettingsError | None, tuple[Source, ...]]:
    """The settings and the sources; where those of a source are wrong, those of the database may still be right."""
    try:
        loaded = wiring.load(os.environ, config)
    except SettingsError as mistakes:
        try:
            return wiring.load(os.environ, config, with_sources=False), mistakes, ()
        except SettingsError:
            return None, mistakes, ()
    try:
        return loaded, None, loaded.choose(names)
    except SettingsError as mistakes:
        return loaded, mistakes, ()


def _sum_up(found: list[Result]) -> None:
    count = {level: sum(line.level is level for line in found) for level in Level}
    say(", ".join(f"{number} {level.value}" for level, number in count.items() if number))
