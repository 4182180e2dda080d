"""Numbers with a unit, as text and as numbers: durations such as ``90s`` and ``24h``, sizes such as ``64MiB``."""

import re
from collections.abc import Mapping

DURATIONS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
SIZES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_TOO_LARGE = 10**18


def seconds(value: object) -> float | None:
    """A duration in seconds, from their number or from text; None if it is neither."""
    return measured(value, DURATIONS)


def measured(value: object, units: Mapping[str, float]) -> float | None:
    """A number in the base unit, from a number or from text with one of ``units``; None if it is neither."""
    if isinstance(value, str):
        match = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([A-Za-z%]*)", value.strip())
        return float(match[1]) * units[match[2]] if match and match[2] in units else None
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _TOO_LARGE:
        return float(value)
    return None


def durations_between(low: float, high: float) -> str:
    """The range from ``low`` to ``high`` seconds in words, for messages."""
    bounds = f"from {show_duration(low)} to {show_duration(high)}"
    return f'a time {bounds}: seconds, or text with a unit such as "90s", "15m" or "24h"'


def show_duration(seconds: float) -> str:
    """A duration as text, in the largest unit of which it is a whole number."""
    for unit, size in sorted(DURATIONS.items(), key=lambda item: -item[1]):
        number = round(seconds / size, 9)
        if unit and number and number == int(number):
            return f"{int(number)}{unit}"
    return f"{seconds:g}s"
