"""``image-sync check``: rules over the inventory, the product's own and yours."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict, Unpack

import click

from sync import wiring
from sync.checks.junit import junit
from sync.checks.run import checks, find, systems
from sync.checks.sarif import sarif
from sync.cli import say
from sync.cli.options import source_option
from sync.cli.output import formats, show
from sync.domain.checks import Check, Finding, Severity
from sync.settings import Settings
from sync.store.queries.inventory import inventory

FOUND = 4  # done, and there is something for a person to look at
COLUMNS = ("severity", "check", "source", "id", "name", "detail")
LIST = ("check", "severity", "title", "thresholds")
_severity = click.Choice([str(severity) for severity in Severity])


class Asked(TypedDict):
    """What was asked for."""

    source: str | None
    severity: str
    fail_on: str | None
    only_list: bool
    style: str


@click.command()
@source_option
@click.option("--severity", type=_severity, default="low", help="Only checks that are at least so severe.")
@click.option("--fail-on", type=_severity, help="Exit with 4 if a finding is at least so severe.")
@click.option("--list", "only_list", is_flag=True, help="List the checks instead.")
@formats("table", "json", "csv", "sarif", "junit")
@click.pass_obj
def check(config: Path | None, **asked: Unpack[Asked]) -> None:
    """Look for images that need attention: unprotected, of a dead system, public by mistake, stuck, flapping.

    What each check means, and how to write your own, is in docs/checks.md.
    """
    loaded = wiring.load(os.environ, config, with_sources=False)
    source, style, fail_on = asked["source"], asked["style"], asked["fail_on"]
    wanted = [one for one in configured(loaded) if one.severity >= Severity[asked["severity"].upper()]]
    if asked["only_list"]:
        show(map(_told, wanted), "table" if style in ("sarif", "junit") else style, LIST)
        return
    with wiring.database(loaded, os.environ) as target, inventory(target) as found:
        found.check_source(source)
        findings = list(find(found, wanted, systems(loaded.end_of_life_file), found.settled(source), source))
    findings.sort(key=lambda one: (-one.severity, one.check, one.source, one.id))
    _write(wanted, findings, style)
    say(f"{len(findings)} findings of {len(wanted)} checks{_counts(findings)}")
    if fail_on and any(one.severity >= Severity[fail_on.upper()] for one in findings):
        sys.exit(FOUND)


def configured(loaded: Settings) -> list[Check]:
    """The checks that the settings ask for, with their thresholds.

    Raises:
        UnknownError: a check or threshold in the settings does not exist.
        UsageError: a check can't be read.
    """
    thresholds: dict[str, dict[str, int]] = {}
    for name, threshold, number in loaded.check_thresholds:
        thresholds.setdefault(name, {})[threshold] = number
    return checks(loaded.check_folder, off=loaded.checks_disabled, thresholds=thresholds)


def _told(one: Check) -> dict[str, Any]:
    numbers = ", ".join(f"{name} = {number}" for name, number in one.thresholds.items())
    return {"check": one.name, "severity": str(one.severity), "title": one.title, "thresholds": numbers}


def _write(wanted: Sequence[Check], findings: Sequence[Finding], style: str) -> None:
    if style == "sarif":
        click.echo(json.dumps(sarif(wanted, findings), indent=1))
    elif style == "junit":
        click.echo(junit(wanted, findings), nl=False)
    else:
        show([asdict(one) | {"severity": str(one.severity)} for one in findings], style, COLUMNS)


def _counts(findings: Iterable[Finding]) -> str:
    severities = [one.severity for one in findings]
    return "".join(f", {severities.count(one)} {one}" for one in sorted(set(severities), reverse=True))
