"""Options that several commands share, and what they take: durations, moments, and parts of the sources."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, TypeVar

import click

from sync.domain.image import iso, parse_time
from sync.errors import UnknownError
from sync.settings import quantities
from sync.settings.rules import Rule
from sync.store.queries.inventory import Inventory

MOMENTS = "now, last, today, yesterday, -7d, 2026-03-31, 2026-03-31T12:00:00Z, or the number of a run"
F = TypeVar("F", bound=Callable[..., Any])
_INSTANT = timedelta(microseconds=1)
_At = Callable[[Inventory, str | None, datetime], datetime]  # the inventory, the source asked about, and now
_NAMED: dict[str, _At] = {
    "now": lambda _inventory, _source, now: now,
    "last": lambda inventory, source, now: inventory.bounds(source)[1] or now,
    "today": lambda _inventory, _source, now: _midnight(now),
    "yesterday": lambda _inventory, _source, now: _midnight(now) - timedelta(days=1),
}


def duration_option(name: str, rule: Rule[float], meaning: str, default: str | None = None) -> Callable[[F], F]:
    """An option that takes a length of time, written as in the settings; in seconds once it is read."""
    shown = default is not None
    return click.option(name, type=rule.read, metavar="TIME", default=default, show_default=shown, help=meaning)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment as it was written; when that is, an inventory says."""

    text: str
    _at: _At

    def find(self, inventory: Inventory, source: str | None, *, begins: bool = False, early: bool = False) -> datetime:
        """The moment that is meant.

        Args:
            inventory: its clock is the one that counts.
            source: the source that is asked about, or None for all.
            begins: whether it is the beginning of an interval; ``last`` is just before the last run then.
            early: whether a moment before the first run will do.

        Raises:
            UnknownError: it lies in the future or before the first run, or there is no such run.
        """
        first, last = inventory.bounds(source)
        if first is None or last is None:
            raise UnknownError("no run has written anything yet; `image-sync run` makes a first one")
        now = max(inventory.now(), last)  # should the database's clock have stepped back
        meant = self._at(inventory, source, now)
        if meant > now:
            raise UnknownError(f"{self.text} lies in the future; it is {iso(now)} by the database's clock")
        if meant < first and not early:
            raise UnknownError(f"{self.text} is before the beginning: the first run took effect at {iso(first)}")
        return meant - _INSTANT if begins and self.text == "last" else meant


def moment(text: str) -> Moment:
    """Read a moment; as the type of a parameter too.

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
    meant = parse_time(re.sub(r"^(\S{10}[T ]\d\d:\d\d)(Z|[+-]\d\d:?\d\d)?$", r"\1:00\2", long))
    if meant is None:
        raise UnknownError(f"{text} is no moment; write {MOMENTS}")
    return Moment(text, lambda _inventory, _source, _now: meant)


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``index``, from 0, of ``count``."""

    index: int
    count: int

    def holds(self, name: str) -> bool:
        """Whether a source of this name is in it: by its name alone, so that other sources may come and go."""
        digest = blake2b(name.encode(), digest_size=8).digest()
        return int.from_bytes(digest) % self.count == self.index


def _shard(text: str) -> Shard:
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    shard = Shard(int(match[1]), int(match[2])) if match else None
    if shard is None or shard.index >= shard.count:
        raise click.BadParameter("give I/N, the part I of N parts, from 0/N to N-1/N")
    return shard


source_option = click.option("--source", help="Only this source.")
sources_option = click.option("--source", "names", multiple=True, help="Only this source; may be given several times.")
shard_option = click.option(
    "--shard", type=_shard, metavar="I/N", help="Only part I of N of the sources, from 0; the same in every run."
)
jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 64), help="Sources that are synced at the same time; else the setting `jobs`."
)


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _earlier(now: datetime, seconds: float) -> datetime:
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
