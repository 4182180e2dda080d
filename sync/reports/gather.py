"""Makes a report from an inventory."""

from __future__ import annotations

from collections.abc import Sequence

from sync.checks.run import find
from sync.domain.checks import Check
from sync.reports.model import Evidence, Report, changes_of
from sync.store.queries.inventory import Inventory
from sync.store.queries.reports import ReportQueries


def gather(
    inventory: Inventory,
    material: ReportQueries,
    checks: Sequence[Check],
    dates: list[dict[str, str]],
) -> Report:
    """Make a report; all of it is of one snapshot.

    Args:
        inventory: to ask.
        material: what to ask it: the time and the source that the report is about.
        checks: what to look for in the images as they were at the end.
        dates: operating systems and the day on which their updates end.

    Raises:
        UsageError: the SQL of a check can't be carried out.
    """
    begin, end, source = material.begin, material.end, material.source
    findings = list(find(inventory, checks, dates, end, source))
    return Report(
        begin=begin,
        end=end,
        source=source,
        before=material.counts(begin),
        after=material.counts(end),
        shares=material.shares(),
        changes=list(changes_of(material.changes())),
        runs=material.runs(),
        held=material.held(),
        quarantined=material.quarantined(),
        evidence=[Evidence(moment=at, **row) for at in (begin, end) for row in material.evidence(at)],
        checks=checks,
        findings=sorted(findings, key=lambda one: (-one.severity, one.check, one.source, one.id)),
    )
