"""A small HTTP server of a daemon: what it answers is handed in, and it never keeps the daemon from its work."""

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

_log = logs.get(__name__)
_PATIENCE = 10.0  # seconds for a whole request
_MOST = 32  # connections at the same time


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    text: bytes
    content_type: str = "text/plain; charset=utf-8"


Page = Callable[[], Answer]


class Listener:
    """Serves a few pages from a thread of its own, for as long as the block lasts.

    Args:
        host: where to listen; "" is all addresses.
        port: 0 is any that is free.
        pages: what makes the answer, by path.

    Raises:
        UsageError: no one can listen there.
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
        self._thread.start()
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
            self.shutdown_request(request)  # whoever asks so often is not answered
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # The handler's time-out is one of each read; whoever sends a byte now and then would keep a place for ever.
        hang_up = threading.Timer(_PATIENCE, _hang_up, [request])
        hang_up.daemon = True
        hang_up.start()
        try:
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

    do_HEAD = do_GET  # noqa: N815 - the name is the library's

    def log_message(self, *_: object) -> None:
        """Probes and scrapes come by the minute; they are not worth a line."""
