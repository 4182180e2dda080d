"""Moments: how they are written on the command line, and which instants they mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync.cli import say
from sync.domain.values import iso, parse_time
from sync.errors import UnknownError
from sync.settings import quantities
from sync.store.queries.inventory import Inventory

MOMENTS = "now, last, today, yesterday, -7d, 2026-03-31, 2026-03-31T12:00:00Z, or the number of a run"
DASHES = {"ignore_unknown_options": True}  # of commands, since a moment such as -7d is no option
_INSTANT = timedelta(microseconds=1)
_At = Callable[[Inventory, str | None, datetime], datetime]  # of the inventory, the source in question, and now
_NAMED: dict[str, _At] = {
    "now": lambda _inventory, _source, now: now,
    "last": lambda inventory, source, now: inventory.bounds(source)[1] or now,
    "today": lambda _inventory, _source, now: _midnight(now),
    "yesterday": lambda _inventory, _source, now: _midnight(now) - timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment as it was written; an inventory says which instant it is."""

    text: str
    _at: _At

    def find(self, inventory: Inventory, source: str | None, *, begins: bool = False, early: bool = False) -> datetime:
        """The instant that is meant.

        Args:
            inventory: its clock is the one that counts.
            source: the source in question, or None for all.
            begins: whether it is the beginning of an interval; ``last`` is just before the last run then.
            early: whether a moment before the first run will do.

        Raises:
            UnknownError: it lies in the future or before the first run, or there is no such run.
        """
        first, last = inventory.bounds(source)
        if first is None or last is None:
            raise UnknownError("no run has written anything yet; `image-sync run` makes a first one")
        now = max(inventory.now(), last)  # should the database's clock have stepped back
        instant = self._at(inventory, source, now)
        if instant > now:
            raise UnknownError(f"{self.text} lies in the future; it is {iso(now)} by the database's clock")
        if instant < first and not early:
            raise UnknownError(f"{self.text} is before the beginning: the first run took effect at {iso(first)}")
        return instant - _INSTANT if begins and self.text == "last" else instant


def moment(text: str) -> Moment:
    """Read a moment; also the type of a parameter.

    Raises:
        UnknownError: it is none of ``MOMENTS``.
    """
    if text in _NAMED:
        return Moment(text, _NAMED[text])
    ago = quantities.seconds(text[1:]) if re.fullmatch(r"-[0-9.]+[a-z]+", text) else None
    if ago is not None:
        return Moment(text, lambda _inventory, _source, now: _earlier(now, ago))
    if re.fullmatch(r"\d{1,18}", text):
        return Moment(text, lambda inventory, _source, _now: inventory.moment(int(text)))
    long = re.sub(r"^(\d{4}-\d\d-\d\d)$", r"\1T00:00:00", text)
    instant = parse_time(re.sub(r"^(\S{10}[T ]\d\d:\d\d)(Z|[+-]\d\d:?\d\d)?$", r"\1:00\2", long))
    if instant is None:
        raise UnknownError(f"{text} is no moment; write {MOMENTS}")
    return Moment(text, lambda _inventory, _source, _now: instant)


def say_doubts(inventory: Inventory, instant: datetime, source: str | None) -> None:
    """Say what is not known of an instant: an image may be missing only because nobody looked for it."""
    for row in inventory.observed(instant, source):
        if row["doubt"]:
            say(f"{row['source']} at {iso(instant)}: {row['says']}")


def _midnight(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _earlier(now: datetime, seconds: float) -> datetime:
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
