"""Threads on machines that allow only a few: by ``ulimit -u``, or by a container's limit of processes."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

from sync import logs
from sync.errors import NoThreadError

_log = logs.get(__name__)


def start(thread: threading.Thread) -> None:
    """Start a thread.

    Raises:
        NoThreadError: the system allows no more of them.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise NoThreadError from error


class Alarms:
    """Calls that are made later, all by one thread; none of them may take long."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start the thread, if it does not run yet.

        Raises:
            NoThreadError: the system allows no more of them.
        """
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._work, daemon=True, name="alarms")
                start(thread)
                self._thread = thread

    def set(self, seconds: float, call: Callable[[], None]) -> int:
        """Have this called in some seconds; returns a number by which it can be cancelled.

        Raises:
            NoThreadError: the system allows no thread for it.
        """
        self.begin()
        with self._changed:
            number = next(self._numbers)
            heapq.heappush(self._calls, (time.monotonic() + seconds, number, call))
            self._changed.notify()
            return number

    def cancel(self, number: int) -> None:
        """Forget a call, if it was not made yet."""
        with self._changed:
            self._calls = [each for each in self._calls if each[1] != number]
            heapq.heapify(self._calls)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._calls or self._calls[0][0] > time.monotonic():
                    self._changed.wait(self._calls[0][0] - time.monotonic() if self._calls else None)
                call = heapq.heappop(self._calls)[2]
            with suppress(Exception):  # the later ones must be made all the same
                call()


ALARMS = Alarms()  # of this process


class Pool(ThreadPoolExecutor):
    """A pool that does its work with fewer threads than it was asked for where the system allows no more.

    Its first thread is started at once, so that what is submitted is done; before it that of the alarms, which each
    request needs.

    Raises:
        NoThreadError: not even these threads can be started.
    """

    def __init__(self, most: int, *, name: str) -> None:
        super().__init__(most, thread_name_prefix=name)
        self._warned = False
        ALARMS.begin()
        try:
            self.submit(lambda: None)
        except RuntimeError as error:
            self.shutdown(wait=False)
            raise NoThreadError from error

    def _adjust_thread_count(self) -> None:
        """Start one more thread if none is idle; called with each piece of work, after that is queued."""
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            if not self._threads:
                raise
            if not self._warned:
                self._warned = True
                reason = str(NoThreadError())
                _log.warning("fewer threads", threads=len(self._threads), wanted=self._max_workers, reason=reason)
