"""Plain requests to a simulator: one connection per request, nothing between the test and the wire."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.simulator import Simulator

PATIENCE = 30  # seconds; only a failing test waits this long


class Reply(NamedTuple):
    """An answer as it was received."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its JSON."""
        return json.loads(self.body)


def ask(simulator: Simulator, path: str = "/v1/images", *, token: str | None = None, **query: object) -> Reply:
    """GET with a valid token (or the given one) and these parameters; ``__x`` stays ``__x``."""
    headers = {"X-Auth-Token": simulator.token if token is None else token}
    return send(simulator.url, "GET", f"{path}?{urlencode(query)}" if query else path, headers)


def send(url: str, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
    """Send one request on its own connection."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        connection.request(method, target, body=body, headers=dict(headers))
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


def command(simulator_url: str, name: str, /, **arguments: object) -> Reply:
    """POST a command to ``/_simulator/``."""
    return send(simulator_url, "POST", f"/_simulator/{name}", {}, json.dumps(arguments).encode())


def ids(reply: Reply) -> list[str]:
    """The ids of a page, in order."""
    return [image["id"] for image in reply.json["images"]]


def dial(simulator: Simulator, target: str = "/v1/images") -> socket.socket:
    """A bare connection on which the images have been requested."""
    parts = urlsplit(simulator.url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)
    head = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nX-Auth-Token: {simulator.token}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def receive(connection: socket.socket) -> tuple[bytes, str]:
    """All bytes until the connection ends, and how it ended: "end" or "reset"."""
    received = b""
    with connection:
        while True:
            try:
                piece = connection.recv(65_536)
            except ConnectionResetError:
                return received, "reset"
            if not piece:
                return received, "end"
            received += piece
