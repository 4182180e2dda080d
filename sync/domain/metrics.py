"""Numbers about sources and their runs, for monitoring: from the database, and from the running process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

_LATE = 60.0  # seconds of grace after the deadline, in which a run may still be recording its end
CHANGES = ("created", "updated", "restored", "deleted", "invisible")


CAME, WENT = ("created", "restored"), ("deleted", "invisible")


@dataclass(frozen=True, slots=True)
class SourceMetrics:
    """Numbers about one source.

    Attributes:
        source: its name.
        proven_at: when its list was last proven complete, or None if it never was.
        ended_at: when its last run ended, skipped runs not counted; None if there is none.
        status: how that run ended.
        in_future: seconds by which that run began or took effect in the future, as the database's clock was set back.
        failed: failed, interrupted and abandoned runs since the last run that took effect.
        held: number of deletions that wait for approval.
        missing: number of live images that the last proven list lacked, by state.
        quarantined: number of records that could not be read as an image.
        runs: number of ended runs, by status.
        sums: totals over all runs: changes by kind, requests, retries, throttled_ms.
    """

    source: str
    proven_at: datetime | None
    ended_at: datetime | None
    status: str | None
    in_future: float
    failed: int
    held: int
    missing: Mapping[str, int]
    quarantined: int
    runs: Mapping[str, int] = field(default_factory=dict)
    sums: Mapping[str, int] = field(default_factory=dict)

    @property
    def live(self) -> int:
        """Number of live images: all that were created or restored, minus those deleted or no longer visible."""
        came, went = (sum(self.sums.get(kind, 0) for kind in kinds) for kinds in (CAME, WENT))
        return came - went


@dataclass(slots=True)
class ProcessMetrics:
    """Numbers that only this process knows, by source; thread-safe.

    Attributes:
        phases: seconds that each phase of the last run took.
        token_expiry: Unix time at which the token expires.
        intervals: seconds between the last run on the schedule and the next one.
        sources: names of the sources that this process syncs and reports on; None for all in the database.
        late: seconds after its deadline from which a run is overdue.
        clock: a monotonic clock, in seconds.
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
        """Note that a run of a source is under way while the block lasts; its deadline is in seconds."""
        with self._lock:
            self._under_way[source] = self.clock(), deadline
        try:
            yield
        finally:
            with self._lock:
                self._under_way.pop(source, None)

    def overdue(self) -> str:
        """A sentence about a run that is past its deadline, or ""."""
        with self._lock:
            for source, (began, deadline) in self._under_way.items():
                if (seconds := self.clock() - began) > deadline + self.late:
                    return (
                        f"a run of source {source} is overdue: it began {seconds:.0f} s ago, "
                        f"its deadline is {deadline:g} s"
                    )
        return ""

    def ran(self, source: str, phases: Mapping[str, float], token_expiry: float | None) -> None:
        """Note the numbers of a run that has ended."""
        with self._lock:
            self.phases[source] = phases
            if token_expiry is not None:
                self.token_expiry[source] = token_expiry

    def own(self, source: str) -> bool:
        """Whether this process reports on a source; one removed from the settings would be stale for ever."""
        return self.sources is None or source in self.sources
