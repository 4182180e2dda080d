"""The outcome of a run, from which its record, its JSON and its exit code are derived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sync.domain.guard import Plan
from sync.domain.run import RequestStats
from sync.domain.status import EXIT_CODES, Status
from sync.domain.values import iso


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run: one JSON object of ``image-sync run --format json``.

    Attributes:
        run: its number, or None for a dry run.
        source: name of its source.
        status: how it ended.
        reason: why it ended with this status, in words, or "".
        proven, proof: whether its list was proven complete, and why it was or was not, in words.
        proven_by: how: whole, cover or count; None if it was not.
        effective_at: when it took effect; None for a dry run.
        received: records that came in the last reading, and afterwards for images that were looked up.
        listed: distinct images that the list showed.
        total: number of images by the cloud's last answer, or None if it gave no usable one.
        plan: the changes it made, as numbers.
        unchanged: images that are as stored.
        duplicates: images that came more than once.
        quarantined: records that could not be read as an image, or contradicted each other.
        missing: live images that the list lacked.
        still_there, unconfirmed, pending: those of them that are not gone, or not known to be; see ``Missing``.
        type_mismatches: values that did not fit their column.
        stats: its requests to the cloud.
        read_attempts: number of readings of the list: one, or two that prove it together.
        held_by: numbers of the runs to approve, for the deletions that are held.
    """

    run: int | None
    source: str
    status: Status
    reason: str
    proven: bool
    proof: str
    proven_by: str | None
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
        """The exit code of the command for this status."""
        return EXIT_CODES[self.status]

    def as_json(self) -> dict[str, Any]:
        """The plain values of ``JSON_FIELDS``, from this outcome, its plan and its request statistics."""
        parts = (self, self.plan, self.stats)
        values = {name: next(getattr(part, name) for part in parts if hasattr(part, name)) for name in JSON_FIELDS}
        when = self.effective_at and iso(self.effective_at)
        return values | {"status": self.status.value, "effective_at": when, "held_by": list(self.held_by)}


JSON_FIELDS = (
    *(
        "run",
        "source",
        "status",
        "reason",
        "proven",
        "proof",
        "proven_by",
        "effective_at",
        "received",
        "listed",
        "total",
    ),
    *(
        "created",
        "updated",
        "restored",
        "deleted",
        "invisible",
        "held",
        "held_by",
        "unchanged",
        "duplicates",
        "quarantined",
    ),
    *("missing", "still_there", "unconfirmed", "pending", "type_mismatches", "read_attempts"),
    *("requests", "retries", "bytes"),
)
