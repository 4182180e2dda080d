"""When something is due: an interval, or a cron expression as crontab understands it, in UTC.

The library counts days of the week from Monday as 0 and wants a day of the month and a day of the week to fit both;
crontab counts from Sunday as 0 (and 7), and takes a day that fits either. Here crontab is meant. Source: crontab(5).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from sync.errors import UsageError

_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * sun",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = ("minute", "hour", "day", "month", "day of the week")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEK = len(_DAYS)
_PART = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([1-9][0-9]?))?", re.ASCII)
_MOST = 1_000  # turns that are counted
_MOMENT = timedelta(milliseconds=1)  # less than lies between any two turns
_FARTHEST = timedelta(days=366 * 41)  # from one 29 February that is a Sunday to the next it can be 40 years


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a source is due.

    Attributes:
        text: as it was written.
        seconds: the interval; None: it is a cron expression.
        jitter: each turn comes up to so many seconds later, by chance.
    """

    text: str
    seconds: float | None = None
    jitter: float = 0.0

    def trigger(self, first: datetime | None = None) -> Trigger:
        """The library's form of it.

        Args:
            first: when an interval begins; one interval from now, if not given.
        """
        if self.seconds is not None:
            return Trigger(IntervalTrigger(seconds=self.seconds, start_date=first, timezone=UTC), self.jitter)
        triggers = [CronTrigger(**fields, timezone=UTC) for fields in _fields(self.text)]
        return Trigger(triggers[0] if len(triggers) == 1 else OrTrigger(triggers), self.jitter)


class Trigger(BaseTrigger):  # type: ignore[misc] # the library ships no types
    """When turns are due, each somewhat later by chance, but never so late that it meets the next one.

    The library adds its jitter to an interval again and again: 15 minutes with a jitter of 5 become 17.5 on average.
    Here a turn is late, and the ones after it are where they would have been.

    Args:
        plain: the turns without jitter.
        jitter: in seconds.
    """

    def __init__(self, plain: BaseTrigger, jitter: float = 0.0) -> None:
        self._plain, self._jitter = plain, jitter
        self._around: tuple[datetime, datetime] | None = None

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The turn after the one before, as the library asks for it."""
        due = self._from(now if previous is None else previous + _MOMENT)
        return due if due is None or not self._jitter else due + self._late(due)

    def between(self, one: datetime, other: datetime) -> int:
        """How many turns lie between two of them, however late those two are; counted up to a thousand."""
        last, count = self._before(other), 0
        moment = self._from(one + _MOMENT)
        while count < _MOST and moment is not None and last is not None and moment < last:
            moment, count = self._from(moment + _MOMENT), count + 1
        return count

    def gap(self, now: datetime) -> float:
        """Seconds between the last turn and the next one: overnight it is the night, by day the quarter of an hour."""
        around = self._around
        if around is not None and now >= around[1] and (after := self._from(around[1] + _MOMENT)) is not None:
            around = around[1], after  # mostly time went on by one turn, and no one needs to search
        if around is None or not around[0] <= now < around[1]:
            before = self._before(now)
            after = self._from(now if before is None else before + _MOMENT)
            if after is None or before is None:
                return 0.0
            around = before, after
        self._around = around
        return (around[1] - around[0]).total_seconds()

    def _from(self, moment: datetime) -> datetime | None:
        """The first turn that is not earlier than a moment."""
        due: datetime | None
        if isinstance(self._plain, IntervalTrigger):  # the library knows no turn before the first, nor one just missed
            step, begins = self._plain.interval, self._plain.start_date
            due = begins - (begins - moment) // step * step
        else:
            due = self._plain.get_next_fire_time(None, moment)
        return due

    def _before(self, moment: datetime) -> datetime | None:
        """The last turn that is not later than a moment; the library looks ahead only, so it is met from behind."""
        if isinstance(self._plain, IntervalTrigger):
            step, begins = self._plain.interval, self._plain.start_date
            last: datetime = begins + (moment - begins) // step * step
            return last
        back = timedelta(minutes=1)
        while (found := self._from(moment - back)) is None or found > moment:
            if back > _FARTHEST:
                return None
            back *= 2
        while (later := self._from(found + _MOMENT)) is not None and later <= moment:
            found = later
        return found

    def _late(self, due: datetime) -> timedelta:
        after = self._from(due + _MOMENT)
        room = self._jitter if after is None else min(self._jitter, (after - due).total_seconds() * 0.9)
        return timedelta(seconds=random.uniform(0, room))  # noqa: S311 - no secret


def turns(text: str, seconds: float | None, jitter: float = 0.0) -> Schedule:
    """Understand when something is due.

    Args:
        text: an interval or a cron expression.
        seconds: what the interval is; None for a cron expression.
        jitter: in seconds.

    Raises:
        UsageError: it is no cron expression, or it never comes.
    """
    found = Schedule(text, seconds, jitter)
    if seconds is None:
        try:
            coming = found.trigger().get_next_fire_time(None, datetime.now(UTC))
        except ValueError as error:
            raise UsageError(f"the schedule {text!r} is not understood: {error}") from error
        if coming is None:
            raise UsageError(f"the schedule {text!r} never comes; give a day that the month has")
    return found


def _fields(text: str) -> list[dict[str, str]]:
    """The fields of the library's triggers, any of which may fire."""
    lowered = " ".join(text.lower().split())
    words = _MACROS.get(lowered, lowered).split()
    if len(words) != len(_FIELDS):
        raise ValueError(f"give {', '.join(_FIELDS[:-1])} and {_FIELDS[-1]}, or one of {', '.join(_MACROS)}")
    minute, hour, day, month, weekday = words
    time = {"minute": minute, "hour": hour, "month": _named(month, _MONTHS, 1)}
    of_month, of_week = {**time, "day": day}, {**time, "day_of_week": _week(weekday)}
    if weekday.startswith("*") or day.startswith("*"):
        return [{**of_month, "day_of_week": _week(weekday)}]
    return [of_month, of_week]


def _week(text: str) -> str:
    """Days of the week as names, since the library has other numbers for them; a week is round."""
    if text == "*":
        return text
    found: list[str] = []
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"the day of the week {part!r} is none; give sun to sat, or 0 to 7 (0 and 7 are Sunday)")
        first, last, step = match.groups()
        low, high = (0, _WEEK - 1) if first == "*" else (_day(first), _day(last or first))
        span = (high - low) % _WEEK
        found += [_DAYS[(low + n) % _WEEK] for n in range(0, span + 1, int(step or 1))]
    return ",".join(dict.fromkeys(found))


def _day(word: str) -> int:
    known = {name: n for n, name in enumerate(_DAYS)} | {str(n): n % _WEEK for n in range(_WEEK + 1)}
    known |= {f"{name}day": n for n, name in enumerate(("sun", "mon", "tues", "wednes", "thurs", "fri", "satur"))}
    if word not in known:
        raise ValueError(f"the day of the week {word!r} is none; give sun to sat, or 0 to 7 (0 and 7 are Sunday)")
    return known[word]


def _named(text: str, names: tuple[str, ...], low: int) -> str:
    """Names as numbers."""
    numbers = {name: str(n) for n, name in enumerate(names, low)}
    return re.sub(r"[a-z]+", lambda word: numbers.get(word[0][:3], word[0]), text)
