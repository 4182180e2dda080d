"""Options that several commands share: durations and moments."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from sync.cli.moments import moment
from sync.errors import UnknownError
from sync.settings.quantities import DURATIONS, durations_between, seconds, show_duration
from sync.store.queries.inventory import Inventory

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
FIRST, LAST = NOW - timedelta(days=900), NOW - timedelta(hours=1)


class Past:
    """An inventory with two runs, numbered 1 and 2."""

    def bounds(self, _source: str | None) -> tuple[datetime, datetime]:
        """When the first and the last run took effect."""
        return FIRST, LAST

    def now(self) -> datetime:
        """The database's clock."""
        return NOW

    def moment(self, run: int) -> datetime:
        """When a run took effect."""
        return {1: FIRST, 2: LAST}[run]


PAST = cast("Inventory", Past())


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("30", 30), ("30s", 30), (" 5 m ", 300), ("1.5h", 5400), ("250ms", 0.25), ("1d", 86_400), ("2w", 1_209_600),
        ("2y", 63_072_000), (0.5, 0.5), (7, 7), ("0", 0),
    ],
)  # fmt: skip
def test_durations_in_every_unit(value: object, number: float) -> None:
    """A plain number is seconds, and text may have a unit."""
    assert seconds(value) == number


@pytest.mark.parametrize(
    "value", ["", "soon", "s", "-1s", "1h30m", "1M", "2 weeks", "1e3", "٣s", "nan", True, None, 10.0**18, math.nan]
)
def test_invalid_durations(value: object) -> None:
    """Unknown units, several units, signs, foreign digits and other text are rejected, not guessed."""
    number = seconds(value)

    assert number is None or math.isnan(number)


@pytest.mark.parametrize("text", ["0s", "10ms", "90s", "15m", "25h", "1d", "366d", "2w", "100y"])
def test_a_duration_is_shown_as_it_is_read(text: str) -> None:
    """A duration is shown in the largest unit that needs no fraction."""
    number = seconds(text)

    assert number is not None
    assert show_duration(number) == text
    assert show_duration(0.0005) == "0.0005s"


def test_bounds_are_shown_with_units() -> None:
    """Messages show the bounds of a duration with units."""
    assert durations_between(0.1, 600).startswith("a time from 100ms to 10m: seconds, or text with a unit such as")


@pytest.mark.parametrize("unit", sorted(set(DURATIONS) - {""}))
def test_moments_ago_in_every_unit(unit: str) -> None:
    """A moment can be a negative duration, in every unit and with fractions."""
    assert moment(f"-2{unit}").find(PAST, None) == NOW - timedelta(seconds=2 * DURATIONS[unit])
    assert moment(f"-1.5{unit}").find(PAST, None) == NOW - timedelta(seconds=1.5 * DURATIONS[unit])


def test_moments_by_name_run_and_date() -> None:
    """A moment can be a name, a run number, a date or a time."""
    midnight = datetime(2026, 3, 31, tzinfo=UTC)
    expected: dict[str, Any] = {
        "now": NOW,
        "last": LAST,
        "today": midnight,
        "yesterday": midnight - timedelta(days=1),
        "1": FIRST,
        "2026-03-30": midnight - timedelta(days=1),
        "2026-03-31T12:00Z": NOW - timedelta(minutes=30),
    }

    assert {text: moment(text).find(PAST, None) for text in expected} == expected
    assert moment("last").find(PAST, None, begins=True) == LAST - timedelta(microseconds=1)
    assert moment("-999999999999999999y").find(PAST, None, early=True) == datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["-7", "7d", "-7x", "--7d", "-7d-", "- 7d", "-", "soon", "2026-02-30", ""])
def test_invalid_moments(text: str) -> None:
    """Invalid moments are refused early; a number of days without a unit is not taken for seconds."""
    with pytest.raises(UnknownError, match="is no moment; write now, last"):
        moment(text)


@pytest.mark.parametrize(("text", "message"), [("-3y", "before the beginning"), ("2126-01-01", "lies in the future")])
def test_moments_outside_of_the_inventory(text: str, message: str) -> None:
    """Moments before the first run or in the future are refused with the reason."""
    with pytest.raises(UnknownError, match=message):
        moment(text).find(PAST, None)
