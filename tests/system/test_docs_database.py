"""The page on the database says what the live catalogue says, and its questions are answered as it shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from checkout import CHECKOUT
from servers import environment

QUESTIONS = sorted((CHECKOUT / "docs" / "sql").glob("*.sql"))


def test_page_and_picture_are_fresh(tmp_path: Path) -> None:
    """The dictionary, the picture and the result of each question are those of a new demo."""
    script = [sys.executable, str(CHECKOUT / "docs" / "make_database_page.py"), "--check"]

    done = subprocess.run(
        script, env=environment(PYTHONPATH=str(CHECKOUT)), cwd=tmp_path, capture_output=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, b"")


def test_there_are_twenty_questions() -> None:
    """Numbered without a gap, and each shown on the page."""
    page = CHECKOUT.joinpath("docs", "database.md").read_text(encoding="utf-8")

    assert len(QUESTIONS) >= 20
    assert [path.name[:2] for path in QUESTIONS] == [f"{n:02}" for n in range(1, len(QUESTIONS) + 1)]
    for path in QUESTIONS:
        question, _, statement = path.read_text(encoding="utf-8").removeprefix("-- ").partition("\n")
        assert f"### {question}\n" in page
        assert statement.strip() in page
