"""How long a run waits, how often it asks again, and when it gives up.

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
TRIES = 6  # of one request: with the waits between them, some ten seconds; what lasts longer is the next run's
SHORTEST_THROTTLE = 1.0
_log = logs.get(__name__)


class RetryPolicy:
    """How often one run repeats requests, and how long it waits; shared by all its threads.

    Args:
        seconds: the run's wall-clock deadline, from now.
        max_retries: how many requests may be repeated in the whole run.
        stop: set from outside to end the run.

    Attributes:
        stats: what the run asked so far.
    """

    def __init__(self, seconds: float, max_retries: int, stop: threading.Event | None = None) -> None:
        self.stats = RequestStats()
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._retries = max_retries
        self._stop = stop or threading.Event()
        self._not_before = 0.0  # the cloud asked all of us to wait until then
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
        """Seconds until the deadline, negative after it; also of a run that was stopped."""
        return self._ends - time.monotonic()

    def over(self) -> DeadlineError | InterruptedRunError | None:
        """Why the run may not go on, or None."""
        return self._over(self.left())

    def _over(self, left: float) -> DeadlineError | InterruptedRunError | None:
        if self._stop.is_set():
            return InterruptedRunError()
        if left <= 0:
            return DeadlineError(
                f"the run took longer than its deadline of {self._seconds:g} s; raise `deadline`, or see why it is slow"
            )
        return None

    def call(self, ask: Callable[[], T]) -> T:
        """Ask, and ask again where that is worth it.

        Raises:
            TransientError: the tries of this request, or the retries of the run, are used up.
            DeadlineError, InterruptedRunError: see ``remaining``.
            CloudError: what no second try will mend.
        """
        attempt = 0
        while True:
            self._pause()
            try:
                return ask()
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
