"""Sends an answer on a connection byte by byte, as broken as a test wants."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass
from threading import Event

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds
_TICK = 0.05  # seconds between two pieces of a slow answer
_BLANKS = b" " * 65_536


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer is sent, complete by default; an answer of the simulated cloud takes it as ``send``.

    Attributes:
        drip: bytes per second, or None for all at once.
        head_bytes: the connection ends after this many bytes of status line and headers.
        body_bytes: the connection ends after this many bytes of the body.
        reset: it ends with a TCP reset instead of an orderly close.
        unsized: no Content-Length; the end of the connection is the end of the body.
        silent: no answer, but the connection stays open.
        endless: blanks follow the body for ever.
    """

    drip: float | None = None
    head_bytes: int | None = None
    body_bytes: int | None = None
    reset: bool = False
    unsized: bool = False
    silent: bool = False
    endless: bool = False

    def __call__(self, head: bytes, body: bytes, connection: socket.socket, closing: Event) -> bool:
        """Send the answer; return True if the connection can be used again."""
        if self.silent:
            closing.wait()
            return False
        if self.unsized:
            head = re.sub(rb"Content-Length: \d+", b"Connection: close", head)
        data = head[: self.head_bytes] if self.head_bytes is not None else head + body[: self.body_bytes]
        self._send(data, connection, closing)
        while self.endless and not closing.is_set():
            self._send(_BLANKS, connection, closing)
        if self.reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            connection.close()  # now, as the server would first close it in an orderly way
        return self.head_bytes is None and self.body_bytes is None and not self.unsized

    def _send(self, data: bytes, connection: socket.socket, closing: Event) -> None:
        if self.drip is None:
            connection.sendall(data)
            return
        size = max(1, round(self.drip * _TICK))
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size])
            if closing.wait(size / self.drip):
                return
