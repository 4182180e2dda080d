"""A report as JSON, by the schema in ``docs/report.schema.json``; for programs, so nothing is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import msgspec

from sync.reports.model import Report

VERSION = 1
_EVIDENCE = ("source", "moment", "proven_run", "doubt", "last_run", "digest")


def as_json(report: Report) -> str:
    """The whole document."""
    document = {
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
        "changes": _array(report.changes),
        "held": _array(report.held),
        "quarantined": _array(report.quarantined),
        "runs": _array(report.runs),
        "evidence": [{name: getattr(one, name) for name in _EVIDENCE} for one in report.evidence],
        "checks": [
            {"check": one.name, "severity": str(one.severity), "thresholds": dict(one.thresholds)}
            for one in report.checks
        ],
        "findings": _array(asdict(one) | {"severity": str(one.severity)} for one in report.findings),
    }
    return msgspec.json.format(_encode(document), indent=1).decode() + "\n"


def _array(rows: Iterable[object]) -> msgspec.Raw:
    """An array, encoded row by row, because there may be hundreds of thousands."""
    return msgspec.Raw(b"[" + b",".join(map(_encode, rows)) + b"]")


_encode = msgspec.json.Encoder(enc_hook=dict).encode  # a row of the database is a mapping, not a dict
