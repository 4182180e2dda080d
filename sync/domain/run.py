"""The values that a run hands from one part to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from sync.domain.comparison import Comparison, Spool
from sync.domain.guard import Limits, Plan, Status
from sync.domain.image import iso
from sync.domain.proof.verdict import Proof, Verdict

EXIT_CODES = {
    Status.DONE: 0,
    Status.WITHHELD: 4,
    Status.FAILED: 1,
    Status.INTERRUPTED: 1,
    Status.SUPERSEDED: 3,
    Status.SKIPPED: 3,
}


_SMALL = 10_000  # images; up to here any growth is usual


@dataclass(frozen=True, slots=True)
class Source:
    """One cloud account and endpoint with one fixed filter.

    Attributes:
        name: its name in the settings; rows are keyed by (source, id).
        endpoint: URL of the API.
        filter: the filter, as a canonical query string; "" is everything.
        limits: what may be deleted without a person's word.
        max_read_attempts: how often the list is read, at most, to prove it.
        max_single_confirms: above so many missing images a second proven listing may stand in for single questions.
        grace: seconds after an image was first listed, or listed again, in which it is not believed gone.
        ignore: API names of fields whose change alone makes no version.
        deadline: seconds a run may take.
        max_images: the longest list that is believed, ...
        max_growth: ... and how many times as long as the inventory it may be; small ones may grow as they like.
    """

    name: str
    endpoint: str
    filter: str = ""
    limits: Limits = field(default_factory=Limits)
    max_read_attempts: int = 3
    max_single_confirms: int = 200
    grace: float = 300.0
    ignore: tuple[str, ...] = ()
    deadline: float = 900.0
    max_images: int = 5_000_000
    max_growth: int = 100

    def max_list_length(self, live: int) -> int:
        """How many images a list may have while so many are live."""
        return min(self.max_images, max(_SMALL, live * self.max_growth)) if live else self.max_images


@dataclass(frozen=True, slots=True)
class Run:
    """One try to sync one source.

    Attributes:
        number: its number in ``inventory.runs``, or None for a plan, which is not on record.
        source: the source it is for.
        epoch: how many runs of the source had committed when it began; the fence.
        started_at: by the database's clock.
    """

    number: int | None
    source: Source
    epoch: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class PageEvidence:
    """What one answer showed; a row of ``inventory.run_pages``."""

    reading: int
    offset: int
    rows: int
    first_id: str | None
    last_id: str | None
    total: int | None
    request_id: str | None
    milliseconds: int


@dataclass(slots=True)
class RequestStats:
    """What the run asked of the cloud, counted by several threads."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    throttled_seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def count(self, *, requests: int = 0, retries: int = 0, bytes: int = 0, throttled_seconds: float = 0.0) -> None:
        """Add what just happened."""
        with self._lock:
            self.requests += requests
            self.retries += retries
            self.bytes += bytes
            self.throttled_seconds += throttled_seconds

    @property
    def throttled_ms(self) -> int:
        """Milliseconds that the cloud had the run wait."""
        return round(self.throttled_seconds * 1000)

    def add_phase(self, phase: str, seconds: float) -> None:
        """Add to the time that a phase of the run took."""
        with self._lock:
            self.phases[phase] = self.phases.get(phase, 0.0) + seconds


@dataclass(frozen=True, slots=True)
class Reading:
    """One pass over the whole list."""

    verdict: Verdict
    pages: list[PageEvidence]


@dataclass(frozen=True, slots=True)
class Listing:
    """The images one run read, and how complete they are.

    Attributes:
        distinct: different ids that the list showed; the comparison also counts what answers by id showed later.
    """

    comparison: Comparison
    distinct: int
    proof: Proof
    verdict: Verdict
    pages: list[PageEvidence]
    read_attempts: int

    @property
    def total(self) -> int | None:
        """The number of images by the cloud's last word."""
        return self.pages[-1].total if self.pages else None


@dataclass(frozen=True, slots=True)
class Staged:
    """The changes of a listing, ready to be planned and written.

    Attributes:
        listing: the list they come from.
        spool: the changed images.
        first_load: whether the source has no images yet, so that the changed ones go straight to their table.
    """

    listing: Listing
    spool: Spool
    first_load: bool


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the cloud says of images that its list lacks.

    Attributes:
        gone: ids that it does not have any more.
        still_there: ids that it has all the same.
        failure: why it said nothing of the others, or "".
        pages: the evidence of the second listing, where one was read.
    """

    gone: frozenset[str] = frozenset()
    still_there: frozenset[str] = frozenset()
    failure: str = ""
    pages: tuple[PageEvidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """Live images that are not in a listing, and what is known of each: in exactly one of four places.

    Attributes:
        gone: ids that were confirmed gone.
        still_there: ids that the cloud has all the same: they left the filter.
        unconfirmed: ids of which nobody could say whether they are gone.
        pending: ids that were listed too recently to be believed gone, and until when that is so.
        doubt: why this run may delete none at all, or "".
        failure: why some are unconfirmed, or "".
        pages: the evidence of the second listing, where one was read.
    """

    gone: tuple[str, ...] = ()
    still_there: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    pending: Mapping[str, datetime] = field(default_factory=dict)
    doubt: str = ""
    failure: str = ""
    pages: tuple[PageEvidence, ...] = ()

    def __len__(self) -> int:
        return len(self.gone) + len(self.still_there) + len(self.unconfirmed) + len(self.pending)

    @property
    def reason(self) -> str:
        """Why deletions are withheld, or ""."""
        return self.doubt or self.failure

    @property
    def unseen(self) -> list[str]:
        """The ids that this run neither saw nor may believe gone."""
        return [*self.unconfirmed, *self.pending]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: one JSON object of ``image-sync run --format json``.

    ``held_by`` has the numbers of the runs to approve.
    """

    run: int | None
    source: str
    status: Status
    reason: str
    proven: bool
    proof: str
    effective_at: datetime | None
    received: int
    listed: int
    total: int | None
    plan: Plan
    unchanged: int
    duplicates: int
    quarantined: int
    missing: int
    still_there: int
    unconfirmed: int
    pending: int
    type_mismatches: int
    stats: RequestStats
    read_attempts: int
    held_by: tuple[int, ...] = ()

    @property
    def exit_code(self) -> int:
        """The exit code that tells the same."""
        return EXIT_CODES[self.status]

    def as_json(self) -> dict[str, Any]:
        """Flat names and plain values, in the order a person would read them."""
        return {name: self._value(name) for name in JSON_FIELDS}

    def _value(self, name: str) -> Any:
        """The value of a field, wherever it stands: here, in the plan, or in the statistics of requests."""
        holder = next(part for part in (self, self.plan, self.stats) if hasattr(part, name))
        value = getattr(holder, name)
        if isinstance(value, Status):
            return value.value
        if isinstance(value, datetime):
            return iso(value)
        return list(value) if isinstance(value, tuple) else value


JSON_FIELDS = (
    *("run", "source", "status", "reason", "proven", "proof", "effective_at", "received", "listed", "total"),
    *("created", "updated", "restored", "deleted", "held", "held_by", "unchanged", "duplicates", "quarantined"),
    *(
        "missing",
        "still_there",
        "unconfirmed",
        "pending",
        "type_mismatches",
        "read_attempts",
        "requests",
        "retries",
        "bytes",
    ),
)
