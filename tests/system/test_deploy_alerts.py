"""The alert rules do as they say, and docs/operating.md tells what to do about each, and about each exit code."""

from __future__ import annotations

import re

import yaml
from checkout import CHECKOUT
from deploy_tools import DEPLOY, WITHHELD, alerts, anchors, carried_out, tool

from sync.errors import ImageSyncError

OPERATING = CHECKOUT / "docs" / "operating.md"
PROMETHEUS = DEPLOY / "prometheus"


def test_rules_are_accepted() -> None:
    """`promtool check rules` finds no mistake in them."""
    done = carried_out(tool("promtool", "prometheus"), "check", "rules", str(PROMETHEUS / "image-sync.rules.yaml"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts()) + 1} rules found" in done.stdout


def test_rules_fire_when_they_should() -> None:
    """`promtool test rules` agrees with what each alert promises, on made-up series."""
    file = PROMETHEUS / "image-sync.rules.test.yaml"
    done = carried_out(tool("promtool", "prometheus"), "test", "rules", file.name, folder=PROMETHEUS)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried() -> None:
    """The unit tests see each alert both firing and, at another time, silent."""
    tests = yaml.safe_load((PROMETHEUS / "image-sync.rules.test.yaml").read_text())["tests"]
    tried = {(each["alertname"], "exp_alerts" in each) for test in tests for each in test["alert_rule_test"]}

    assert tried == {(rule["alert"], fires) for rule in alerts() for fires in (True, False)}


def test_every_alert_says_what_to_do() -> None:
    """Each has a severity, a sentence, something to do, and a section of docs/operating.md."""
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
    """Each exit code of this program has a section of docs/operating.md, and no other has."""
    errors = [ImageSyncError]
    for error in errors:
        errors += error.__subclasses__()
    codes = {0, *(error.exit_code for error in errors), WITHHELD}

    sections = {
        int(anchor.removeprefix("exit-code-")) for anchor in anchors(OPERATING) if anchor.startswith("exit-code-")
    }
    assert sections == codes


def test_links_of_the_pages_lead_somewhere() -> None:
    """Every relative link in deploy/ and docs/operating.md is to a file, and to a section of it."""
    for page in (OPERATING, *DEPLOY.rglob("README.md")):
        for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), f"{page}: {link}"
            assert not anchor or anchor in anchors(target), f"{page}: {link}"
