"""A clock that was set back: what is on record of a source then lies in the future."""

from __future__ import annotations

_NOTABLE = 60.0  # seconds; servers that take turns as the primary may be some seconds apart


def set_back(seconds: float) -> str:
    """A sentence about a last run that is on record this far in the future, or ""."""
    if seconds < _NOTABLE:
        return ""
    return (
        f"the last run began or took effect {span(seconds)} in the future; the clock of the database was set back, or "
        "was ahead then; until it gets there, ages are too small, and no alert about an old inventory can fire"
    )


def span(seconds: float) -> str:
    """A length of time in one unit."""
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
