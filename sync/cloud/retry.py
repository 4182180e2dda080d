"""The retry policy of a run: how long it waits, how often it repeats a request, and when it gives up.

Everything is bounded: a budget of retries for the whole run, a wall-clock deadline, and a stop from outside. At most
``pages + confirmations + max_retries`` requests leave the process, whatever the cloud answers.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sync import logs
from sync.domain.run import RequestStats
from sync.errors import DeadlineError, InterruptedRunError, ThrottledError, TransientError

T = TypeVar("T")
FIRST_WAIT = 0.5  # seconds
LONGEST_WAIT = 30.0
TRIES = 6  # of one request: with the waits between them, about ten seconds; a longer fault is left to the next run
SHORTEST_THROTTLE = 1.0
_log = logs.get(__name__)


class RetryPolicy:
    """How often one run repeats requests, and how long it waits; shared by all its threads.

    Args:
        seconds: the run's wall-clock deadline, from now.
        max_retries: how many requests may be repeated in the whole run.
        stop: set by others to end the run.

    Attributes:
        stats: the requests of the run so far.
    """

    def __init__(self, seconds: float, max_retries: int, stop: threading.Event | None = None) -> None:
        self.stats = RequestStats()
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._retries = max_retries
        self._stop = stop or threading.Event()
        self._not_before = 0.0  # the cloud asked for no request before this time
        self._lock = threading.Lock()

    def remaining(self) -> float:
        """Seconds until the deadline.

        Raises:
            DeadlineError: there are none.
            InterruptedRunError: the run was stopped from outside.
        """
        left = self.left()
        if over := self._over(left):
            raise over
        return left

    def left(self) -> float:
        """Seconds until the deadline, negative after it, whether or not the run was stopped."""
        return self._ends - time.monotonic()

    def over(self) -> DeadlineError | InterruptedRunError | None:
        """Why the run may not go on, or None."""
        return self._over(self.left())

    def _over(self, left: float) -> DeadlineError | InterruptedRunError | None:
        if self._stop.is_set():
            return InterruptedRunError()
        if left <= 0:
            return DeadlineError(
                f"the run took longer than its deadline of {self._seconds:g} s; raise `deadline`, or see what is slow"
            )
        return None

    def call(self, request: Callable[[], T]) -> T:
        """Make a request, and repeat it if it failed for a reason that may pass.

        Raises:
            TransientError: this request used up its tries, or the run its retries.
            DeadlineError, InterruptedRunError: see ``remaining``.
            CloudError: a retry will not help.
        """
        attempt = 0
        while True:
            self._pause()
            try:
                return request()
            except TransientError as error:
                attempt += 1
                if attempt == TRIES:
                    raise
                self._count(error)
                self._postpone(error, attempt)

    def _count(self, error: TransientError) -> None:
        with self._lock:
            if self._retries <= 0:
                raise error
            self._retries -= 1
        self.stats.count(retries=1)

    def _postpone(self, error: TransientError, attempt: int) -> None:
        """Set the moment of the next try: for all threads if the cloud throttles, else for this one."""
        if isinstance(error, ThrottledError) and error.wait is not None:
            wait = max(error.wait, SHORTEST_THROTTLE)
        else:
            wait = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT)
            wait = wait / 2 + random.uniform(0, wait / 2)  # noqa: S311 - equal jitter, no secret
            wait = max(wait, SHORTEST_THROTTLE) if isinstance(error, ThrottledError) else wait
        if wait >= self.remaining():
            raise DeadlineError(
                f"{error}; the next try in {wait:.0f} s would be after the run's deadline of {self._seconds:g} s"
            ) from error
        _log.warning(
            "request repeated", wait_seconds=round(wait, 1), attempt=attempt, reason=str(error), **error.facts()
        )
        if isinstance(error, ThrottledError):
            self.stats.count(throttled_seconds=wait)
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + wait)
        else:
            self._stop.wait(wait)

    def _pause(self) -> None:
        while (wait := min(self._not_before - time.monotonic(), self.remaining())) > 0:
            self._stop.wait(wait)
