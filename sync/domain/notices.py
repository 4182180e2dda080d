"""What people may be told of a run that is over: the facts as the database has them, and a notice made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sync.domain.status import Status

Example = Mapping[str, str | None]
Number = int | float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """How many there are of something, and the first few of them by what is known of each."""

    count: int = 0
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the database says of a run that is over; the same whenever it is asked, but for ``waiting`` and ``day``.

    Attributes:
        run: its number.
        source: the source it was for.
        status: how it ended.
        started_at: when it began, by the database's clock.
        finished_at: when it ended.
        proven: whether its list was proven.
        proof: why it is or is not, in words.
        reason: why it ended so, in words.
        unconfirmed: missing images of which the cloud did not say whether they are gone.
        unconfirmed_before: as many after the run before it that took effect.
        proven_before: whether the list of the run before it that took effect was proven; None: there is none.
        failed: failed runs in a row: up to this one, or, of a run that took effect, before it.
        failed_told: as many had failed when the last of them ended that could tell of it; 0 if none could.
        held: deletions that it was the first to hold.
        waiting: deletions of the source that wait for a person, all runs together.
        exposed: changes by which more people may see or delete an image.
        quarantined: records that it met first, and that are no image.
        day: numbers of the UTC day before, where it is the first run of its own day that can tell.
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
    failed_told: int = 0
    held: Sample = field(default_factory=Sample)
    waiting: int = 0
    exposed: Sample = field(default_factory=Sample)
    quarantined: Sample = field(default_factory=Sample)
    day: Mapping[str, Number] | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that people should know.

    Attributes:
        id: the same however often it is sent; holds no full stop.
        kind: what it is about.
        source: the source; None for a test.
        run: the run that brought it about; None for a test.
        time: when it came about.
        sentence: for people.
        numbers: for programs.
        examples: the first few of what it is about.
    """

    id: str
    kind: str
    source: str | None
    run: int | None
    time: datetime
    sentence: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
