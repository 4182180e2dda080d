"""When something is due: an interval, or a cron expression as crontab understands it, in UTC.

The library counts days of the week from Monday as 0 and wants a day of the month and a day of the week to fit both;
crontab counts from Sunday as 0 (and 7), and takes a day that fits either. Here crontab is meant. Source: crontab(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

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
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEK = len(_DAYS)
_PART = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([1-9][0-9]?))?", re.ASCII)
_MOST = 1_000  # turns that are counted


@dataclass(frozen=True, slots=True)
class Turns:
    """When a source is due.

    Attributes:
        text: as it was written.
        seconds: the interval; None: it is a cron expression.
        jitter: each turn comes up to so many seconds later, by chance.
    """

    text: str
    seconds: float | None = None
    jitter: float = 0.0

    def trigger(self, first: datetime | None = None) -> BaseTrigger:
        """The library's form of it.

        Args:
            first: when an interval begins; now, if not given.
        """
        jitter = self.jitter or None
        if self.seconds is not None:
            return IntervalTrigger(seconds=self.seconds, start_date=first, timezone=UTC, jitter=jitter)
        triggers = [CronTrigger(**fields, timezone=UTC, jitter=jitter) for fields in _fields(self.text)]
        return triggers[0] if len(triggers) == 1 else OrTrigger(triggers)

    def between(self, one: datetime, other: datetime) -> int:
        """How many turns lie between two of them; counted up to a thousand."""
        if self.seconds is not None:
            return max(0, round((other - one).total_seconds() / self.seconds) - 1)
        plain, slack = Turns(self.text).trigger(), timedelta(seconds=self.jitter)
        moment, count = one, 0
        while count < _MOST and (moment := plain.get_next_fire_time(moment, moment + timedelta(seconds=1))):
            if moment + slack >= other:
                break
            count += 1
        return count

    def usual(self, now: datetime) -> float:
        """The usual time between two turns, in seconds: of a cron expression, the longest of the next few."""
        if self.seconds is not None:
            return self.seconds
        plain = Turns(self.text).trigger()
        moments = [plain.get_next_fire_time(None, now)]
        while len(moments) <= _WEEK + 1 and moments[-1] is not None:
            moments.append(plain.get_next_fire_time(moments[-1], moments[-1] + timedelta(seconds=1)))
        known = [moment for moment in moments if moment is not None]
        return max(((other - one).total_seconds() for one, other in pairwise(known)), default=0.0)


def turns(text: str, seconds: float | None, jitter: float = 0.0) -> Turns:
    """Understand when something is due.

    Args:
        text: an interval or a cron expression.
        seconds: what the interval is; None for a cron expression.
        jitter: in seconds.

    Raises:
        UsageError: it is no cron expression, or it never comes.
    """
    found = Turns(text, seconds, jitter)
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
    if len(words) != 5:  # noqa: PLR2004 - as the message says
        raise ValueError(f"give minute, hour, day, month and day of the week, or one of {', '.join(_MACROS)}")
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
