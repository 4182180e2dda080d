"""A TCP proxy in front of PostgreSQL that sees each statement, and can lose it or its answer, or fall silent."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

FENCE = "epoch = epoch + 1"  # in the statement that begins the writing transaction of a run
_START = 8  # bytes: length and code at the beginning of the first message
_KEY = b"K"  # the server tells its process id
_TELLING = {b"Q": 0, b"P": 1}  # messages with a statement, and how many names come before it


class Lose(Enum):
    """What is lost; afterwards the connection breaks, or stays open and silent."""

    REQUEST = "the statement never arrives"
    REPLY = "the statement is carried out, and its answer never comes"
    SILENT_REQUEST = "the statement never arrives, and the connection stays open"
    SILENT_REPLY = "the statement is carried out, its answer never comes, and the connection stays open"


Hook = Callable[["Passing"], Lose | None]


class Passing:
    """A message on its way to the server.

    Attributes:
        statement: its SQL; "" for the rows of a COPY.
        pid: the server process that will run it.
    """

    def __init__(self, statement: str, pid: int) -> None:
        self.statement, self.pid = statement, pid


def lose_once(pattern: str, lose: Lose, also: Callable[[], None] = lambda: None) -> Hook:
    """A hook that loses the first matching statement of the writing transaction or after it.

    Args:
        pattern: regular expression for the statement.
        lose: the statement or its answer.
        also: called just before.
    """
    fenced, lost = False, False

    def hook(passing: Passing) -> Lose | None:
        nonlocal fenced, lost
        fenced = fenced or FENCE in passing.statement
        if lost or not fenced or not re.search(pattern, passing.statement):
            return None
        lost = True
        also()
        return lose

    return hook


class Proxy:
    """Passes everything on from its own port, statement by statement.

    Attributes:
        before: called before a statement is passed on, in the proxy's thread; returns what to lose.
        refusals: how many of the next connections are closed at once.
        silent: whether new connections are accepted and nothing is passed on.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._behind = (parts.hostname or "", parts.port or 0)
        self._user, self._database = parts.username, parts.path
        self.before: Hook = lambda _: None
        self.refusals = 0
        self.silent = False
        self.closing = threading.Event()
        self._pairs: list[_Pair] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def url(self) -> str:
        """The URL of the database through the proxy."""
        port = self._listener.getsockname()[1]
        return f"postgresql://{self._user}@127.0.0.1:{port}{self._database}?sslmode=disable&gssencmode=disable"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def fall_silent(self) -> None:
        """Pass nothing on any more, on connections that stay open."""
        self.silent = True
        for pair in self._pairs:
            pair.silent.set()

    def _start(self, what: Callable[[], None]) -> None:
        thread = threading.Thread(target=what, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusals:
                self.refusals -= 1
                client.close()
                continue
            pair = _Pair(self, client, socket.create_connection(self._behind))
            self._open |= {pair.client, pair.server}
            self._pairs.append(pair)
            if self.silent:
                pair.silent.set()
            self._start(pair.to_server)
            self._start(pair.to_client)


class _Pair:
    """One connection, on both sides of the proxy."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each message is sent alone
        self._pid = 0
        self._swallow = threading.Event()
        self.silent = threading.Event()

    def to_server(self) -> None:
        """Pass on what the client sends, calling the hook before each statement."""
        with self.server, self._breaking():
            start = _exactly(self.client, _START)
            self._hold()
            self.server.sendall(start + _exactly(self.client, struct.unpack("!I", start[:4])[0] - _START))
            while True:
                kind, message = _message(self.client)
                lost = self._told(kind, message)
                if lost is Lose.REQUEST:
                    return
                if lost is Lose.SILENT_REQUEST:
                    self.silent.set()
                self._hold()
                if lost is Lose.REPLY:
                    self._swallow.set()
                if lost is Lose.SILENT_REPLY:
                    self.silent.set()
                self.server.sendall(message)

    def to_client(self) -> None:
        """Pass on what the server sends, until an answer is lost."""
        with self.client, self._breaking():
            while True:
                kind, message = _message(self.server)
                if kind == _KEY:
                    self._pid = struct.unpack("!I", message[5:9])[0]
                if self._swallow.is_set():
                    return
                self._hold()
                self.client.sendall(message)

    def _hold(self) -> None:
        """Once silent, keep what came until the end."""
        if self.silent.is_set():
            self.proxy.closing.wait()
            raise OSError("it was silent to the end")

    def _told(self, kind: bytes, message: bytes) -> Lose | None:
        if kind not in (b"Q", b"P", b"d"):
            return None
        names = _TELLING.get(kind)
        text = "" if names is None else message[5:].split(b"\0")[names].decode()
        return self.proxy.before(Passing(text, self._pid))

    @contextlib.contextmanager
    def _breaking(self) -> Iterator[None]:
        """Shut down both sides at the end, as closing a socket does not wake a thread that waits on it."""
        with contextlib.suppress(OSError):
            yield
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _message(source: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(source, 5)
    return head[:1], head + _exactly(source, struct.unpack("!I", head[1:])[0] - 4)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            raise OSError("the connection ended")
        data += more
    return bytes(data)
