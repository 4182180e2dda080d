"""Findings as SARIF 2.1.0, for code hosts and dashboards. Source: OASIS, SARIF 2.1.0, section 3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from sync import __version__
from sync.domain.checks import Check, Finding, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}


def sarif(checks: Sequence[Check], findings: Iterable[Finding]) -> dict[str, Any]:
    """The findings of one run of the checks, as an object to write as JSON.

    Args:
        checks: the checks that were run.
        findings: the findings of these checks.
    """
    indexes = {check.name: n for n, check in enumerate(checks)}
    driver = {"name": "image-sync", "version": __version__, "rules": [_rule(check) for check in checks]}
    results = [_result(finding, indexes[finding.check]) for finding in findings]
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _rule(check: Check) -> dict[str, Any]:
    return {
        "id": check.name,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": check.why},
        "help": {"text": check.action},
        "defaultConfiguration": {"level": _LEVELS[check.severity]},
    }


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    image = f"{finding.source}/{finding.id}"
    return {
        "ruleId": finding.check,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.name or finding.id}: {finding.detail}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": f"images/{quote(image)}"}},
                "logicalLocations": [{"fullyQualifiedName": image, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"image/v1": f"{finding.check}:{image}"},
    }
