"""Records the turns that were skipped, without holding up the schedule."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from queue import Full, Queue

from sync import logs
from sync.errors import ImageSyncError
from sync.threads import start

_MOST_WAITING = 1_000  # turns; more are only logged
_log = logs.get(__name__)


class SkipRecorder:
    """A thread that records; a database that is slow or unavailable holds up nothing else.

    Args:
        record: records a turn: its name, when it was due, and why it was skipped.
    """

    def __init__(self, record: Callable[[str, datetime, str], None]) -> None:
        self._record = record
        self._queue: Queue[tuple[str, datetime, str] | None] = Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._work, daemon=True, name="skips")
        start(self._thread)

    def __call__(self, name: str, due: datetime, reason: str) -> None:
        """Log a skipped turn, and have it recorded soon."""
        _log.warning("run skipped", source=name, due=due.isoformat(), reason=reason)
        try:
            self._queue.put_nowait((name, due, reason))
        except Full:
            _log.warning("skipped run not recorded", source=name, reason="too many wait for the database")

    def close(self, patience: float) -> None:
        """Record the turns that still wait, for at most this many seconds."""
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
            except Exception:  # noqa: BLE001 - the next one may still be recorded
                _log.exception("skipped run not recorded", source=turn[0])
