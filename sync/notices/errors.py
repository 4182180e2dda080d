"""The errors of notices that did not reach their receiver.

NoticeError                           exit 1
├── ReceiverAwayError                 worth retrying; may say how long to wait
└── ReceiverRefusesError              the receiver rejects it
"""

from __future__ import annotations

from sync.errors import ImageSyncError


class NoticeError(ImageSyncError):
    """A notice did not reach its receiver."""


class ReceiverAwayError(NoticeError):
    """The receiver of notices is unavailable; ``wait`` has the seconds that it says to wait, or None."""

    def __init__(self, message: str | None = None, *, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(message)


class ReceiverRefusesError(NoticeError):
    """The receiver rejects a notice."""
