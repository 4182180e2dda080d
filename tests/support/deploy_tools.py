"""What the tests of deploy/ share: tools of the machine, commands as the command line takes them, units, rules."""

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
    """A program of the machine; without it the test is skipped, and fails where everything must be there."""
    path = shutil.which(name)
    if path is None:
        told = f"there is no {name} here; Debian's package {package} has it"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    return path


def carried_out(*arguments: str, folder: Path = CHECKOUT, **environ: str) -> subprocess.CompletedProcess[str]:
    """Carry out a command, and see how it ended."""
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
    """Take arguments as `image-sync` would, without doing anything.

    Raises:
        click.UsageError: it would refuse them.
    """
    name, *rest = arguments
    found = command.get_command(click.Context(command), name)
    if found is None:
        raise click.UsageError(f"there is no command {name}")
    context = found.make_context(name, rest)
    if isinstance(found, click.Group):
        inner, *rest = rest
        command_of_group = found.get_command(context, inner)
        assert command_of_group is not None, f"there is no command {name} {inner}"
        command_of_group.make_context(inner, rest)


def options_of(unit: str) -> list[tuple[str, str]]:
    """The assignments of a unit, in their order."""
    lines = (DEPLOY / "systemd" / unit).read_text().splitlines()
    return [
        (name, value) for name, sign, value in (line.partition("=") for line in lines) if sign and name[0].isupper()
    ]


def cron_commands() -> Iterator[list[str]]:
    """The commands of the crontab, each as words, after its five fields and its user."""
    for line in (DEPLOY / "cron" / "image-sync").read_text().splitlines():
        if line and not line.startswith("#") and "=" not in line.split()[0]:
            yield shlex.split(line)[6:]


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    groups = yaml.safe_load((DEPLOY / "prometheus" / "image-sync.rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def anchors(page: Path) -> set[str]:
    """What of a page can be linked to."""
    titles = (line.lstrip("#").strip() for line in page.read_text().splitlines() if line.startswith("#"))
    return {
        "".join(sign for sign in title.lower().replace(" ", "-") if sign.isalnum() or sign in "-_") for title in titles
    }
