"""One request over HTTP and its answer, bounded in bytes and time: the only module that opens HTTP connections.

No redirect is followed, since credentials and bodies would go along. No compressed answer is requested or accepted,
since 300 kB of it can become 300 MB. The library's time-outs apply to each read, so a server that drips could hold a
run forever: an alarm ends the whole exchange. Every error of the library becomes a ``TransportError`` here, without an
address, a header or a body in it, and without the library's error behind it, which holds the request and its secrets.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from threading import Event, Lock
from typing import Any, Self
from weakref import WeakSet

from sync import __version__
from sync.certificates import check_certificates
from sync.errors import EnvironmentVariableError, Fault, TransportError
from sync.logs import mask
from sync.proxies import proxy_for, without_login
from sync.threads import ALARMS

# The library's own command line, of no use here, would load rich and pygments: 70 ms of every start.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # makes its import fail, which the library allows
import httpx  # noqa: E402

OnHead = Callable[[int, Mapping[str, str]], None]
_FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # variables that name trusted certificates
_ERROR_BYTES = 64 * 1024  # of an error's body; the rest adds nothing
_MOST_SHOWN = 300  # characters of the system's text
# Beginnings of the HTTP library's messages about an answer that was cut short. They classify errors and are never
# shown: the rest quotes the answer, which may hold a token. Any other message is about an answer that is not HTTP.
_CUT_SHORT = ("Server disconnected", "peer closed connection", "peer unexpectedly closed connection")
_TLS = "TLS failed"
_CONNECTED = ("connect_tcp.complete", "start_tls.complete")


@dataclass(frozen=True, slots=True)
class Response:
    """One answer, good or not; its repr shows neither headers nor body, which may hold a secret.

    Attributes:
        status: the HTTP status.
        headers: by name, in upper or lower case.
        content: the body, or as much of an error's as is read.
        milliseconds: from the request to the end of the body.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    milliseconds: int


def trust() -> ssl.SSLContext:
    """A context that trusts the public authorities, or instead those that the environment names.

    Raises:
        EnvironmentVariableError: the environment names a file or folder that cannot be used.
    """
    check_certificates()
    return _trust(*map(os.environ.get, _FILES))


@cache
def _trust(*_files: str | None) -> ssl.SSLContext:
    """Load the certificates once for all connections: it takes 20 ms and more."""
    return httpx.create_ssl_context()


def host_and_path(url: str) -> tuple[str, str]:
    """The header ``Host``, and the path with its query, exactly as they are sent."""
    target = httpx.URL(url)
    return target.netloc.decode("ascii"), target.raw_path.decode("ascii")


class HttpTransport:
    """Carries requests to one server for a limited time; safe to use from several threads.

    Args:
        url: any address of the server.
        seconds: how long it may be used, from its ``with`` on; then open exchanges are cut off.

    Attributes:
        proxy: host and port of the proxy that carries its requests, or "".

    Raises:
        TransportError: proxies or certificates named in the environment cannot be used.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._seconds, self._over = seconds, Event()
        self._streams: WeakSet[Any] = WeakSet()
        self._lock = Lock()
        self._alarm: int | None = None
        try:
            proxy = proxy_for(url)
            self._http = _client(url, proxy)
            self.proxy = without_login(proxy or "")
        except EnvironmentVariableError as error:
            problem = TransportError(str(error), fault=Fault.ENVIRONMENT)
        except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
            reason = f"a proxy or certificates of the environment cannot be used ({type(error).__name__})"
            problem = TransportError(f"{reason}; check HTTPS_PROXY and SSL_CERT_FILE", fault=Fault.ENVIRONMENT)
        else:
            return
        raise problem  # raised here, it has no context that could show a proxy's login

    def __enter__(self) -> Self:
        self._alarm = ALARMS.set(self._seconds, self._cut_off)
        return self

    def __exit__(self, *_: object) -> None:
        if self._alarm is not None:
            ALARMS.cancel(self._alarm)
        self._cut_off()  # ends a thread that still reads for a run that gave up
        with suppress(Exception):  # a connection cut off from its reader may raise anything
            self._http.close()

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        timeout: float | None = None,
        max_bytes: int = 0,
        on_head: OnHead = lambda _status, _headers: None,
    ) -> Response:
        """Send a request and read its answer, whatever its status.

        Args:
            method: such as ``GET``.
            url: the whole URL, with its query.
            headers: in addition to those of every request.
            content: the body, if any.
            timeout: seconds for connecting, and for each read; by default the time of the whole transport.
            max_bytes: the largest body of a good answer that is read; with 0, no body is read.
            on_head: called with status and headers as soon as they have come, even if the body does not.

        Raises:
            TransportError: no whole answer came.
        """
        start, wait = time.monotonic(), self._seconds if timeout is None else timeout
        over = TransportError(_late(self._seconds), fault=Fault.OVER)
        if self._over.is_set():
            raise over
        try:
            with self._http.stream(
                method, url, headers=dict(headers), content=content, timeout=wait, extensions={"trace": self._note}
            ) as response:
                on_head(response.status_code, response.headers)
                body = _read(response, max_bytes)
                if self._over.is_set() and body:
                    raise over  # without a length, a connection that was cut off looks like the end
        except TransportError as error:
            problem = error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:  # the last: no host, or no header
            problem = translate(error, wait, self.proxy)
            if self._over.is_set() and problem.fault is not Fault.SILENT:
                problem = over
        else:
            return Response(response.status_code, response.headers, body, round((time.monotonic() - start) * 1000))
        raise problem  # raised here, it has no context

    def _note(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember each new connection; one that is made too late is cut off at once."""
        if event.endswith(_CONNECTED):
            with self._lock:
                self._streams.add(info["return_value"])
            if self._over.is_set():
                self._cut_off()

    def _cut_off(self) -> None:
        """End all connections, from a thread that reads none of them.

        They are shut down, not closed: a reader of a closed one may meet another connection under its number. The
        plain socket's method is used: that of TLS drops its keys first, and later data would be sent unencrypted.
        """
        self._over.set()
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            with suppress(OSError):
                socket.socket.shutdown(stream.get_extra_info("socket"), socket.SHUT_RDWR)


