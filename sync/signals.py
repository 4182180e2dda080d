"""How a run is ended from outside: SIGTERM and SIGINT set an event, and cancel the statement that is under way.

What can't be ended so is ended all the same: a few seconds after a second signal, and at once by a third.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync import logs

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SAME = 0.1  # seconds within which two signals count as one: some send it to the process and to its group
_HURRY = {2: 3.0}  # seconds that a second signal leaves; one after it leaves none
_TELLING = 1.5  # seconds that telling of a stop may take
_log = logs.get(__name__)


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
        """Tell all at the same time, and set it, once.

        In this order: who sees it set goes on to record how the run ended, and that is not to be cancelled. But no one
        who takes long keeps it from being set.
        """
        if self.is_set():
            return
        threads = [threading.Thread(target=call, daemon=True, name="telling") for call in list(self._calls)]
        until = time.monotonic() + _TELLING
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
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
    last, count = -_SAME, 0
    while numbers := reader.recv(64):
        if hangup and signal.SIGHUP in numbers:
            hangup()
        if any(number in numbers for number in _SIGNALS):
            before, last = last, time.monotonic()
            if last - before >= _SAME:
                count += 1
                _heed(count, stop)


def _heed(count: int, stop: Stop) -> None:
    """Act on the signal of this number; the next one can be seen meanwhile."""
    if count == 1:
        threading.Thread(target=stop.set, daemon=True, name="stop").start()
        return
    stop.hurry.set()
    wait = _HURRY.get(count, 0.0)
    exiting = threading.Timer(wait, exit_now, ["a signal came once more, and the process had not ended by itself"])
    exiting.daemon = True
    exiting.start()


def exit_now(reason: str) -> None:
    """End the process, whatever its threads wait for; even if that is the log."""
    saying = threading.Thread(target=lambda: _log.error("process ended", reason=reason), daemon=True)
    saying.start()
    saying.join(0.5)
    os._exit(1)
