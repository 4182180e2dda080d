"""Metrics of a program that ends: a file for the textfile collector, and a pushgateway. Neither can fail a run."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from prometheus_client import push_to_gateway, pushadd_to_gateway

from sync import logs
from sync.errors import TransportError
from sync.metrics.collector import MetricsCollector
from sync.transport import HttpTransport

_log = logs.get(__name__)
_PATIENCE = 3.0  # seconds
_JOB = "image-sync"
_UP = re.compile(rb"^image_sync_database_up .*$", re.MULTILINE)
_SUCCESS = range(200, 300)


def write(exposition: MetricsCollector, file: Path) -> None:
    """Replace the file as a whole, so that no one reads half of it.

    Where the database had no say, all that it said last stays, and that it is away is said: an alert that a source is
    stale must not end because nobody knows any more.
    """
    name = ""
    try:
        text = exposition.text()
        if not exposition.complete and file.exists():
            text = _UP.sub(b"image_sync_database_up 0.0", file.read_bytes())
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(handle, "wb") as out:
            out.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        _log.warning("metrics not written", file=str(file), reason=error.strerror or str(error))


def push(exposition: MetricsCollector, address: str, grouping: dict[str, str]) -> None:
    """Push them, replacing what this group had; where the database had no say, what it said last stays.

    Args:
        exposition: the metrics.
        address: of the gateway; a user and password in it are sent as such.
        grouping: labels of the group beside the job.
    """
    parts = urlsplit(address)
    gateway = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    login = {}
    if parts.username:
        words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login["Authorization"] = f"Basic {b64encode(words.encode()).decode()}"
    tell = push_to_gateway if exposition.complete else pushadd_to_gateway

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
            tell(gateway + parts.path, _JOB, exposition.registry(), grouping, timeout=_PATIENCE, handler=handler)
        except TransportError as error:
            reasons.append(str(error))

    reasons: list[str] = []
    # The transport ends every exchange in time, but no limit holds for looking up the name of a host.
    thread = threading.Thread(target=work, daemon=True, name="push")
    thread.start()
    thread.join(_PATIENCE)
    if reason := (reasons[0] if reasons else f"no answer within {_PATIENCE:g} s"):
        _log.warning("metrics not pushed", gateway=gateway, reason=reason)
