"""Puts on record what was due and did not begin, without holding up the schedule."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from queue import Full, Queue

from sync import logs
from sync.errors import ImageSyncError

_WAITING = 1_000  # what is more is only logged
_log = logs.get(__name__)


class SkipRecorder:
    """A thread that records; a database that is away or slow holds up nobody but itself.

    Args:
        record: puts a turn on record, by its name, with when it was due and why it was not taken.
    """

    def __init__(self, record: Callable[[str, datetime, str], None]) -> None:
        self._record = record
        self._queue: Queue[tuple[str, datetime, str] | None] = Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, daemon=True, name="skips")
        self._thread.start()

    def __call__(self, name: str, due: datetime, reason: str) -> None:
        """Log a turn that was not taken, and have it recorded soon."""
        _log.warning("run skipped", source=name, due=due.isoformat(), reason=reason)
        try:
            self._queue.put_nowait((name, due, reason))
        except Full:
            _log.warning("skipped run not recorded", source=name, reason="too many wait for the database")

    def close(self, patience: float) -> None:
        """Record what waits, for at most so many seconds."""
        try:
            self._queue.put(None, timeout=patience)
        except Full:
            return
        self._thread.join(patience)

    def _work(self) -> None:
        while (turn := self._queue.get()) is not None:
            try:
                self._record(*turn)
            except ImageSyncError as error:
                _log.warning("skipped run not recorded", source=turn[0], reason=str(error))
            except Exception:  # noqa: BLE001 - the next one may be recorded all the same
                _log.exception("skipped run not recorded", source=turn[0])
