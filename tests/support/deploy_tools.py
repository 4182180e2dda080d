"""Tools for tests of deploy/: programs of the machine, the command line's parser, units, alert rules."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from checkout import CHECKOUT

from sync.cli import command
from sync.domain.status import EXIT_CODES, Status
from sync.settings.model import CONFIG, GENERAL, PER_SOURCE

DEPLOY = CHECKOUT / "deploy"
OVERLAYS = ("cronjob", "scheduler", "shards")
UNITS = ("image-sync.service", "image-sync-scheduler.service", "image-sync.timer")
WITHHELD = EXIT_CODES[Status.WITHHELD]
PROGRAM = "/opt/image-sync/bin/image-sync"
VARIABLES = {CONFIG} | {name for option in (*GENERAL, *PER_SOURCE) for name in (option.env, f"{option.env}_FILE")}


def tool(name: str, package: str) -> str:
    """The path of a program; without it the test is skipped, or fails in CI."""
    path = shutil.which(name)
    if path is None:
        message = f"there is no {name} here; Debian's package {package} has it"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return path


def carried_out(*arguments: str, folder: Path = CHECKOUT, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command and return its result."""
    return subprocess.run(
        arguments,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder), **environ},
    )


def understand(arguments: Sequence[str]) -> None:
    """Parse arguments as `image-sync` does, without running anything.

    Raises:
        click.UsageError: they are invalid.
    """
    name, *rest = arguments
    group_or_command = command.get_command(click.Context(command), name)
    if group_or_command is None:
        raise click.UsageError(f"there is no command {name}")
    context = group_or_command.make_context(name, rest)
    if isinstance(group_or_command, click.Group):
        inner, *rest = rest
        command_of_group = group_or_command.get_command(context, inner)
        assert command_of_group is not None, f"there is no command {name} {inner}"
        command_of_group.make_context(inner, rest)


def options_of(unit: str) -> list[tuple[str, str]]:
    """The assignments of a unit, in order."""
    lines = (DEPLOY / "systemd" / unit).read_text().splitlines()
    return [
        (name, value) for name, sign, value in (line.partition("=") for line in lines) if sign and name[0].isupper()
    ]


def cron_commands() -> Iterator[list[str]]:
    """The commands of the crontab as words, without their five time fields and the user."""
    for line in (DEPLOY / "cron" / "image-sync").read_text().splitlines():
        if line and not line.startswith("#") and "=" not in line.split()[0]:
            yield shlex.split(line)[6:]


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    groups = yaml.safe_load((DEPLOY / "prometheus" / "image-sync.rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's sections."""
    titles = (line.lstrip("#").strip() for line in page.read_text().splitlines() if line.startswith("#"))
    return {
        "".join(sign for sign in title.lower().replace(" ", "-") if sign.isalnum() or sign in "-_") for title in titles
    }
