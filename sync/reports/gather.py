"""Makes a report from an inventory."""

from __future__ import annotations

from datetime import datetime

from sync.reports.model import Evidence, Report, changes_of
from sync.store.reading import Inventory
from sync.store.reporting import Material


def gather(inventory: Inventory, begin: datetime, end: datetime, source: str | None) -> Report:
    """Make the report on the time after ``begin``, up to and including ``end``; all of one snapshot."""
    material = Material(inventory, begin, end, source)
    return Report(
        begin=begin,
        end=end,
        source=source,
        before=material.counts(begin),
        after=material.counts(end),
        shares=material.shares(end),
        changes=list(changes_of(material.changes())),
        runs=material.runs(),
        held=material.held(),
        quarantined=material.quarantined(),
        evidence=[Evidence(moment=at, **row) for at in (begin, end) for row in material.evidence(at)],
    )
