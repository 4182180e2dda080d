"""Numbers about sources and their runs, for who watches them: what the database says, and what only a process knows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

_LATE = 60.0  # seconds past its deadline, after which a run is overdue: until then it may be putting that on record
CHANGES = ("created", "updated", "restored", "deleted")


@dataclass(frozen=True, slots=True)
class SourceMetrics:
    """What is known of one source.

    Attributes:
        source: its name.
        proven_at: when its list was last proven complete.
        ended_at: when its last run ended, ...
        status: ... and how; skipped ones do not count.
        failed: failed, interrupted and abandoned runs since the last that took effect.
        held: deletions that wait for a person.
        missing: live images that the last proven list lacked, by state.
        quarantined: records that are no image.
        runs: ended runs, by status.
        sums: over all runs: changes by kind, requests, retries, throttled_ms.
    """

    source: str
    proven_at: datetime | None
    ended_at: datetime | None
    status: str | None
    failed: int
    held: int
    missing: Mapping[str, int]
    quarantined: int
    runs: Mapping[str, int] = field(default_factory=dict)
    sums: Mapping[str, int] = field(default_factory=dict)

    @property
    def live(self) -> int:
        """Images that exist: all that came, without all that went."""
        return self.sums.get("created", 0) + self.sums.get("restored", 0) - self.sums.get("deleted", 0)


@dataclass(slots=True)
class ProcessMetrics:
    """What only this process knows, by source; threads may write at the same time.

    Attributes:
        phases: seconds that each phase of the last run took.
        token_expiry: Unix time at which the token dies.
        intervals: seconds between the last turn of the schedule and the next one.
        sources: names of the sources that this process syncs, and tells of; None: all in the database.
        late: seconds past its deadline, after which a run is overdue.
        clock: seconds that only run.
    """

    phases: dict[str, Mapping[str, float]] = field(default_factory=dict)
    token_expiry: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, float] = field(default_factory=dict)
    sources: Collection[str] | None = None
    late: float = _LATE
    clock: Callable[[], float] = time.monotonic
    _under_way: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def under_way(self, source: str, deadline: float) -> Iterator[None]:
        """A run is under way for as long as the block lasts."""
        with self._lock:
            self._under_way[source] = self.clock(), deadline
        try:
            yield
        finally:
            with self._lock:
                self._under_way.pop(source, None)

    def overdue(self) -> str:
        """Which run should have ended by its deadline and did not, in a sentence; "" if none."""
        with self._lock:
            for source, (began, deadline) in self._under_way.items():
                if (seconds := self.clock() - began) > deadline + self.late:
                    return (
                        f"a run of source {source} is overdue: it began {seconds:.0f} s ago, "
                        f"its deadline is {deadline:g} s"
                    )
        return ""

    def ran(self, source: str, phases: Mapping[str, float], token_expiry: float | None) -> None:
        """A run is over."""
        with self._lock:
            self.phases[source] = phases
            if token_expiry is not None:
                self.token_expiry[source] = token_expiry

    def own(self, source: str) -> bool:
        """Whether this process tells of this source; one that was taken out of the settings would be stale for ever."""
        return self.sources is None or source in self.sources
