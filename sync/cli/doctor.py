"""``image-sync doctor``: is everything there that a run needs, and if not, what is to be done?"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from sync import logs, wiring
from sync.cli import FAILED, say
from sync.cli.options import sources_option
from sync.cli.output import format_option, show
from sync.cli.setup import load
from sync.cloud.session import probe_session
from sync.doctor.cloud import SourceProbe
from sync.doctor.examination import Asked, diagnose
from sync.doctor.result import Level
from sync.errors import SettingsError
from sync.settings import Settings, Source

COLUMNS = ("about", "check", "level", "found", "advice")
_PATIENCE = 10.0  # seconds for the one or two requests to a cloud


@click.command()
@sources_option
@click.option("--offline", is_flag=True, help="Send no request to a cloud.")
@format_option
@click.pass_obj
def doctor(config: Path | None, *, names: tuple[str, ...], offline: bool, style: str) -> None:
    """Check everything that a run needs, and say what to fix.

    Exits with 1 if something is wrong. Nothing is written and nothing is started, so it can be called at any time: it
    asks each cloud for one image (and logs in once if the source has a user and password), and reads the database.
    """
    results = diagnose(_asked(config, names, offline=offline))
    show([asdict(result) | {"level": result.level.value} for result in results], style, COLUMNS)
    count = Counter(result.level for result in results)
    say(", ".join(f"{count[level]} {level.value}" for level in Level if count[level]))
    if count[Level.WRONG]:
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
            return load(config), mistakes, ()
        except SettingsError:
            return None, mistakes, ()
    try:
        return loaded, None, loaded.choose(names)
    except SettingsError as mistakes:
        return loaded, mistakes, ()
