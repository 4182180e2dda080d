"""Numbers about sources and their runs, for who watches them: what the database says, and what only a process knows."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

CHANGES = ("created", "updated", "restored", "deleted")


@dataclass(frozen=True, slots=True)
class Figures:
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
class Vitals:
    """What only this process knows, by source; threads may write at the same time.

    Attributes:
        phases: seconds that each phase of the last run took.
        token_expiry: Unix time at which the token dies.
        intervals: seconds between the last turn of the schedule and the next one.
        sources: names of the sources that this process syncs, and tells of; None: all in the database.
    """

    phases: dict[str, Mapping[str, float]] = field(default_factory=dict)
    token_expiry: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, float] = field(default_factory=dict)
    sources: Collection[str] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def ran(self, source: str, phases: Mapping[str, float], token_expiry: float | None) -> None:
        """A run is over."""
        with self._lock:
            self.phases[source] = phases
            if token_expiry is not None:
                self.token_expiry[source] = token_expiry

    def own(self, source: str) -> bool:
        """Whether this process tells of this source; one that was taken out of the settings would be stale for ever."""
        return self.sources is None or source in self.sources
