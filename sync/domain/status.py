"""How a run ended, as a word, and the exit code that says the same."""

from __future__ import annotations

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


EXIT_CODES = {
    Status.DONE: 0,
    Status.WITHHELD: 4,
    Status.FAILED: 1,
    Status.INTERRUPTED: 1,
    Status.SUPERSEDED: 3,
    Status.SKIPPED: 3,
}


def status_of(error: BaseException) -> Status:
    """The status of a run that this error ended."""
    if isinstance(error, SupersededError):
        return Status.SUPERSEDED
    return Status.INTERRUPTED if isinstance(error, InterruptedRunError | KeyboardInterrupt) else Status.FAILED
