"""``image-sync doctor``: whether everything is there that a run needs, and if not, what to do."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from sync import logs, wiring
from sync.cli import FAILED, say
from sync.cli.options import sources_option
from sync.cli.output import format_option, show
from sync.cli.setup import load
from sync.doctor.examination import diagnose
from sync.doctor.report import Level
from sync.errors import SettingsError
from sync.settings import Settings, Source

COLUMNS = ("about", "check", "level", "found", "advice")


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
    settings, mistakes, sources = _load(config, names)
    if settings is not None:
        logs.configure(settings.log_level, settings.log_format)
    lines = diagnose(settings, mistakes, os.environ, config, sources, offline=offline)
    show([asdict(line) | {"level": line.level.value} for line in lines], style, COLUMNS)
    count = Counter(line.level for line in lines)
    say(", ".join(f"{count[level]} {level.value}" for level in Level if count[level]))
    if count[Level.WRONG]:
        raise SystemExit(FAILED)


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
