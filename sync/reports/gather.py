"""Make a report from an inventory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from sync.checks.run import find
from sync.domain.checks import Check
from sync.reports.gaps import Row
from sync.reports.model import Change, Evidence, FieldChange, Report
from sync.store.queries.inventory import Inventory
from sync.store.queries.reports import ReportQueries


def gather(
    inventory: Inventory, queries: ReportQueries, checks: Sequence[Check], dates: list[dict[str, str]]
) -> Report:
    """Make a report from one snapshot of the inventory.

    Args:
        inventory: the inventory, for the checks.
        queries: the queries of the report, with its two moments and its source.
        checks: checks to run on the images as they were at the end.
        dates: operating systems and the day on which their updates end.

    Raises:
        UsageError: the SQL of a check fails.
    """
    begin, end, source = queries.begin, queries.end, queries.source
    findings = find(inventory, checks, dates, end, source)
    return Report(
        begin=begin,
        end=end,
        source=source,
        before=queries.counts(begin),
        after=queries.counts(end),
        shares=queries.shares(),
        changes=list(_changes(queries.changes())),
        runs=queries.runs(),
        held=queries.held(),
        quarantined=queries.quarantined(),
        evidence=[Evidence(moment=moment, **row) for moment in (begin, end) for row in queries.evidence(moment)],
        checks=checks,
        findings=sorted(findings, key=lambda one: (-one.severity, one.check, one.source, one.id)),
    )


def _changes(rows: Iterable[Row]) -> Iterator[Change]:
    """Group the rows of ``image_changes`` by image and run; they come in this order."""
    for (source, image_id, run, kind), group in groupby(
        rows, key=lambda row: (row["source"], row["id"], row["run"], row["kind"])
    ):
        parts = list(group)
        first = parts[0]
        fields = tuple(FieldChange(row["field"], row["old"], row["new"]) for row in parts if row["field"] is not None)
        yield Change(source, image_id, first["name"], kind, first["at"], first["not_before"], run, fields)
