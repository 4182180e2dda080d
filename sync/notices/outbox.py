"""Brings notices to their receiver beside the runs: no run waits for it, and the end of the program a few seconds.

One daemon thread does it all. While the program runs, what could not be sent is tried again and again; what is left
when it ends is lost, and said so: ``image-sync notify RUN`` makes the same notices from the database again.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from sync import logs
from sync.domain.notices import Notice
from sync.errors import ImageSyncError, ReceiverAwayError, ReceiverRefusesError

_log = logs.get(__name__)
BUDGET = 10.0  # seconds that the end of the program may wait for all notices, ...
HASTE = 2.0  # ... and where it was told to stop
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 300.0
_MOST = 1_000  # notices that wait; of more, the oldest are lost
_TICK = 0.02
_TOLD = float("inf")
_ADVICE = "when the receiver is back, `image-sync notify RUN` sends them"


class Sender(Protocol):
    """What brings notices to the receiver."""

    def send(self, notices: Sequence[Notice]) -> int:
        """Send at least the first of them, once; how many were sent."""


class Outbox:
    """Takes numbers of runs that are over, and sees to it that what they brought about is told.

    Args:
        derive: the notices of a run.
        carrier: brings them away.
        budget: seconds that ``close`` may take.
    """

    def __init__(self, derive: Callable[[int], list[Notice]], carrier: Sender, *, budget: float = BUDGET) -> None:
        self._derive, self._carrier, self._budget = derive, carrier, budget
        self._runs: SimpleQueue[int | None] = SimpleQueue()
        self._waiting: deque[Notice] = deque()
        self._dropped = 0
        self._looked_at: int | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._given_up = threading.Event()
        self._due, self._tries, self._away_since, self._reason = 0.0, 0, 0.0, ""

    def __call__(self, run: int | None) -> None:
        """A run is over; returns at once. None: it was never on record, and has nothing to tell."""
        if run is None:
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="notices")
                self._thread.start()
        self._runs.put(run)

    def close(self, stop: threading.Event) -> None:
        """Wait a little for what is still to be sent; a stop from outside makes it less."""
        if self._thread is None:
            return
        self._runs.put(None)
        began, budget = time.monotonic(), self._budget
        while self._thread.is_alive() and not self._in_vain(began + budget):
            self._thread.join(_TICK)
            budget = min(budget, HASTE) if stop.is_set() else budget
        self._given_up.set()
        self._tell_lost()

    def _in_vain(self, deadline: float) -> bool:
        return time.monotonic() >= deadline or self._due >= deadline

    def _work(self) -> None:
        ending = False
        while not (ending and not self._waiting) and not self._given_up.is_set():
            try:
                run = self._runs.get(timeout=self._pause(ending=ending))
            except Empty:
                pass
            else:
                ending = ending or run is None
                self._take(run)
            if self._waiting and time.monotonic() >= self._due:
                self._send()

    def _pause(self, *, ending: bool) -> float | None:
        """Seconds until the next try; None: nothing waits for one."""
        if not self._waiting:
            return None
        wait = max(0.0, self._due - time.monotonic())
        return min(wait, _TICK) if ending else wait

    def _take(self, run: int | None) -> None:
        self._looked_at = run
        if run is None:
            return
        try:
            self._waiting += self._derive(run)
        except ImageSyncError as error:
            _log.warning("notices not made", run=run, reason=str(error))
        except Exception as error:  # noqa: BLE001 - an unforeseen fault of one run must not silence those after it
            _log.error("notices not made", run=run, reason=repr(error))
        while len(self._waiting) > _MOST:
            self._waiting.popleft()
            self._dropped += 1
        self._looked_at = None

    def _send(self) -> None:
        first = self._waiting[0]
        try:
            count = self._carrier.send(list(self._waiting))
        except ReceiverAwayError as error:
            self._postpone(error)
        except ReceiverRefusesError as error:
            self._waiting.popleft()
            _log.warning("notice refused", kind=first.kind, run=first.run, reason=str(error))
        else:
            if self._away_since == _TOLD:
                _log.info("notices arrive again")
            for _ in range(count):
                sent = self._waiting.popleft()
                _log.debug("notice sent", kind=sent.kind, run=sent.run, id=sent.id)
            self._due, self._tries, self._away_since = 0.0, 0, 0.0

    def _postpone(self, error: ReceiverAwayError) -> None:
        """Set the moment of the next try, and say so once, where the receiver stays away."""
        now = time.monotonic()
        self._reason, self._tries = str(error), self._tries + 1
        wait = min(_FIRST_WAIT * 2 ** min(self._tries - 1, 20), _LONGEST_WAIT)
        wait = wait / 2 + random.uniform(0, wait / 2)  # noqa: S311 - equal jitter, no secret
        self._due = now + (wait if error.wait is None else min(max(error.wait, wait), _LONGEST_WAIT))
        self._away_since = self._away_since or now
        if now - self._away_since > self._budget:
            _log.warning("notices wait", notices=len(self._waiting), dropped=self._dropped, reason=self._reason)
            self._away_since = _TOLD

    def _tell_lost(self) -> None:
        runs = {notice.run for notice in list(self._waiting)} | {self._looked_at, *self._unread()}
        numbers = sorted(number for number in runs if number is not None)
        if numbers or self._dropped:
            reason = self._reason or "the database or the receiver took too long"
            _log.warning("notices not sent", runs=numbers, dropped=self._dropped, reason=reason, advice=_ADVICE)

    def _unread(self) -> Iterator[int]:
        with suppress(Empty):
            while True:
                run = self._runs.get_nowait()
                if run is not None:
                    yield run
