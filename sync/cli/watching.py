"""Health pages and metrics export; failures here never fail a run."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sync import logs
from sync.cli.setup import checked_connection
from sync.domain.metrics import ProcessMetrics
from sync.errors import DatabaseRefusedError
from sync.settings import Secret, Settings
from sync.store.connection import Target
from sync.store.errors import why_read_only
from sync.threads import start
from sync.wiring import read_again

if TYPE_CHECKING:
    from sync.metrics.collector import MetricsCollector
    from sync.metrics.monitor import Monitor
    from sync.metrics.server import Page

_log = logs.get(__name__)
_PATIENCE = 4.0  # seconds that the end of a daemon waits for its metrics to be published


def monitor(target: Target, process_metrics: ProcessMetrics, only: Collection[str] | None = None) -> Monitor:
    """The monitor of these sources, or of all; it never waits long for the database."""
    from sync.metrics.monitor import Monitor
    from sync.store.queries.metrics import MetricsQuery

    return Monitor(MetricsQuery(with_short_timeouts(target), only).source_metrics, process_metrics)


def check_ready(target: Target) -> None:
    """Check that the database answers, has the program's schema, and takes changes.

    Raises:
        StoreError: the database does not answer, or is read-only.
        SchemaVersionError: the schema is another one.
    """
    with checked_connection(with_short_timeouts(target)) as connection:
        if reason := why_read_only(connection):
            raise DatabaseRefusedError(reason)


def publish(loaded: Settings, monitor: Monitor, grouping: Mapping[str, str]) -> None:
    """Write and push the metrics, as the settings say; never fails a run."""
    from sync.metrics import publish

    if not (loaded.metrics_file or loaded.metrics_push):
        return
    try:
        metrics = monitor.metrics(refresh=True)
        if loaded.metrics_file:
            publish.write(metrics, loaded.metrics_file)
        if loaded.metrics_push:
            _push(metrics, loaded, loaded.metrics_push, dict(grouping))
    except Exception as error:  # noqa: BLE001 - whatever it is, runs and later metrics go on
        _log.error("metrics not published", reason=logs.unexpected(error))


def _push(metrics: MetricsCollector, loaded: Settings, address: Secret, grouping: dict[str, str]) -> None:
    from sync.metrics import publish

    def newer(reason: str) -> str | None:
        return address.reveal() if read_again(loaded, ("metrics_push",), reason) else None

    publish.push(metrics, address.reveal(), grouping, newer)


@contextmanager
def listening(host: str, port: int, pages: Mapping[str, Page]) -> Iterator[None]:
    """Serve the pages for as long as the block lasts.

    Raises:
        UsageError: the address can't be listened on.
    """
    from sync.metrics.server import Listener

    with Listener(host, port, pages) as listener:
        _log.info("listening", host=host, port=listener.port, pages=list(pages))
        yield


@contextmanager
def publishing(loaded: Settings, monitor: Monitor) -> Iterator[threading.Event]:
    """Publish in a thread of its own whenever the event is set, and once more at the end, if the settings say where."""
    changed, ended = threading.Event(), threading.Event()
    if not (loaded.metrics_file or loaded.metrics_push):
        yield changed
        return

    def work() -> None:
        while not ended.is_set():
            changed.wait()
            changed.clear()
            publish(loaded, monitor, {})

    thread = threading.Thread(target=work, daemon=True, name="metrics")
    start(thread)
    try:
        yield changed
    finally:
        ended.set()
        changed.set()
        thread.join(_PATIENCE)


def with_short_timeouts(target: Target) -> Target:
    """The same database, for callers that prefer no answer to a late one."""
    return replace(target, connect_timeout=3, lock_timeout=1.0, statement_timeout=3.0, margin=1.0)
