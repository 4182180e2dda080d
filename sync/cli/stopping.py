"""How a run is ended from outside: SIGTERM and SIGINT set an event, and cancel the statement that is under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop(threading.Event):
    """An event that tells those who can't watch it that it was set."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[Callable[[], None]] = []

    def set(self) -> None:
        """Set it, and tell."""
        super().set()
        for call in list(self._calls):
            call()

    @contextmanager
    def telling(self, call: Callable[[], None]) -> Iterator[None]:
        """Have this called when it is set meanwhile."""
        self._calls.append(call)
        try:
            yield
        finally:
            self._calls.remove(call)


@contextmanager
def stopping() -> Iterator[Stop]:
    """A stop that SIGTERM and SIGINT set, so that a run ends cleanly; also as process 1 of a container."""
    stop = Stop()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
