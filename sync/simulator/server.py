"""The HTTP server: reads requests, passes them on, sends answers; stops at once, whatever hangs."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Lock, Thread, current_thread
from typing import Any

from sync.errors import UsageError
from sync.simulator.answers import Answer, Request, gateway_error

_LARGEST_BODY = 16 << 20  # bytes of a request
_LAST_WAIT = 5.0  # seconds in which the thread of a connection must end


class Server(ThreadingHTTPServer):
    """Serves each connection in a thread of its own, from construction on.

    Args:
        host: address to listen on.
        port: 0 for any free one.
        respond: returns the answer to a request; called from many threads.
        clock: the server's clock, in seconds since 1970.
        request_id: makes the id of a request.
        request_id_header: the header in which an answer has it.

    Raises:
        UsageError: the address cannot be listened on.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        host: str,
        port: int,
        respond: Callable[[Request], Answer],
        clock: Callable[[], float],
        *,
        request_id: Callable[[], str],
        request_id_header: str,
    ) -> None:
        self.respond = respond
        self.clock = clock
        self.request_id = request_id
        self.request_id_header = request_id_header
        self.closing = Event()
        self._open: dict[socket.socket, Thread] = {}
        self._lock = Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(f"Cannot listen on {host} port {port} ({error}): choose another.") from error
        self._thread = Thread(target=self.serve_forever, args=(0.02,), name="simulator", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:8080``."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if self.address_family == socket.AF_INET6 else f"http://{host!s}:{port}"

    def stop(self) -> None:
        """End every connection and every wait, and free the port."""
        self.closing.set()
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()
        with self._lock:
            left = dict(self._open)
        for connection in left:
            _end(connection)
        for thread in left.values():
            if thread is not current_thread():  # a fault may close the simulator that it strikes
                thread.join(_LAST_WAIT)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which can take long."""
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

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about a client that is gone; show anything else, as it is a bug of this program."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        request, refusal = self._read()
        answer = refusal or self.server.respond(request)
        keep, self.close_connection = not (self.close_connection or refusal), True
        closing = self.server.closing
        if not closing.wait(answer.delay):
            head = _head(answer, self.server.clock(), (self.server.request_id_header, request.id), keep=keep)
            self.close_connection = not (answer.send(head, answer.body, self.connection, closing) and keep)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815 - the names http.server looks for

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the journal has it all."""

    def _read(self) -> tuple[Request, Answer | None]:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        client = str(self.client_address[0])
        request = Request(self.server.request_id(), self.command, path, query, headers, client=client)
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdigit() or int(length[:12]) > _LARGEST_BODY:
            return request, gateway_error(413, "APIGW.0201", "Request entity too large", request)
        return replace(request, body=self.rfile.read(int(length))), None


def _head(answer: Answer, now: float, request_id: tuple[str, str], *, keep: bool) -> bytes:
    headers = [
        ("Date", formatdate(now, usegmt=True)),
        ("Content-Type", answer.content_type),
        *([request_id] if answer.own else []),
        ("Content-Length", str(len(answer.body))),
        *([] if keep else [("Connection", "close")]),
        *answer.headers,
    ]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    phrase = responses.get(answer.status, "Unknown")
    return f"HTTP/1.1 {answer.status} {phrase}\r\n{lines}\r\n".encode("latin-1", "replace")


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already
