"""Puts an answer on a connection, byte for byte, in one piece or as broken as asked for."""

from __future__ import annotations

import socket
import struct
from email.utils import formatdate
from http.client import responses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Event

    from sync.simulator.answers import Answer

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds
_TICK = 0.05  # seconds between two drops of a slow answer
_BLANKS = b" " * 65_536


def deliver(
    answer: Answer, connection: socket.socket, *, identity: str, now: float, keep: bool, closing: Event
) -> bool:
    """Send the answer; True if the connection can be used again.

    Args:
        answer: what to send, and how.
        connection: where to.
        identity: for the header ``X-Request-Id``.
        now: for the header ``Date``, in seconds since 1970.
        keep: the client wants the connection kept.
        closing: set when the server ends; every wait ends with it.

    Raises:
        OSError: the client is gone.
    """
    way = answer.delivery
    if closing.wait(way.delay) if way.delay else closing.is_set():
        return False
    if way.silent:
        closing.wait()
        return False
    whole = way.head_bytes is None and way.body_bytes is None and not way.unsized
    head = _head(answer, identity, now, keep=keep)
    data = head[: way.head_bytes] if way.head_bytes is not None else b"".join((head, answer.body[: way.body_bytes]))
    _send(data, connection, way.drip, closing)
    while way.endless and not closing.is_set():
        _send(_BLANKS, connection, way.drip, closing)
    if way.reset:
        reset_on_close(connection)
    return keep and whole


def reset_on_close(connection: socket.socket) -> None:
    """Closing this connection will reset it: the other side gets an error, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


def resets_on_close(connection: socket.socket) -> bool:
    """Whether closing this connection will reset it."""
    size = len(_RESET_ON_CLOSE)
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, size) == _RESET_ON_CLOSE


def _head(answer: Answer, identity: str, now: float, *, keep: bool) -> bytes:
    phrase = responses.get(answer.status, "Unknown")
    headers = [
        ("Date", formatdate(now, usegmt=True)),
        ("Content-Type", answer.content_type),
        ("X-Request-Id", identity),
        *([] if answer.delivery.unsized else [("Content-Length", str(len(answer.body)))]),
        *([] if keep and not answer.delivery.unsized else [("Connection", "close")]),
        *answer.headers,
    ]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {answer.status} {phrase}\r\n{lines}\r\n".encode("latin-1", "replace")


def _send(data: bytes, connection: socket.socket, rate: float | None, closing: Event) -> None:
    if rate is None:
        connection.sendall(data)
        return
    piece = max(1, round(rate * _TICK))
    for start in range(0, len(data), piece):
        connection.sendall(data[start : start + piece])
        if closing.wait(piece / rate):
            return
