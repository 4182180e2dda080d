"""Metrics of a program that ends: a file for the textfile collector, and a pushgateway. Neither can fail a run."""

from __future__ import annotations

import os
import re
import ssl
import tempfile
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from prometheus_client import push_to_gateway, pushadd_to_gateway

from sync import logs
from sync.metrics.collector import MetricsCollector

_log = logs.get(__name__)
_PATIENCE = 3.0  # seconds
_JOB = "image-sync"
_UP = re.compile(rb"^image_sync_database_up .*$", re.MULTILINE)
Sending = Callable[[], None]


class _RefusedError(Exception):
    """The gateway's status is none of success."""


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
    host = parts.netloc.rpartition("@")[2]
    plain, login = f"{parts.scheme}://{host}{parts.path}", {}
    if parts.username:
        words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login["Authorization"] = f"Basic {b64encode(words.encode()).decode()}"
    tell = push_to_gateway if exposition.complete else pushadd_to_gateway

    def send(url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes) -> Sending:
        request = Request(url, data, dict(headers) | login, method=method)  # noqa: S310 - http or https, by the settings
        return lambda: _send(request, timeout)

    def work() -> None:
        try:
            tell(plain, _JOB, exposition.registry(), grouping, timeout=_PATIENCE, handler=send)
        except (OSError, HTTPException, ValueError, _RefusedError) as error:
            told.append(_why(error))
        else:
            told.append("")

    told: list[str] = []
    # The time-out is one of each read: a gateway that drips would hold up the end of the program.
    thread = threading.Thread(target=work, daemon=True, name="push")
    thread.start()
    thread.join(_PATIENCE)
    if reason := (told[0] if told else f"no answer within {_PATIENCE:g} s"):
        _log.warning("metrics not pushed", gateway=f"{parts.scheme}://{host}", reason=reason)


def _send(request: Request, timeout: float | None) -> None:
    """Without redirects, and with a proxy of the environment for https only: see docs/decisions/0005."""
    opener = OpenerDirector()
    proxies: Mapping[str, str] | None = None if request.type == "https" else {}
    for handler in (ProxyHandler(dict(proxies) if proxies is not None else None), HTTPHandler(), HTTPSHandler()):
        opener.add_handler(handler)
    with opener.open(request, timeout=timeout) as answer:
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _RefusedError(f"HTTP {answer.status}")


def _why(error: Exception) -> str:
    """Why, in words of this machine: those of the HTTP library quote what the gateway or a proxy said, or the login."""
    if isinstance(error, _RefusedError):
        return str(error)
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed ({cause.reason or type(cause).__name__}); check certificate and clock"
    if isinstance(cause, TimeoutError):
        return f"no answer within {_PATIENCE:g} s"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return f"no valid answer came ({type(cause).__name__}); is there a proxy in between?"
