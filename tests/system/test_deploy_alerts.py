"""The alert rules work, and docs/operating.md says what to do about each alert and each exit code."""

from __future__ import annotations

import re

import yaml
from checkout import CHECKOUT
from deploy_tools import DEPLOY, WITHHELD, alerts, anchors, carried_out, tool

from sync.errors import ImageSyncError

OPERATING = CHECKOUT / "docs" / "operating.md"
PROMETHEUS = DEPLOY / "prometheus"


def test_rules_are_accepted() -> None:
    """`promtool check rules` finds no mistake in the rules."""
    result = carried_out(tool("promtool", "prometheus"), "check", "rules", str(PROMETHEUS / "image-sync.rules.yaml"))

    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(alerts()) + 1} rules found" in result.stdout


def test_rules_fire_when_they_should() -> None:
    """`promtool test rules` confirms each alert on made-up series."""
    file = PROMETHEUS / "image-sync.rules.test.yaml"
    result = carried_out(tool("promtool", "prometheus"), "test", "rules", file.name, folder=PROMETHEUS)

    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_is_tested() -> None:
    """The unit tests see each alert both firing and silent."""
    tests = yaml.safe_load((PROMETHEUS / "image-sync.rules.test.yaml").read_text())["tests"]
    tested = {(case["alertname"], "exp_alerts" in case) for test in tests for case in test["alert_rule_test"]}

    assert tested == {(rule["alert"], fires) for rule in alerts() for fires in (True, False)}


def test_every_alert_says_what_to_do() -> None:
    """Each alert has a severity, a summary, an action, and a section of docs/operating.md."""
    sections = anchors(OPERATING)
    for rule in alerts():
        notes = rule["annotations"]
        page, _, anchor = notes["runbook_url"].partition("#")
        assert notes["summary"].endswith(".")
        assert notes["action"].endswith(".")
        assert (CHECKOUT / page, anchor) == (OPERATING, rule["alert"].lower())
        assert anchor in sections
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_every_exit_code_is_explained() -> None:
    """Exactly the program's exit codes have a section of docs/operating.md."""
    errors = [ImageSyncError]
    for error in errors:
        errors += error.__subclasses__()
    codes = {0, *(error.exit_code for error in errors), WITHHELD}

    sections = {
        int(anchor.removeprefix("exit-code-")) for anchor in anchors(OPERATING) if anchor.startswith("exit-code-")
    }
    assert sections == codes


def test_links_of_the_pages_work() -> None:
    """Every relative link in deploy/ and docs/operating.md leads to a file and a section that exist."""
    for page in (OPERATING, *DEPLOY.rglob("README.md")):
        for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), f"{page}: {link}"
            assert not anchor or anchor in anchors(target), f"{page}: {link}"
