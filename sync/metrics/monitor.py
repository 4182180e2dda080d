"""The pages of a daemon: whether it is alive, whether it is ready, and its metrics."""

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
_FRESH = 5.0  # seconds that the metrics of the database are kept
_PATIENCE = 3.0  # seconds to wait while another thread asks the database


class Monitor:
    """Keeps the metrics for some seconds, so that frequent requests cost little.

    Args:
        read: reads the metrics of the sources from the database.
        process_metrics: the metrics that only this process knows.
    """

    def __init__(self, read: Callable[[], Sequence[SourceMetrics]], process_metrics: ProcessMetrics) -> None:
        self._read, self._process_metrics = read, process_metrics
        self._lock = threading.Lock()
        self._source_metrics: Sequence[SourceMetrics] = ()
        self._up, self._until = False, 0.0

    def metrics(self, *, refresh: bool = False) -> MetricsCollector:
        """The metrics now; if the database does not answer, its last values.

        Args:
            refresh: read the metrics anew, however recent they are.
        """
        acquired = self._lock.acquire(timeout=_PATIENCE)  # else another thread waits for the database already
        if acquired:
            try:
                if refresh or time.monotonic() >= self._until:
                    self._refresh()
            finally:
                self._lock.release()
        return MetricsCollector(self._source_metrics, self._process_metrics, up=acquired and self._up)

    def _refresh(self) -> None:
        try:
            self._source_metrics, self._up = self._read(), True
        except ImageSyncError as error:
            self._up = False
            _log.debug("metrics not read", reason=str(error))
        self._until = time.monotonic() + _FRESH

    def pages(self, alive: Callable[[], bool], ready: Callable[[], None]) -> Mapping[str, Page]:
        """The pages to serve, by path.

        Args:
            alive: whether the scheduler works.
            ready: raises an error of ours if a run could not begin now.
        """
        return {
            "/healthz": lambda: self._health(alive),
            "/readyz": lambda: _readiness(ready),
            "/metrics": lambda: Answer(200, self.metrics().text(), CONTENT_TYPE),
        }

    def _health(self, alive: Callable[[], bool]) -> Answer:
        problem = self._process_metrics.overdue() if alive() else "the scheduler is stuck"
        return _unavailable(problem) if problem else Answer(200, b"ok\n")


def _readiness(ready: Callable[[], None]) -> Answer:
    try:
        ready()
    except ImageSyncError as error:
        return _unavailable(str(error))
    return Answer(200, b"ok\n")


def _unavailable(problem: str) -> Answer:
    return Answer(503, f"{escape(mask(problem))}\n".encode())
