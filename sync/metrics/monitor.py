"""What a daemon says of itself to who asks: alive, ready, and its metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from sync import logs
from sync.domain.metrics import ProcessMetrics, SourceMetrics
from sync.errors import ImageSyncError
from sync.logs import escape, mask
from sync.metrics.collector import CONTENT_TYPE, MetricsCollector
from sync.metrics.server import Answer, Page

_log = logs.get(__name__)
_FRESH = 5.0  # seconds that an answer of the database is good for
_PATIENCE = 3.0  # seconds


class Monitor:
    """Keeps the figures for a moment, so that who asks often costs little.

    Args:
        ask: the figures, from the database.
        process_metrics: what the process knows.
    """

    def __init__(self, ask: Callable[[], Sequence[SourceMetrics]], process_metrics: ProcessMetrics) -> None:
        self._ask, self._process_metrics = ask, process_metrics
        self._lock = threading.Lock()
        self._known: Sequence[SourceMetrics] = ()
        self._up, self._until = False, 0.0

    def exposition(self, *, afresh: bool = False) -> MetricsCollector:
        """The metrics now; where the database gives no answer, as they last were.

        Args:
            afresh: ask even if the last answer is not old.
        """
        if self._lock.acquire(timeout=_PATIENCE):
            try:
                if afresh or time.monotonic() >= self._until:
                    self._refresh()
            finally:
                self._lock.release()
            return MetricsCollector(self._known, self._process_metrics, up=self._up)
        return MetricsCollector(
            self._known, self._process_metrics, up=False
        )  # someone else waits for the database already

    def _refresh(self) -> None:
        try:
            self._known, self._up = self._ask(), True
        except ImageSyncError as error:
            self._up = False
            _log.debug("figures not read", reason=str(error))
        self._until = time.monotonic() + _FRESH

    def pages(self, alive: Callable[[], bool], ready: Callable[[], None]) -> Mapping[str, Page]:
        """What to serve.

        Args:
            alive: whether the program does its work.
            ready: raises an error of ours where it can't do it now.
        """
        return {
            "/healthz": lambda: self._health(alive),
            "/readyz": lambda: _ready(ready),
            "/metrics": lambda: Answer(200, self.exposition().text(), CONTENT_TYPE),
        }

    def _health(self, alive: Callable[[], bool]) -> Answer:
        wrong = self._process_metrics.overdue() if alive() else "the scheduler is stuck"
        return Answer(503, f"{escape(mask(wrong))}\n".encode()) if wrong else Answer(200, b"ok\n")


def _ready(ready: Callable[[], None]) -> Answer:
    try:
        ready()
    except ImageSyncError as error:
        return Answer(503, escape(mask(str(error))).encode() + b"\n")
    return Answer(200, b"ok\n")