def _client(url: str, proxy: str | None) -> httpx.Client:
    secure = url.startswith("https:")
    return httpx.Client(
        headers={"Accept-Encoding": "identity", "User-Agent": f"image-sync/{__version__}"},
        follow_redirects=False,
        trust_env=False,  # read by us instead
        proxy=proxy,  # for https alone, where it sees no secret; see docs/decisions
        verify=trust() if secure else False,
        event_hooks={"response": [_forget_location]},
    )


def translate(error: Exception, seconds: float, proxy: str = "") -> TransportError:
    """Turn an error of the HTTP library into ours.

    Args:
        error: the library's.
        seconds: the time-out that it had.
        proxy: host and port of the proxy that was used, or "".
    """
    name, through = type(error).__name__, f", through the proxy {proxy}" if proxy else ""
    if isinstance(error, httpx.TimeoutException):
        return TransportError(_late(seconds) + through, fault=Fault.SILENT, name=name + through)
    if isinstance(error, httpx.NetworkError | OSError):
        # The words are of the system or of OpenSSL, with no word of the server.
        reason, words = _system_reason(error, seconds), mask(str(error) or "no details")[:_MOST_SHOWN] + through
        to_proxy = proxy and isinstance(error, httpx.ConnectError) and not reason.startswith(_TLS)
        fault = Fault.PROXY if to_proxy else Fault.UNREACHABLE
        reason = f"the proxy {proxy} cannot be reached: {reason}" if to_proxy else reason + through
        return TransportError(reason, fault=fault, name=name, words=words)
    if isinstance(error, httpx.ProxyError):
        return _refused_by_proxy(str(error), proxy)
    if isinstance(error, httpx.RemoteProtocolError) and str(error).startswith(_CUT_SHORT):
        return TransportError("the connection ended before the answer was whole", fault=Fault.CUT_SHORT, name=name)
    if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError):
        reason = f"no valid answer came ({name}); is there a proxy in between?"
        return TransportError(reason, fault=Fault.INVALID, name=name)
    # The text of a LocalProtocolError quotes the invalid header, which may be the token.
    return TransportError(f"the request cannot be made ({name})", fault=Fault.UNSENDABLE, name=name)


def _refused_by_proxy(text: str, proxy: str) -> TransportError:
    """The error for a proxy that opens no connection to the server.

    Args:
        text: the library's; after the status it has the proxy's own words, which are not shown.
        proxy: its host and port.
    """
    match = re.match(r"\d{3}(?= )", text)
    status = int(match[0]) if match else None
    answers = f"the proxy {proxy} " + (f"answers with status {status}" if status else "refuses")
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        advice = "it does not accept its login; check user and password in HTTPS_PROXY"
    elif status and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        advice = "it does not allow this address; ask those who run it, or name the host in NO_PROXY"
    else:
        advice = "it cannot connect to this address; ask those who run it"
    return TransportError(f"{answers}: {advice}", fault=Fault.PROXY, name="ProxyError", status=status)


def _system_reason(error: BaseException, seconds: float) -> str:
    """Why a connection failed, without the name of a host, which the library's own text often has."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"{_TLS} ({cause.reason or type(cause).__name__}); check certificate and clock"
        if isinstance(cause, TimeoutError):
            return _late(seconds)
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def _late(seconds: float) -> str:
    return f"no answer within {seconds:g} s"


def _forget_location(response: httpx.Response) -> None:
    """Remove the address of a redirect: the library reads it though it follows none, and fails at some."""
    response.headers.pop("location", None)


def _read(response: httpx.Response, max_bytes: int) -> bytes:
    """Read the body as it comes, up to a cap, which is small for an error's body."""
    cap = max_bytes if response.is_success else min(max_bytes, _ERROR_BYTES)
    if not cap:
        return b""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        if not response.is_success:
            return b""  # status and headers are enough
        raise TransportError("the answer is compressed though that was not asked for", fault=Fault.COMPRESSED)
    parts, size = [], 0
    for part in response.iter_raw():
        parts.append(part)
        size += len(part)
        if size > cap and response.is_success:
            raise TransportError(f"the answer is larger than {max_bytes} bytes", fault=Fault.TOO_LARGE)
        if size > cap:
            break
    return b"".join(parts)
