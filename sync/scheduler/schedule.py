"""When a source is due: at an interval, or as a cron expression says, read as crontab reads it, in UTC.

APScheduler counts days of the week from Monday as 0, and a day must fit both the day of the month and the day of the
week. crontab counts from Sunday as 0 (and 7), and a day that fits either will do. Source: crontab(5).
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
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WEEK = len(_DAYS)
_WEEKDAYS = re.compile(r"(\*|[0-7])(?:-([0-7]))?(?:/([1-9][0-9]?))?", re.ASCII)
_SHORTEST_NAME = 3  # letters
_JUST_AFTER = timedelta(milliseconds=1)  # less than lies between any two turns
_FARTHEST = timedelta(days=366 * 41)  # from one 29 February that is a Sunday to the next it can be 40 years


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a source is due.

    Attributes:
        text: as the user wrote it.
        seconds: the interval; None for a cron expression.
        jitter: each turn comes up to this many seconds later, at random.
    """

    text: str
    seconds: float | None = None
    jitter: float = 0.0

    def trigger(self, first: datetime | None = None) -> Trigger:
        """The trigger for APScheduler.

        Args:
            first: the start of the intervals; None for one interval from now.

        Raises:
            ValueError: the text is not a cron expression.
        """
        if self.seconds is not None:
            return Trigger(IntervalTrigger(seconds=self.seconds, start_date=first, timezone=UTC), self.jitter)
        return Trigger(OrTrigger([CronTrigger(**fields, timezone=UTC) for fields in _fields(self.text)]), self.jitter)


class Trigger(BaseTrigger):  # type: ignore[misc] # the library ships no types
    """Turns that come late at random, but never so late that they meet the next one.

    The jitter of APScheduler's intervals adds up: 15 minutes with a jitter of 5 become 17.5 on average. Here a turn is
    late, and the ones after it are where they would have been.

    Args:
        plain: the turns without jitter.
        jitter: in seconds.
    """

    def __init__(self, plain: BaseTrigger, jitter: float = 0.0) -> None:
        self._plain, self._jitter = plain, jitter

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The turn after the previous one, or the first one from now on."""
        due = self._from(now if previous is None else previous + _JUST_AFTER)
        if due is None or not self._jitter:
            return due
        after = self._from(due + _JUST_AFTER)
        room = self._jitter if after is None else min(self._jitter, (after - due).total_seconds() * 0.9)
        return due + timedelta(seconds=random.uniform(0, room))  # noqa: S311 - no secret

    def gap(self, now: datetime) -> float:
        """Seconds between the last turn and the next one; 0 if there is no such turn."""
        last = self._before(now)
        following = None if last is None else self._from(last + _JUST_AFTER)
        return 0.0 if last is None or following is None else (following - last).total_seconds()

    def _from(self, moment: datetime) -> datetime | None:
        """The first turn at this moment or later."""
        due: datetime | None
        if isinstance(self._plain, IntervalTrigger):  # its own has no turn before the first, even of a clock set back
            step, start = self._plain.interval, self._plain.start_date
            due = start - (start - moment) // step * step
        else:
            due = self._plain.get_next_fire_time(None, moment)
        return due

    def _before(self, moment: datetime) -> datetime | None:
        """The last turn at this moment or earlier; cron triggers only look ahead, so search from ever longer ago."""
        if isinstance(self._plain, IntervalTrigger):
            return self._from(moment - self._plain.interval + timedelta.resolution)
        back = timedelta(minutes=1)
        while (last := self._from(moment - back)) is None or last > moment:
            if back > _FARTHEST:
                return None
            back *= 2
        while (following := self._from(last + _JUST_AFTER)) is not None and following <= moment:
            last = following
        return last


def parse_schedule(text: str, seconds: float | None, jitter: float = 0.0) -> Schedule:
    """The schedule of an interval or a cron expression.

    Args:
        text: as the user wrote it.
        seconds: the interval; None for a cron expression.
        jitter: in seconds.

    Raises:
        UsageError: the text is not a cron expression, or no moment ever fits it.
    """
    schedule = Schedule(text, seconds, jitter)
    if seconds is None:
        try:
            due = schedule.trigger().get_next_fire_time(None, datetime.now(UTC))
        except ValueError as error:
            raise UsageError(f"the schedule {text!r} is not understood: {error}") from error
        if due is None:
            raise UsageError(f"the schedule {text!r} never comes; give a day that the month has")
    return schedule


def _fields(text: str) -> list[dict[str, str]]:
    """The fields of the cron triggers, any of which may fire."""
    lowered = " ".join(text.lower().split())
    words = _MACROS.get(lowered, lowered).split()
    if len(words) != len(_FIELDS):
        raise ValueError(f"give {', '.join(_FIELDS[:-1])} and {_FIELDS[-1]}, or one of {', '.join(_MACROS)}")
    minute, hour, day, month, weekday = words
    time = {"minute": minute, "hour": hour, "month": _numbered(month, _MONTHS, 1)}
    weekdays = {"day_of_week": _weekdays(weekday)}
    if weekday.startswith("*") or day.startswith("*"):
        return [time | {"day": day} | weekdays]
    return [time | {"day": day}, time | weekdays]


def _weekdays(text: str) -> str:
    """Days of the week as names, since APScheduler's numbers differ; a range may go past the end of the week."""
    if text == "*":
        return text
    days: list[str] = []
    for part in text.split(","):
        match = _WEEKDAYS.fullmatch(_numbered(part, _DAYS, 0))
        if match is None:
            raise ValueError(f"the day of the week {part!r} is none; give sun to sat, or 0 to 7 (0 and 7 are Sunday)")
        first, last, step = match.groups()
        low, high = (0, _WEEK - 1) if first == "*" else (int(first), int(last or first))
        high += _WEEK if high < low else 0
        days += [_DAYS[n % _WEEK][:3] for n in range(low, high + 1, int(step or 1))]
    return ",".join(dict.fromkeys(days))


def _numbered(text: str, names: tuple[str, ...], low: int) -> str:
    """The text with numbers instead of names, which may be cut short."""

    def number(word: re.Match[str]) -> str:
        matches = (str(n) for n, name in enumerate(names, low) if name.startswith(word[0]))
        return next(matches, word[0]) if len(word[0]) >= _SHORTEST_NAME else word[0]

    return re.sub("[a-z]+", number, text)
