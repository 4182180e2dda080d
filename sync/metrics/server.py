"""A small HTTP server for a daemon: the pages are handed in, and serving them never holds the daemon up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, SHUT_RDWR, socket
from types import TracebackType
from typing import Any, Self

from sync import logs
from sync.errors import UsageError
from sync.threads import start

_log = logs.get(__name__)
_PATIENCE = 10.0  # seconds for a whole request
_MOST = 32  # connections at a time


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: int
    text: bytes
    content_type: str = "text/plain; charset=utf-8"


Page = Callable[[], Answer]


class Listener:
    """Serves a few pages from a thread of its own, for as long as the block lasts.

    Args:
        host: where to listen; "" for all addresses.
        port: where to listen; 0 for any free one.
        pages: a function per path that makes the answer.

    Raises:
        UsageError: the address can't be listened on.
    """

    def __init__(self, host: str, port: int, pages: Mapping[str, Page]) -> None:
        try:
            self._server = _Server(host, port, pages)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"can't listen on {host or 'all addresses'}, port {port}: {reason}; give --listen another"
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True, name="listener")

    def __enter__(self) -> Self:
        start(self._thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, pages: Mapping[str, Page]) -> None:
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self.pages = pages
        self._places = threading.BoundedSemaphore(_MOST)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)  # more connections than that are closed unanswered
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be started; the library reports it to handle_error
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # The handler's timeout is for each read; a client that sends a byte now and then would keep its place forever.
        hang_up = threading.Timer(_PATIENCE, _hang_up, [request])
        hang_up.daemon = True
        try:
            start(hang_up)
            super().process_request_thread(request, client_address)
        finally:
            hang_up.cancel()
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the library's signature
        _log.debug("request not answered", client=str(client_address))


def _hang_up(request: socket) -> None:
    with suppress(OSError):
        request.shutdown(SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "image-sync", ""
    timeout = _PATIENCE

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path.partition("?")[0])
        answer = page() if page else Answer(404, f"there are {', '.join(self.server.pages)}\n".encode())
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.text)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(answer.text)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Log nothing: probes and scrapes come every few seconds."""
