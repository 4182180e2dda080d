"""The database page agrees with the live catalogue, and its queries give the results that it shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from checkout import CHECKOUT
from servers import environment

QUESTIONS = sorted((CHECKOUT / "docs" / "sql").glob("*.sql"))


def test_page_and_picture_are_current(tmp_path: Path) -> None:
    """The dictionary, the picture and the result of each query are those of a new demo."""
    script = [sys.executable, str(CHECKOUT / "docs" / "make_database_page.py"), "--check"]

    result = subprocess.run(
        script, env=environment(PYTHONPATH=str(CHECKOUT)), cwd=tmp_path, capture_output=True, check=False
    )

    assert (result.returncode, result.stderr) == (0, b"")


def test_there_are_twenty_questions() -> None:
    """There are at least twenty queries, numbered without a gap, and each is on the page."""
    page = CHECKOUT.joinpath("docs", "database.md").read_text(encoding="utf-8")

    assert len(QUESTIONS) >= 20
    assert [path.name[:2] for path in QUESTIONS] == [f"{n:02}" for n in range(1, len(QUESTIONS) + 1)]
    for path in QUESTIONS:
        question, _, statement = path.read_text(encoding="utf-8").removeprefix("-- ").partition("\n")
        assert f"### {question}\n" in page
        assert statement.strip() in page
