"""Findings as JUnit XML, for build servers: one test case per check, failed if the check found something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape as escape_markup
from xml.sax.saxutils import quoteattr

from sync.domain.checks import Check, Finding
from sync.logs import escape


def junit(checks: Sequence[Check], findings: Iterable[Finding]) -> str:
    """The whole document.

    Args:
        checks: the checks that were run.
        findings: the findings of these checks.
    """
    by_check: dict[str, list[Finding]] = {check.name: [] for check in checks}
    for finding in findings:
        by_check[finding.check].append(finding)
    failures = sum(map(bool, by_check.values()))
    cases = "".join(_case(check, by_check[check.name]) for check in checks)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuite name="image-sync check" tests="{len(checks)}" failures="{failures}">\n{cases}</testsuite>\n'
    )


def _case(check: Check, findings: Sequence[Finding]) -> str:
    head = f"  <testcase classname={quoteattr(f'image-sync.{check.severity}')} name={quoteattr(check.name)}"
    if not findings:
        return f"{head}/>\n"
    message = quoteattr(f"{check.title}: {len(findings)}")
    lines = (f"{one.source}/{one.id} {one.name or ''}: {one.detail}" for one in findings)
    text = "\n".join(escape_markup(escape(line)) for line in lines)
    return f'{head}>\n    <failure type="{check.severity}" message={message}>{text}</failure>\n  </testcase>\n'
