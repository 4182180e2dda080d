"""The HTTP server: reads requests, hands them on, sends answers; ends at once when told, whatever hangs."""

from __future__ import annotations

import secrets
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Lock, Thread, current_thread
from typing import TYPE_CHECKING, Any

from sync.errors import UsageError
from sync.simulator.answers import Answer, Request, gateway_error
from sync.simulator.wire import deliver, resets_on_close

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST_BODY = 16 << 20  # bytes of a request
_LAST_WAIT = 5.0  # seconds for the thread of a connection to end


class Server(ThreadingHTTPServer):
    """Answers on every connection, in a thread for each.

    Args:
        host: address to listen on.
        port: 0 for any free one.
        respond: gives the answer to a request; called from many threads.
        clock: the server's clock, in seconds since 1970.

    Raises:
        UsageError: the address cannot be listened on.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self, host: str, port: int, respond: Callable[[Request], Answer], clock: Callable[[], float] = time.time
    ) -> None:
        self.respond = respond
        self.clock = clock
        self.closing = Event()
        self._open: dict[socket.socket, Thread] = {}
        self._lock = Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(f"Cannot listen on {host} port {port} ({error}): choose another.") from error
        self._thread = Thread(target=self.serve_forever, args=(0.02,), name="simulator", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:8080``."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if self.address_family == socket.AF_INET6 else f"http://{host!s}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End every connection and every wait, and give the port back."""
        self.closing.set()
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()
        with self._lock:
            left = dict(self._open)
        for connection in left:
            _end(connection)
        for thread in left.values():
            if thread is not current_thread():  # a hook may close the simulator that serves it
                thread.join(_LAST_WAIT)

    def server_bind(self) -> None:
        """Bind without asking the name service for the host's name, which can take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        with self._lock:
            self._open[request] = current_thread()
            if self.closing.is_set():
                _end(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._open[request]

    def shutdown_request(self, request: Any) -> None:
        """End one connection: in order, or by a reset where a fault asks for one."""
        if resets_on_close(request):
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is no news; anything else is a mistake of this program and shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        request, refused = self._read()
        answer = refused or self.server.respond(request)
        self.close_connection = not deliver(
            answer,
            self.connection,
            identity=request.id,
            now=self.server.clock(),
            keep=not (self.close_connection or refused),
            closing=self.server.closing,
        )

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815 - the names http.server looks for

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the journal tells it better."""

    def _read(self) -> tuple[Request, Answer | None]:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        head = Request(secrets.token_hex(16), self.command, path, query, headers, client=str(self.client_address[0]))
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdigit() or int(length[:12]) > _LARGEST_BODY:
            return head, gateway_error(413, "APIGW.0201", "Request entity too large", head)
        body = self.rfile.read(int(length))
        return Request(head.id, head.method, path, query, headers, body, head.client), None


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already
