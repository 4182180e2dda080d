"""Delivers metrics to a file for the textfile collector, and to a pushgateway; neither can fail a run."""

from __future__ import annotations

import re
import threading
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from prometheus_client import push_to_gateway, pushadd_to_gateway

from sync import logs
from sync.errors import TransportError
from sync.files import write_file
from sync.metrics.collector import MetricsCollector
from sync.threads import start
from sync.transport import HttpTransport

_log = logs.get(__name__)
_PATIENCE = 3.0  # seconds
_JOB = "image-sync"
_UP = re.compile(rb"^image_sync_database_up .*$", re.MULTILINE)
_SUCCESS = range(200, 300)
_REFUSED = ("HTTP 401", "HTTP 403")
_FOR_ALL = 0o644  # the collector is another user, and a service's umask may be 077


def write(metrics: MetricsCollector, file: Path) -> None:
    """Replace the file as a whole.

    If the database did not answer, its last metrics stay in the file, beside one that says so: an alert that a source
    is stale must not end because the database is away.
    """
    if file.exists() and not file.is_file():  # a pipe without a reader would hold up the run
        _log.warning(
            "metrics not written", file=str(file), reason="it is not a regular file, and collectors read no other"
        )
        return
    try:
        text = metrics.text()
        if not metrics.complete and file.is_file():
            text = _UP.sub(b"image_sync_database_up 0.0", file.read_bytes())
        write_file(file, text, new_mode=_FOR_ALL)
    except OSError as error:
        _log.warning("metrics not written", file=str(file), reason=error.strerror or str(error))


def push(
    metrics: MetricsCollector,
    address: str,
    grouping: dict[str, str],
    newer: Callable[[str], str | None] = lambda _reason: None,
) -> None:
    """Push metrics, replacing those of their group; if the database did not answer, its last metrics stay.

    Args:
        metrics: what is pushed.
        address: the gateway's; a user and password in it are sent as basic authentication.
        grouping: labels of the group, in addition to the job.
        newer: takes the reason of a refusal, and returns the address that its file holds by now, if it is another one.
    """
    gateway, reason = _push(metrics, address, grouping)
    if reason in _REFUSED and (new := newer(reason)):
        gateway, reason = _push(metrics, new, grouping)
    if reason:
        _log.warning("metrics not pushed", gateway=gateway, reason=reason)


def _push(metrics: MetricsCollector, address: str, grouping: dict[str, str]) -> tuple[str, str]:
    """Push once; the gateway's address without its login, and the reason if it failed, else ""."""
    parts = urlsplit(address)
    gateway = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    login = {}
    if parts.username:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login["Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
    push_metrics = push_to_gateway if metrics.complete else pushadd_to_gateway

    def handler(
        url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        def send() -> None:
            with HttpTransport(url, timeout or _PATIENCE) as http:
                status = http.send(method, url, dict(headers) | login, data).status
            reasons.append("" if status in _SUCCESS else f"HTTP {status}")

        return send

    def work() -> None:
        try:
            push_metrics(gateway + parts.path, _JOB, metrics.registry(), grouping, timeout=_PATIENCE, handler=handler)
        except TransportError as error:
            reasons.append(str(error))
        except Exception as error:  # noqa: BLE001 - a thread would print it, with the gateway's password
            reasons.append(f"unexpected {type(error).__name__}")

    reasons: list[str] = []
    # The transport ends every exchange in time, but nothing limits the lookup of a host name.
    thread = threading.Thread(target=work, daemon=True, name="push")
    start(thread)
    thread.join(_PATIENCE)
    return gateway, reasons[0] if reasons else f"no answer within {_PATIENCE:g} s"
