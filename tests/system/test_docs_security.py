"""The security page names only tests that exist."""

from __future__ import annotations

import re

from checkout import CHECKOUT

PAGE = (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")


def test_named_tests_exist() -> None:
    """Each test on the page is in the file named with it, and most threats name a test."""
    named = re.findall(r"`((?:[a-z]+/)*test_\w+\.py)::(test_\w+)`", PAGE)
    texts = {file: (CHECKOUT / "tests" / file).read_text(encoding="utf-8") for file, _ in named}
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in texts[file]]
    threats = [line for line in PAGE.splitlines() if line.startswith("| **")]

    assert missing == []
    assert len(named) == PAGE.count("::test_")
    assert sum("::test_" in line for line in threats) >= len(threats) - 3
