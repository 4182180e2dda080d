"""A report as JSON, by the schema in ``docs/report.schema.json``; for programs, so nothing is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sync.domain.image import iso
from sync.reports.model import Change, Report

VERSION = 1


def as_json(report: Report) -> str:
    """The whole document."""
    told = {
        "version": VERSION,
        "from": report.begin,
        "to": report.end,
        "source": report.source,
        "verdict": list(report.verdict()),
        "complete": report.complete,
        "images": {"from": report.before, "to": report.after},
        "counts": report.counts,
        "days": {day.isoformat(): counts for day, counts in report.days.items()},
        "shares": report.shares,
        "changes": [_change(change) for change in report.changes],
        "held": list(map(dict, report.held)),
        "quarantined": list(map(dict, report.quarantined)),
        "runs": list(map(dict, report.runs)),
        "evidence": [
            {
                "source": one.source,
                "moment": one.moment,
                "proven_run": one.proven_run,
                "doubt": one.doubt,
                "last_run": one.last_run,
                "digest": one.digest,
            }
            for one in report.evidence
        ],
        "checks": [
            {"check": one.name, "severity": str(one.severity), "thresholds": dict(one.thresholds)}
            for one in report.checks
        ],
        "findings": [asdict(one) | {"severity": str(one.severity)} for one in report.findings],
    }
    return json.dumps(_plain(told), ensure_ascii=False, indent=1) + "\n"


def _change(change: Change) -> dict[str, Any]:
    return {
        "source": change.source,
        "id": change.id,
        "name": change.name,
        "kind": change.kind,
        "at": change.at,
        "not_before": change.not_before,
        "run": change.run,
        "fields": [{"field": field.name, "old": field.old, "new": field.new} for field in change.fields],
    }


def _plain(value: Any) -> Any:
    """The same with every moment as text."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
