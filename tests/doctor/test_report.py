"""Lines of the report: whatever breaks becomes a line, and the other lines stay."""

from __future__ import annotations

from sync.doctor.report import Level, Lines, Report, ok
from sync.errors import StoreError


def breaks(error: Exception) -> Lines[None]:
    """A check that finds something and then breaks."""
    yield ok("one thing")
    raise error


def test_a_check_that_breaks_is_a_line() -> None:
    """An error of a library names its class and asks for a report; one of ours is its own sentence."""
    report = Report("subject")
    report.check("first", breaks(RuntimeError("unforeseen")))
    report.check("second", breaks(StoreError("a sentence")))

    assert [line.found for line in report.lines] == [
        "one thing",
        "the check broke: RuntimeError: unforeseen",
        "one thing",
        "a sentence",
    ]
    assert [line.level for line in report.lines] == [Level.OK, Level.WRONG] * 2


def test_an_error_between_checks_is_a_line() -> None:
    """What breaks outside of a check is a line, too, so that no traceback replaces the report."""
    report = Report("subject")
    report.check("first", iter_ok())
    with report.guarded("checks"):
        raise RuntimeError("unforeseen")
    with report.guarded("checks"):
        raise StoreError("a sentence")

    assert [line.found for line in report.lines] == ["fine", "the check broke: RuntimeError: unforeseen", "a sentence"]
    assert report.lines[1].advice == "report this as a bug"


def iter_ok() -> Lines[None]:
    """A check that finds nothing wrong."""
    yield ok("fine")
