"""The facts about a run that has ended, as the database has them, and the notices made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sync.domain.status import Status

Example = Mapping[str, str | None]
Number = int | float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """A count and the first few examples of what is counted.

    Attributes:
        count: how many there are.
        examples: the first few, each by its fields.
    """

    count: int = 0
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The facts about a run that has ended; later queries give the same, except for ``waiting`` and ``day``.

    Attributes:
        run: its number.
        source: name of its source.
        status: how it ended.
        started_at: when it began, by the database's clock.
        finished_at: when it ended.
        proven: whether its list was proven complete.
        proof: why it was or was not, in words.
        reason: why it ended with this status, in words.
        unconfirmed: number of missing images that the cloud did not confirm as gone or still there.
        unconfirmed_before: the same number after the previous run that took effect.
        proven_before: whether the list of the previous run that took effect was proven; None if there is none.
        failed: number of consecutive failed runs: up to this one, or, if this one took effect, before it.
        failed_notified: how many had failed when a notice could last be sent about them; 0 if there was no chance yet.
        held: deletions that this run was the first to hold.
        waiting: number of the source's deletions that wait for approval, from all runs.
        exposed: changes that let more people see or delete an image.
        quarantined: records that this run was the first to see and that could not be read as an image.
        day: numbers of the previous UTC day, if this is the first run of its day that can send notices; else None.
    """

    run: int
    source: str
    status: Status
    started_at: datetime
    finished_at: datetime
    proven: bool = False
    proof: str = ""
    reason: str = ""
    unconfirmed: int = 0
    unconfirmed_before: int = 0
    proven_before: bool | None = None
    failed: int = 0
    failed_notified: int = 0
    held: Sample = field(default_factory=Sample)
    waiting: int = 0
    exposed: Sample = field(default_factory=Sample)
    quarantined: Sample = field(default_factory=Sample)
    day: Mapping[str, Number] | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of news, to be read by people.

    Attributes:
        id: identifies the notice, however often it is sent; holds no full stop.
        kind: what it is about.
        source: name of the source; None for a test.
        run: number of the run that caused it; None for a test.
        time: when that happened.
        sentence: the news, human-readable.
        numbers: the news, for programs.
        examples: the first few images or records concerned.
    """

    id: str
    kind: str
    source: str | None
    run: int | None
    time: datetime
    sentence: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
