"""How a run is ended from outside: SIGTERM and SIGINT set an event, and cancel the statement that is under way."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop(threading.Event):
    """An event that tells those who can't watch it that it was set.

    Attributes:
        hurry: set when the signal came once more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hurry = threading.Event()
        self._calls: list[Callable[[], None]] = []

    def set(self) -> None:
        """Tell, and set it, once.

        In this order: who sees it set goes on to record how the run ended, and that is not to be cancelled.
        """
        if self.is_set():
            return
        for call in list(self._calls):
            call()
        super().set()

    @contextmanager
    def telling(self, call: Callable[[], None]) -> Iterator[None]:
        """Have this called when it is set meanwhile."""
        self._calls.append(call)
        try:
            yield
        finally:
            self._calls.remove(call)


@contextmanager
def stopping(hangup: Callable[[], None] | None = None) -> Iterator[Stop]:
    """A stop that SIGTERM and SIGINT set, so that a run ends cleanly; also as process 1 of a container.

    Args:
        hangup: called on SIGHUP; without it, that ends the program as it always does.

    A thread of its own sets it: a signal's handler runs in the middle of whatever the main thread does, which may hold
    the very lock that the event needs, or wait in a library for the database.
    """
    stop = Stop()
    reader, writer = socket.socketpair()
    writer.settimeout(0)
    watcher = threading.Thread(target=_watch, args=(reader, stop, hangup), daemon=True, name="signals")
    watcher.start()
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    heeded = (*_SIGNALS, signal.SIGHUP) if hangup else _SIGNALS
    before = {number: signal.signal(number, lambda *_: None) for number in heeded}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        writer.close()
        watcher.join()
        reader.close()


def _watch(reader: socket.socket, stop: Stop, hangup: Callable[[], None] | None) -> None:
    while numbers := reader.recv(64):
        if hangup and signal.SIGHUP in numbers:
            hangup()
        if any(number in numbers for number in _SIGNALS):
            (stop.hurry if stop.is_set() else stop).set()
