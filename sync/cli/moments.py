"""Moments as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sync.domain.image import iso, parse_time
from sync.errors import UnknownError
from sync.store.queries.inventory import Inventory

FORMS = "now, last, today, yesterday, -7d, 2026-03-31, 2026-03-31T12:00:00Z, or the number of a run"
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_INSTANT = timedelta(microseconds=1)


def moment(words: str, found: Inventory, source: str | None, *, begins: bool = False, early: bool = False) -> datetime:
    """Find the moment that is meant.

    Args:
        words: what the user wrote; see ``FORMS``.
        found: the inventory; its clock is the one that counts.
        source: the source that is asked about, or None for all.
        begins: whether it is the beginning of an interval; ``last`` is just before the last run then.
        early: whether a moment before the first run will do.

    Raises:
        UnknownError: it can't be understood, lies in the future or before the first run, or there is no such run.
    """
    first, last = found.bounds(source)
    if first is None or last is None:
        raise UnknownError("no run has written anything yet; `image-sync run` makes a first one")
    now = max(found.now(), last)  # should the database's clock have stepped back
    meant = _meant(words, found, source, now)
    if meant > now:
        raise UnknownError(f"{words} lies in the future; it is {iso(now)} by the database's clock")
    if meant < first and not early:
        raise UnknownError(f"{words} is before the beginning: the first run took effect at {iso(first)}")
    return meant - _INSTANT if begins and words == "last" else meant


def _meant(words: str, found: Inventory, source: str | None, now: datetime) -> datetime:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    named: dict[str, Callable[[], datetime]] = {
        "now": lambda: now,
        "last": lambda: found.bounds(source)[1] or now,
        "today": lambda: midnight,
        "yesterday": lambda: midnight - timedelta(days=1),
    }
    if words in named:
        return named[words]()
    if ago := re.fullmatch(r"-(\d{1,6})([mhdw])", words):
        return _earlier(now, timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
    if re.fullmatch(r"\d{1,18}", words):
        return found.moment(int(words))
    long = re.sub(r"^(\d{4}-\d\d-\d\d)$", r"\1T00:00:00", words)
    meant = parse_time(re.sub(r"^(\S{10}[T ]\d\d:\d\d)(Z|[+-]\d\d:?\d\d)?$", r"\1:00\2", long))
    if meant is None:
        raise UnknownError(f"{words} is no moment; write {FORMS}")
    return meant


def _earlier(now: datetime, span: timedelta) -> datetime:
    try:
        return now - span
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
