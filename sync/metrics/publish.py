"""Metrics of a program that ends: a file for the textfile collector, and a pushgateway. Neither can fail a run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote, urlsplit

from prometheus_client import push_to_gateway
from prometheus_client.exposition import basic_auth_handler, default_handler

from sync import logs
from sync.logs import mask
from sync.metrics.exposition import Exposition

_log = logs.get(__name__)
_PATIENCE = 3.0  # seconds
_JOB = "image-sync"
Sending = Callable[[], None]


def write(exposition: Exposition, file: Path) -> None:
    """Replace the file as a whole, so that no one reads half of it."""
    name = ""
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(handle, "wb") as out:
            out.write(exposition.text())
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        _log.warning("metrics not written", file=str(file), reason=error.strerror or str(error))


def push(exposition: Exposition, address: str, grouping: dict[str, str]) -> None:
    """Push them, replacing what this group had.

    Args:
        exposition: the metrics.
        address: of the gateway; a user and password in it are sent as such.
        grouping: labels of the group beside the job.
    """
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    plain = f"{parts.scheme}://{host}{parts.path}"

    def send(url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes) -> Sending:
        if parts.username:
            user, password = unquote(parts.username), unquote(parts.password or "")
            return basic_auth_handler(url, method, timeout, headers, data, user, password)
        return default_handler(url, method, timeout, headers, data)

    try:
        push_to_gateway(plain, _JOB, exposition.registry(), grouping, timeout=_PATIENCE, handler=send)
    except (OSError, HTTPException, ValueError) as error:
        _log.warning("metrics not pushed", gateway=f"{parts.scheme}://{host}", reason=mask(str(error)))
