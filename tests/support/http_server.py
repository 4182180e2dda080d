"""A small HTTP server that a test scripts byte by byte, for what the simulated cloud cannot do."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Self

import httpx

PATIENCE = 30  # seconds; only a failing test waits this long


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it was received.

    Attributes:
        line: the first line, such as ``GET /v1/images HTTP/1.1``.
        headers: values by name in lower case.
        body: the body, as long as ``Content-Length`` says.
    """

    line: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def target(self) -> str:
        """The requested target."""
        return self.line.split(" ")[1]


Script = Callable[[socket.socket, Asked], object]


class HttpServer:
    """Passes each request to the script, which writes anything to the connection.

    The connection stays open for another request if the script returns True, and is closed otherwise.

    Args:
        script: writes the answers; called from one thread per connection.
        tls: for TLS.

    Attributes:
        asked: all requests so far, in order.
        connections: how many there were, including those without a request.
        closing: set when the server ends; a waiting script should end then.
    """

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.closing = Event()
        self._script, self._tls = script, tls
        self._lock = Lock()
        self._open: dict[socket.socket, Thread] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        shut(self._listener)
        self._thread.join(PATIENCE)
        self._listener.close()
        with self._lock:
            running = list(self._open.items())
        for connection, _thread in running:
            shut(connection)
        for _connection, thread in running:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = Thread(target=self._serve, args=(connection,), daemon=True)
            with self._lock:
                self.connections += 1
                self._open[connection] = thread
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            if self._tls:
                connection = self._tls.wrap_socket(plain, server_side=True)
            while (request := _read(connection)) and not self.closing.is_set():
                with self._lock:
                    self.asked.append(request)
                if self._script(connection, request) is not True:
                    break
        except OSError:
            return  # the client is gone, or refuses the certificate
        finally:
            with self._lock:
                del self._open[plain]
            connection.close()
            plain.close()


def reply(
    body: object = b"", *, status: int = 200, headers: Mapping[str, str] | None = None, sized: bool = True
) -> bytes:
    """The bytes of an answer; anything but bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": "application/json", **(headers or {})}
    fields |= {"Content-Length": str(len(content))} if sized else {"Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Told\r\n{head}\r\n".encode() + content


def always(answer: bytes) -> Script:
    """Give the same answer to every request, on a connection that stays open."""

    def script(connection: socket.socket, _: Asked) -> bool:
        connection.sendall(answer)
        return True

    return script


def shut(connection: socket.socket) -> None:
    """End a connection for both sides."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    """Make this connection end with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def tunnel(connection: socket.socket, port: int) -> None:
    """Act as a proxy after CONNECT: pass bytes to a port of this machine and back until one side ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as there:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = Thread(target=_carry, args=(there, connection), daemon=True)
        back.start()
        _carry(connection, there)
        back.join(PATIENCE)


def _carry(source: socket.socket, drain: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            drain.sendall(data)
    shut(source)
    shut(drain)


def _read(connection: socket.socket) -> Asked | None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(65_536)
        if not data or not (head + data)[:1].isalpha():
            return None  # the client is gone, or does not speak HTTP
        head += data
    head, _, body = head.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    named = (field.partition(":") for field in fields)
    headers = {name.strip().lower(): value.strip() for name, _, value in named}
    while len(body) < int(headers.get("content-length", 0)) and (data := connection.recv(65_536)):
        body += data
    return Asked(line, headers, body)


def library_errors() -> list[type[httpx.RequestError]]:
    """Every kind of error with which a request of the HTTP library can end."""
    kinds = [kind for kind in vars(httpx).values() if isinstance(kind, type) and issubclass(kind, httpx.RequestError)]
    return [kind for kind in kinds if not kind.__subclasses__()]
