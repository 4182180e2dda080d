"""What a run is about to do, and whether its deletions may go through.

The guard sees the whole plan before the first row is written. It withholds deletions and nothing else: what was created
or changed goes through whatever it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sync.errors import InterruptedRunError, SupersededError


class Status(Enum):
    """How a run ended, or that it has not yet; the words in ``inventory.runs.status``."""

    RUNNING = "running"
    DONE = "done"
    WITHHELD = "withheld"  # done, but deletions were not made: not proven, not confirmed, or held
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SUPERSEDED = "superseded"  # another run of the source was ahead; nothing was written
    SKIPPED = "skipped"  # not started, because the run before it had not ended, or its turn was missed
    ABANDONED = "abandoned"  # its process was killed, or it can no longer commit


def status_of(error: BaseException) -> Status:
    """How a run ended that an error ended."""
    if isinstance(error, SupersededError):
        return Status.SUPERSEDED
    return Status.INTERRUPTED if isinstance(error, InterruptedRunError | KeyboardInterrupt) else Status.FAILED


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be deleted without a person's word.

    Attributes:
        images: so many in one run are always fine, ...
        percent: ... and so many of a hundred live ones are.
        day_images: the same over the last 24 hours, deletions of earlier runs included, ...
        day_percent: ... and in percent.
    """

    images: int = 10
    percent: float = 20
    day_images: int = 10
    day_percent: float = 20


@dataclass(frozen=True, slots=True)
class Candidates:
    """The images that are missing and confirmed gone, seen against the inventory.

    Attributes:
        live: live images of the source before this run.
        gone: confirmed gone, approved ones not counted.
        waiting: those of them that an earlier run withheld.
        approved: confirmed gone and released by a person.
        day: deleted within the last 24 hours by earlier runs, without a person's word.
        listed: different images that the list showed.
    """

    live: int
    gone: int
    waiting: int = 0
    approved: int = 0
    day: int = 0
    listed: int = 0


def withhold(candidates: Candidates, limits: Limits) -> tuple[int, str]:
    """Decide which deletions of a run to hold: all that no person approved, or those that wait for a person already.

    What was withheld once waits for a person's word, however few it has become.

    Returns:
        how many, and the reason in words; 0 and "" if all may go through.
    """
    if reason := guard(candidates, limits):
        return candidates.gone, reason
    waiting = candidates.waiting
    return waiting, f"{waiting} deletions that were withheld wait for approval" if waiting else ""


def guard(candidates: Candidates, limits: Limits) -> str:
    """Look at the deletions of a run as a whole.

    Returns:
        "" if they may go through, else the reason to hold them, in words.
    """
    if not candidates.gone:
        return ""
    if not candidates.listed and candidates.live:
        return f"the list is empty, and {candidates.live} images are live: an empty list is never believed"
    if _beyond(candidates.gone, candidates.live, limits.images, limits.percent):
        return _words(candidates.gone, candidates.live, "are gone", limits.images, limits.percent)
    total = candidates.gone + candidates.day
    if _beyond(total, candidates.live + candidates.day, limits.day_images, limits.day_percent):
        live = candidates.live + candidates.day
        return _words(total, live, "went within 24 hours", limits.day_images, limits.day_percent)
    return ""


def _beyond(gone: int, live: int, images: int, percent: float) -> bool:
    return gone > images and gone * 100 > live * percent


def _words(gone: int, live: int, what: str, images: int, percent: float) -> str:
    return f"{gone} of {live} images {what}: more than {images} and more than {percent:g} %"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does to the tables, in images.

    Attributes:
        created: seen for the first time.
        updated: live, with other content than before.
        restored: deleted before, and back.
        deleted: to be marked deleted.
        approved: of the deleted: those released by a person.
        held: missing, and withheld by the guard.
        quarantined: contradictory records found while staging.
        reason: why deletions are withheld, or "".
        outdated: versions that end with an update.
    """

    created: int = 0
    updated: int = 0
    restored: int = 0
    deleted: int = 0
    held: int = 0
    quarantined: int = 0
    reason: str = ""
    approved: int = 0
    outdated: int = 0

    @property
    def changes(self) -> int:
        """How many images change."""
        return self.created + self.updated + self.restored + self.deleted
