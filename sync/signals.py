"""Stops a run from outside: SIGTERM and SIGINT set an event, and cancel the statement that is under way.

A process that does not end that way is ended a few seconds after a second signal, and at once by a third.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sync import logs
from sync.errors import NoThreadError
from sync.threads import start

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SAME = 0.1  # seconds within which two signals count as one: some send it to the process and to its group
_HURRY = {2: 3.0}  # seconds that a second signal leaves; one after it leaves none
_CALLBACKS = 1.5  # seconds for which a stop waits for its callbacks
_log = logs.get(__name__)


class Stop(threading.Event):
    """An event with callbacks, for code that can't wait for it.

    Attributes:
        hurry: set by a second signal.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hurry = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    def set(self) -> None:
        """Run all callbacks side by side, then set the event, once.

        In this order, since a run that sees it set goes on to record how it ended, and a callback would cancel that.
        But a callback that takes long does not keep the event from being set.
        """
        if self.is_set():
            return
        threads = [threading.Thread(target=call, daemon=True, name="stopping") for call in list(self._callbacks)]
        until = time.monotonic() + _CALLBACKS
        for thread in [thread for thread in threads if _start(thread)]:
            thread.join(max(0.0, until - time.monotonic()))
        super().set()

    @contextmanager
    def on_set(self, callback: Callable[[], None]) -> Iterator[None]:
        """Have this called if the event is set during the block."""
        self._callbacks.append(callback)
        try:
            yield
        finally:
            self._callbacks.remove(callback)


@contextmanager
def stopping(hangup: Callable[[], None] | None = None) -> Iterator[Stop]:
    """A stop that SIGTERM and SIGINT set, so that a run ends cleanly; also as process 1 of a container.

    Args:
        hangup: called on SIGHUP; without it, that signal ends the program as usual.

    A thread of its own sets it: a signal's handler runs in the middle of whatever the main thread does, which may hold
    the very lock that the event needs, or wait in a library for the database.
    """
    stop = Stop()
    reader, writer = socket.socketpair()
    writer.settimeout(0)
    thread = threading.Thread(target=_read_signals, args=(reader, stop, hangup), daemon=True, name="signals")
    start(thread)
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    handled = (*_SIGNALS, signal.SIGHUP) if hangup else _SIGNALS
    before = {number: signal.signal(number, lambda *_: None) for number in handled}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        writer.close()
        thread.join()
        reader.close()


def _read_signals(reader: socket.socket, stop: Stop, hangup: Callable[[], None] | None) -> None:
    last, count = -_SAME, 0
    while numbers := reader.recv(64):
        if hangup and signal.SIGHUP in numbers:
            hangup()
        if any(number in numbers for number in _SIGNALS):
            before, last = last, time.monotonic()
            if last - before >= _SAME:
                count += 1
                _act_on(count, stop)


def _act_on(count: int, stop: Stop) -> None:
    """Act on the first, second or later signal, without waiting, so that the next one is seen."""
    if count == 1:
        _start(threading.Thread(target=stop.set, daemon=True, name="stop"))
        return
    stop.hurry.set()
    wait = _HURRY.get(count, 0.0)
    exiting = threading.Timer(wait, exit_now, ["another signal came, and the process had not ended by itself"])
    exiting.daemon = True
    _start(exiting)


def _start(thread: threading.Thread) -> bool:
    """Start a thread, or do its work here if the system allows no more threads: a stop must not fail."""
    try:
        start(thread)
    except NoThreadError:
        thread.run()
        return False
    return True


def exit_now(reason: str) -> None:
    """End the process, whatever its threads wait for, even if it is the log."""
    logging = threading.Thread(target=lambda: _log.error("process ended", reason=reason), daemon=True)
    with suppress(NoThreadError):
        start(logging)
        logging.join(0.5)
    os._exit(1)
