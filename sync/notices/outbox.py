"""Send notices to their receiver in the background: no run waits for it, and the end of the program only some seconds.

One daemon thread does all the work. While the program runs, it retries notices that could not be sent. When the program
ends, those that are left are lost and logged; ``image-sync notify RUN`` makes them again from the database.
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
from sync.errors import ImageSyncError
from sync.notices.errors import ReceiverAwayError, ReceiverRefusesError
from sync.threads import start

_log = logs.get(__name__)
BUDGET = 10.0  # seconds that the end of the program waits for notices, at most
HASTE = 2.0  # the same, after a signal to stop
_FIRST_WAIT = 0.5  # seconds
_LONGEST_WAIT = 300.0  # seconds
_MOST = 1_000  # notices that wait; if there are more, the oldest are lost
_TICK = 0.02  # seconds
_LOGGED = float("inf")  # in place of the moment since which the receiver is away: that is in the log
_ADVICE = "when the receiver is back, `image-sync notify RUN` sends them"


class Sender(Protocol):
    """Sends notices to the receiver."""

    def send(self, notices: Sequence[Notice]) -> int:
        """Try once to send at least the first of the notices, and return how many were sent."""


class Outbox:
    """Takes the numbers of runs that have ended, and sends their notices.

    Args:
        derive: makes the notices of a run.
        sender: sends them.
        budget: seconds that ``close`` may take.
    """

    def __init__(self, derive: Callable[[int], list[Notice]], sender: Sender, *, budget: float = BUDGET) -> None:
        self._derive, self._sender, self._budget = derive, sender, budget
        self._runs: SimpleQueue[int | None] = SimpleQueue()
        self._waiting: deque[Notice] = deque()
        self._dropped = 0
        self._current: int | None = None  # the run whose notices are being made
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._given_up = threading.Event()
        self._due, self._tries, self._away_since, self._reason = 0.0, 0, 0.0, ""

    def __call__(self, run: int | None) -> None:
        """Take the number of a run that has ended, and return at once; None, for a run not on record, is ignored."""
        if run is None:
            return
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._work, daemon=True, name="notices")
                start(thread)
                self._thread = thread
        self._runs.put(run)

    def close(self, stop: threading.Event) -> None:
        """Wait up to the budget for the notices still to be sent, or up to ``HASTE`` once ``stop`` is set."""
        if self._thread is None:
            return
        self._runs.put(None)
        began, budget = time.monotonic(), self._budget
        while self._thread.is_alive() and not self._in_vain(began + budget):
            self._thread.join(_TICK)
            budget = min(budget, HASTE) if stop.is_set() else budget
        self._given_up.set()
        self._log_lost()

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
        """Seconds until the next attempt; None if no notice waits for one."""
        if not self._waiting:
            return None
        wait = max(0.0, self._due - time.monotonic())
        return min(wait, _TICK) if ending else wait

    def _take(self, run: int | None) -> None:
        self._current = run
        if run is None:
            return
        try:
            self._waiting += self._derive(run)
        except ImageSyncError as error:
            _log.warning("notices not made", run=run, reason=str(error))
        except Exception as error:  # noqa: BLE001 - an unforeseen fault with one run must not silence later ones
            _log.error("notices not made", run=run, reason=logs.unexpected(error))
        while len(self._waiting) > _MOST:
            self._waiting.popleft()
            self._dropped += 1
        self._current = None

    def _send(self) -> None:
        first = self._waiting[0]
        try:
            count = self._sender.send(list(self._waiting))
        except ReceiverAwayError as error:
            self._postpone(error)
        except ReceiverRefusesError as error:
            self._waiting.popleft()
            _log.warning("notice refused", kind=first.kind, run=first.run, reason=str(error))
        except Exception as error:  # noqa: BLE001 - an unforeseen fault with one notice must not silence later ones
            self._waiting.popleft()
            _log.error("notice not sent", kind=first.kind, run=first.run, reason=logs.unexpected(error))
        else:
            if self._away_since == _LOGGED:
                _log.info("notices arrive again")
            for _ in range(count):
                sent = self._waiting.popleft()
                _log.debug("notice sent", kind=sent.kind, run=sent.run, id=sent.id)
            self._due, self._tries, self._away_since = 0.0, 0, 0.0

    def _postpone(self, error: ReceiverAwayError) -> None:
        """Set the moment of the next attempt; if the receiver stays away, log that once."""
        now = time.monotonic()
        self._reason, self._tries = str(error), self._tries + 1
        wait = min(_FIRST_WAIT * 2 ** min(self._tries - 1, 20), _LONGEST_WAIT)
        wait = wait / 2 + random.uniform(0, wait / 2)  # noqa: S311 - equal jitter, no secret
        self._due = now + (wait if error.wait is None else min(max(error.wait, wait), _LONGEST_WAIT))
        self._away_since = self._away_since or now
        if now - self._away_since > self._budget:
            _log.warning("notices wait", notices=len(self._waiting), dropped=self._dropped, reason=self._reason)
            self._away_since = _LOGGED

    def _log_lost(self) -> None:
        runs = {notice.run for notice in list(self._waiting)} | {self._current, *self._unread()}
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
