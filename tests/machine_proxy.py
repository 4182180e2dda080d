"""A TCP proxy in front of PostgreSQL that strikes at the n-th message of a client, so that each statement can fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from select import select
from typing import Self

_CHUNK = 1 << 16
_PATIENCE = 0.2  # seconds for the server's answer to a message whose answer will be lost


class Proxy:
    """Hands on everything in both directions, until it is told to strike.

    Args:
        port: of the server, on this machine.

    Attributes:
        port: where it listens itself.
        struck: no strike is to come: none was asked for, or it is done.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._left = 0  # messages until the strike
        self.struck = True
        self._forward = False
        self._action: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def strike(self, nth: int, *, forward: bool, action: Callable[[], object] = lambda: None) -> None:
        """Cut the connection at the n-th message from now on, or at none if n is 0.

        Args:
            nth: 1 is the next message that a client sends.
            forward: the server still gets the message, and its answer is lost.
            action: done just before the cut.
        """
        with self._lock:
            self._left, self._forward, self._action = nth, forward, action
            self.struck = nth == 0

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="proxied", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server, suppress(OSError):
            self._carry(client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            ready, _, _ = select([client, server], [], [])
            for end, other in ((client, server), (server, client)):
                if end not in ready:
                    continue
                message = end.recv(_CHUNK)
                if not message:
                    return
                if end is client and self._due():
                    self._cut(server, message)
                    return
                other.sendall(message)

    def _due(self) -> bool:
        with self._lock:
            self._left -= self._left > 0
            due = not self.struck and self._left == 0
            self.struck = self.struck or due
            return due

    def _cut(self, server: socket.socket, message: bytes) -> None:
        if self._forward:
            server.sendall(message)
            server.settimeout(_PATIENCE)
            with suppress(TimeoutError):
                server.recv(_CHUNK)
        self._action()
