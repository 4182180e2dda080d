"""``image-sync check``: rules over the inventory, the product's own and yours."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from sync.checks.junit import junit
from sync.checks.run import checks, find, systems
from sync.checks.sarif import sarif
from sync.cli import say
from sync.cli.options import source_option
from sync.cli.output import formats, show
from sync.cli.setup import load, open_inventory
from sync.domain.checks import Check, Finding, Severity
from sync.settings import Settings

FOUND = 4  # done, and there is something to look at
COLUMNS = ("severity", "check", "source", "id", "name", "detail")
LIST = ("check", "severity", "title", "thresholds")
_severity = click.Choice([str(severity) for severity in Severity])


@click.command()
@source_option
@click.option("--severity", type=_severity, default="low", help="Only run checks of at least this severity.")
@click.option("--fail-on", type=_severity, help="Exit with 4 if a finding has at least this severity.")
@click.option("--list", "only_list", is_flag=True, help="List the checks instead of running them.")
@formats("table", "json", "csv", "sarif", "junit")
@click.pass_obj
def check(
    config: Path | None, *, source: str | None, severity: str, fail_on: str | None, only_list: bool, style: str
) -> None:
    """Find images that need attention.

    For example, images that are unprotected, public by mistake, stuck, flapping, or of an operating system past its
    end of life. docs/checks.md explains each check, and how to write your own.
    """
    loaded = load(config)
    chosen = [one for one in configured(loaded) if one.severity >= Severity[severity.upper()]]
    if only_list:
        show(map(_row, chosen), "table" if style in ("sarif", "junit") else style, LIST)
        return
    with open_inventory(loaded, source) as inventory:
        dates = systems(loaded.end_of_life_file)
        findings = list(find(inventory, chosen, dates, inventory.settled(source), source))
    findings.sort(key=lambda one: (-one.severity, one.check, one.source, one.id))
    _write(chosen, findings, style)
    severities = [one.severity for one in findings]
    counts = "".join(f", {severities.count(one)} {one}" for one in sorted(set(severities), reverse=True))
    say(f"{len(findings)} findings of {len(chosen)} checks{counts}")
    if fail_on and any(one >= Severity[fail_on.upper()] for one in severities):
        sys.exit(FOUND)


def configured(loaded: Settings) -> list[Check]:
    """The checks that the settings select, with their thresholds.

    Raises:
        UnknownError: a check or threshold in the settings does not exist.
        UsageError: a check can't be read.
    """
    thresholds: dict[str, dict[str, int]] = {}
    for name, threshold, number in loaded.check_thresholds:
        thresholds.setdefault(name, {})[threshold] = number
    return checks(loaded.check_folder, off=loaded.checks_disabled, thresholds=thresholds)


def _row(one: Check) -> dict[str, str]:
    numbers = ", ".join(f"{name} = {number}" for name, number in one.thresholds.items())
    return {"check": one.name, "severity": str(one.severity), "title": one.title, "thresholds": numbers}


def _write(chosen: Sequence[Check], findings: Sequence[Finding], style: str) -> None:
    if style == "sarif":
        click.echo(json.dumps(sarif(chosen, findings), indent=1))
    elif style == "junit":
        click.echo(junit(chosen, findings).encode(), nl=False)
    else:
        show([asdict(one) | {"severity": str(one.severity)} for one in findings], style, COLUMNS)
