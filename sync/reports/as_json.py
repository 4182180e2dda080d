"""A report as JSON, by the schema in ``docs/report.schema.json``; for programs, so nothing is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from sync.domain.checks import Finding
from sync.reports.model import Change, Evidence, Report

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
        "changes": _array(map(_change, report.changes)),
        "held": _array(map(dict, report.held)),
        "quarantined": _array(map(dict, report.quarantined)),
        "runs": _array(map(dict, report.runs)),
        "evidence": _array(map(_evidence, report.evidence)),
        "checks": [
            {"check": one.name, "severity": str(one.severity), "thresholds": dict(one.thresholds)}
            for one in report.checks
        ],
        "findings": _array(map(_finding, report.findings)),
    }
    return msgspec.json.format(_encode(told), indent=1).decode() + "\n"


def _array(rows: Iterable[Mapping[str, Any]]) -> msgspec.Raw:
    """An array, row by row: there may be hundreds of thousands."""
    return msgspec.Raw(b"[" + b",".join(map(_encode, rows)) + b"]")


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


def _evidence(one: Evidence) -> dict[str, Any]:
    return {
        "source": one.source,
        "moment": one.moment,
        "proven_run": one.proven_run,
        "doubt": one.doubt,
        "last_run": one.last_run,
        "digest": one.digest,
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "check": one.check,
        "severity": str(one.severity),
        "source": one.source,
        "id": one.id,
        "name": one.name,
        "detail": one.detail,
    }


_encode = msgspec.json.Encoder().encode
